//! What was found stays, what hangs holds one thread, and nobody waits behind strangers.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

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
    let (cache, asked) = (Cache::new(), Arc::new(AtomicUsize::new(0)));
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
    let (cache, asked) = (Cache::new(), Arc::new(AtomicUsize::new(0)));
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
    let (cache, asked) = (Arc::new(Cache::new()), Arc::new(AtomicUsize::new(0)));
    ask(&cache, 1, &asked).await;
    age(&cache, 1, 2 * KEEP);
    let _every_thread = cache.new.acquire_many(u32::try_from(THREADS).unwrap()).await.unwrap();
    ask(&cache, 1, &asked).await;
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_database_that_is_away_is_asked_again_at_the_next_call() {
    let (cache, asked) = (Cache::new(), Arc::new(AtomicUsize::new(0)));
    let away = UserError::Unavailable("away".into());
    let answer = away.clone();
    assert_eq!(cache.get(1, move || Err(answer)).await, Err(away));
    ask(&cache, 1, &asked).await;
}

#[tokio::test]
async fn a_renewal_that_hangs_keeps_what_was_found_and_one_thread() {
    let (cache, asked) = (Cache::new(), Arc::new(AtomicUsize::new(0)));
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
    let (cache, asked) = (Cache::new(), Arc::new(AtomicUsize::new(0)));
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
    let (cache, asked) = (Cache::new(), Arc::new(AtomicUsize::new(0)));
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
