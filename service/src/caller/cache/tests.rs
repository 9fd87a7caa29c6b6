//! What was found stays, what hangs holds one thread, and nobody waits behind strangers.

use std::sync::atomic::{AtomicUsize, Ordering};

use std::path::PathBuf;
use std::time::Instant;

use tempfile::TempDir;

use super::*;

/// A cache beside which there is no file.
fn cache() -> Cache<u32, u32> {
    Cache::new(LocalFile::new("/nonexistent/passwd", 2))
}

/// A cache with a file of local entries.
fn with_file() -> (Cache<u32, u32>, PathBuf, TempDir) {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("passwd");
    (Cache::new(LocalFile::new(&path, 2)), path, place)
}

/// Writes the file anew, as the tools do.
fn edit(path: &PathBuf, keys: &[u32]) {
    let lines: String = keys.iter().map(|key| format!("name:x:{key}:\n")).collect();
    let next = path.with_extension("next");
    std::fs::write(&next, lines).unwrap();
    std::fs::rename(next, path).unwrap();
}

/// Every thread for what stands in no file.
async fn take_threads(cache: &Cache<u32, u32>) -> [tokio::sync::SemaphorePermit<'_>; 2] {
    let all = |threads: usize| u32::try_from(threads).unwrap();
    [cache.new.acquire_many(all(THREADS)).await.unwrap(), cache.again.acquire_many(all(THREADS_AGAIN)).await.unwrap()]
}

/// Asks for a key that is there, and counts the times the source was asked.
async fn ask(cache: &Cache<u32, u32>, key: u32, asked: &Arc<AtomicUsize>) {
    let asked = Arc::clone(asked);
    let found = cache.get(key, move || {
        asked.fetch_add(1, Ordering::SeqCst);
        Ok(key)
    });
    assert_eq!(found.await, Ok(key));
}

/// Makes it so long ago that a key was found.
fn age(cache: &Cache<u32, u32>, key: u32, by: Duration) {
    if let Some(found) = lock(&cache.entries).found.get_mut(&key) {
        found.since = found.since.checked_sub(by).unwrap();
        found.renew_at = found.since + KEEP;
    }
}

/// A source that hangs until its other end is dropped; how often it was asked.
fn hanging(asked: &Arc<AtomicUsize>) -> (std::sync::mpsc::Sender<()>, impl FnOnce() -> Result<u32, UserError> + use<>) {
    let (hold, held) = std::sync::mpsc::channel();
    let asked = Arc::clone(asked);
    let ask = move || {
        asked.fetch_add(1, Ordering::SeqCst);
        held.recv().ok();
        Err(UserError::Unknown)
    };
    (hold, ask)
}

#[tokio::test]
async fn strangers_do_not_push_out_whom_the_cache_knows() {
    let (cache, asked) = (cache(), Arc::new(AtomicUsize::new(0)));
    ask(&cache, 1, &asked).await;
    for stranger in 0..2 * CACHE_MAX {
        let key = 100_000 + u32::try_from(stranger).unwrap();
        assert_eq!(cache.get(key, || Err(UserError::Unknown)).await, Err(UserError::Unknown));
    }
    ask(&cache, 1, &asked).await;
    assert_eq!(asked.load(Ordering::SeqCst), 1, "asked again");
    assert!(lock(&cache.entries).open.len() <= CACHE_MAX);
}

#[tokio::test]
async fn of_too_many_that_were_found_the_oldest_goes() {
    let (cache, asked) = (cache(), Arc::new(AtomicUsize::new(0)));
    let most = u32::try_from(CACHE_MAX).unwrap();
    for key in 0..=most {
        ask(&cache, key, &asked).await;
    }
    assert!(!cache.remembers(&0) && cache.remembers(&1) && cache.remembers(&most));
    assert_eq!(lock(&cache.entries).found.len(), CACHE_MAX);
    assert!(lock(&cache.entries).open.is_empty());
}

#[tokio::test]
async fn who_was_known_does_not_stand_in_line_with_strangers() {
    let (cache, asked) = (Arc::new(cache()), Arc::new(AtomicUsize::new(0)));
    ask(&cache, 1, &asked).await;
    age(&cache, 1, 2 * KEEP);
    let _every_thread = cache.new.acquire_many(u32::try_from(THREADS).unwrap()).await.unwrap();
    ask(&cache, 1, &asked).await;
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_database_that_is_away_is_asked_again_at_the_next_call() {
    let (cache, asked) = (cache(), Arc::new(AtomicUsize::new(0)));
    let away = UserError::Unavailable("away".into());
    let answer = away.clone();
    assert_eq!(cache.get(1, move || Err(answer)).await, Err(away));
    ask(&cache, 1, &asked).await;
}

#[tokio::test]
async fn a_renewal_that_hangs_keeps_what_was_found_and_one_thread() {
    let (cache, asked) = (cache(), Arc::new(AtomicUsize::new(0)));
    for key in 0..=1 {
        ask(&cache, key, &asked).await;
        age(&cache, key, 2 * KEEP);
    }
    let (_hold, hangs) = hanging(&asked);
    assert_eq!(cache.get(0, hangs).await, Ok(0), "it is good for some time more");
    assert_eq!(asked.load(Ordering::SeqCst), 3);
    for minutes in [1, 3] {
        age(&cache, 0, minutes * KEEP);
        ask(&cache, 0, &asked).await;
    }
    assert_eq!(asked.load(Ordering::SeqCst), 3, "a second thread for the same question");
    assert_eq!(cache.again.available_permits(), THREADS_AGAIN - 1);
    ask(&cache, 1, &asked).await;
    assert_eq!(asked.load(Ordering::SeqCst), 4, "others are looked up meanwhile");
    age(&cache, 0, KEEP + SPARE);
    assert!(matches!(cache.get(0, || Ok(0)).await, Err(UserError::Unavailable(_))), "and not for ever");
    assert!(cache.remembers(&0));
    age(&cache, 0, REMEMBER);
    assert!(!cache.remembers(&0));
}

#[tokio::test]
async fn what_was_found_stays_good_when_there_is_no_thread_to_look_it_up_again() {
    let (cache, asked) = (cache(), Arc::new(AtomicUsize::new(0)));
    ask(&cache, 1, &asked).await;
    age(&cache, 1, 2 * KEEP);
    let _every_thread = cache.again.acquire_many(u32::try_from(THREADS_AGAIN).unwrap()).await.unwrap();
    ask(&cache, 1, &asked).await;
    assert_eq!(cache.kept(&1), Some(1), "who asks next does not wait");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    assert!(lock(&cache.entries).is_away);
}

#[tokio::test]
async fn a_look_up_goes_on_when_nobody_waits_for_it_any_more() {
    let (cache, asked) = (cache(), Arc::new(AtomicUsize::new(0)));
    let (go_on, wait) = std::sync::mpsc::channel::<()>();
    let slow = move || {
        wait.recv().ok();
        Ok(1)
    };
    let given_up = tokio::time::timeout(Duration::from_millis(1), cache.get(1, slow)).await;
    assert!(given_up.is_err());
    drop(go_on);
    ask(&cache, 1, &asked).await;
    assert_eq!(asked.load(Ordering::SeqCst), 0, "asked twice");
}

#[tokio::test]
async fn nothing_is_good_any_more_once_the_file_has_changed() {
    let (cache, path, _place) = with_file();
    edit(&path, &[1]);
    assert_eq!(cache.get(1, || Ok(10)).await, Ok(10));
    assert_eq!((cache.kept(&1), cache.get(1, || Ok(11)).await), (Some(10), Ok(10)));
    edit(&path, &[1]);
    assert_eq!((cache.kept(&1), cache.get(1, || Ok(11)).await), (None, Ok(11)));
    assert_eq!(cache.get(2, || Err(UserError::Unknown)).await, Err(UserError::Unknown));
    edit(&path, &[1, 2]);
    assert_eq!(cache.get(2, || Ok(20)).await, Ok(20), "who was added is there at once");
}

#[tokio::test]
async fn an_answer_that_comes_after_a_change_is_asked_for_anew() {
    let (cache, path, _place) = with_file();
    edit(&path, &[1]);
    let (answer, slow) = std::sync::mpsc::channel();
    let first = cache.get(1, move || Ok(slow.recv().unwrap()));
    tokio::pin!(first);
    assert!(tokio::time::timeout(Duration::from_millis(1), &mut first).await.is_err());
    edit(&path, &[1]);
    let second = cache.get(1, || Ok(11));
    tokio::pin!(second);
    assert!(tokio::time::timeout(Duration::from_millis(1), &mut second).await.is_err());
    answer.send(10).unwrap();
    assert_eq!((first.await, second.await, cache.kept(&1)), (Ok(10), Ok(11), Some(11)));
}

#[tokio::test]
async fn who_stands_in_the_file_waits_for_nobody_who_does_not() {
    let (cache, path, _place) = with_file();
    edit(&path, &[1]);
    let _threads = take_threads(&cache).await;
    let begin = Instant::now();
    assert_eq!(cache.get(1, || Ok(10)).await, Ok(10));
    age(&cache, 1, 2 * KEEP);
    assert_eq!(cache.get(1, || Ok(11)).await, Ok(11));
    assert!(begin.elapsed() < DEADLINE);
}

#[tokio::test]
async fn who_may_be_somebody_else_by_now_is_not_spared() {
    let (cache, path, _place) = with_file();
    let away = || Err(UserError::Unavailable("away".into()));
    edit(&path, &[1]);
    for key in [1, 2] {
        assert_eq!(cache.get(key, move || Ok(key)).await, Ok(key));
        age(&cache, key, 2 * KEEP);
        assert_eq!(cache.get(key, away).await, Ok(key), "the file is the same");
    }
    edit(&path, &[1]);
    assert_eq!(cache.get(1, away).await, away());
    assert_eq!(cache.get(2, away).await, Ok(2), "it never stood there");
    assert_eq!(cache.kept(&2), Some(2));
    // Who stood in the file and was deleted is not spared for a directory that is away.
    edit(&path, &[1]);
    assert_eq!(cache.get(1, || Ok(1)).await, Ok(1));
    edit(&path, &[]);
    assert_eq!(cache.get(1, away).await, away());
    // Nor is who was deleted and is back, while the look-up from in between hangs.
    edit(&path, &[]);
    let (hold, hangs) = hanging(&Arc::new(AtomicUsize::new(0)));
    assert_eq!(cache.get(2, hangs).await, Ok(2));
    edit(&path, &[2]);
    assert!(matches!(cache.get(2, || Ok(3)).await, Err(UserError::Unavailable(_))));
    drop(hold);
}
