use std::sync::Barrier;

use tokenvault_core::vault::daemon;

use super::*;

fn caller(uid: u32) -> Caller {
    Caller { uid, ..daemon() }
}

fn state(operations: &Operations, id: u64) -> State {
    let view = operations.view(0, id).unwrap();
    view.outcome.map_or(State::Running, |outcome| outcome.state)
}

async fn ended(operations: &Operations, id: u64) -> View {
    loop {
        if let Some(view) = operations.view(0, id).filter(|view| view.outcome.is_some()) {
            return view;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn work_is_watched_and_its_findings_are_kept() {
    let (operations, steps) = (Operations::default(), Arc::new(Barrier::new(2)));
    let meeting = Arc::clone(&steps);
    let work = move |watch: &Watch| {
        watch.report(3, 10).unwrap();
        meeting.wait();
        meeting.wait();
        Ok(Findings::default().with("records", 10))
    };
    let id = operations.begin(&caller(7), ("VerifyAudit", String::new()), work).unwrap();
    steps.wait();
    let view = operations.view(7, id).unwrap();
    assert_eq!((view.operation, view.steps, view.outcome), ("VerifyAudit", (3, 10), None));
    steps.wait();
    let outcome = ended(&operations, id).await.outcome.unwrap();
    assert_eq!((outcome.state, outcome.findings.number("records")), (State::Done, Some(10)));
}

#[tokio::test]
async fn its_beginning_and_its_end_are_told_with_who_began_it() {
    let (operations, heard) = (Operations::default(), Arc::new(Mutex::new(Vec::new())));
    let hears = Arc::clone(&heard);
    operations.on_change(move |uid, view| hears.lock().unwrap().push((uid, view.id, view.outcome.is_some())));
    let id = operations.begin(&caller(7), ("VerifyAudit", String::new()), |watch: &Watch| {
        watch.report(1, 2).unwrap();
        Ok(Findings::default())
    });
    let id = id.unwrap();
    ended(&operations, id).await;
    while heard.lock().unwrap().len() < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(*heard.lock().unwrap(), [(7, id, false), (7, id, true)], "a step a second at most");
}

#[tokio::test]
async fn only_who_began_it_and_root_see_and_cancel_it() {
    let operations = Operations::default();
    let work = |watch: &Watch| loop {
        if watch.report(0, 0).is_err() {
            return Err((Error::Cancelled, Findings::default()));
        }
        std::thread::yield_now();
    };
    let id = operations.begin(&caller(7), ("VerifyAudit", String::new()), work).unwrap();
    assert!(operations.view(8, id).is_none() && !operations.cancel(8, id));
    assert!(operations.view(7, id).is_some() && operations.view(0, id).is_some());
    assert_eq!(state(&operations, id), State::Running);
    assert!(operations.cancel(7, id));
    assert_eq!(ended(&operations, id).await.outcome.unwrap().state, State::Cancelled);
}

#[tokio::test]
async fn work_that_fails_or_panics_says_so() {
    let operations = Operations::default();
    let failing = |_: &Watch| Err((Error::Quarantined("record 5".into()), Findings::default().with("first-bad", 5)));
    let id = operations.begin(&caller(7), ("VerifyAudit", String::new()), failing).unwrap();
    let outcome = ended(&operations, id).await.outcome.unwrap();
    assert_eq!((outcome.state, outcome.findings.number("first-bad")), (State::Failed, Some(5)));
    let id = operations.begin(&caller(7), ("VerifyAudit", String::new()), |_| panic!("for a test")).unwrap();
    assert_eq!(ended(&operations, id).await.outcome.unwrap().state, State::Failed);
}

#[test]
fn few_run_at_one_time() {
    let (operations, now) = (Operations::default(), Instant::now());
    let enter = |uid| operations.enter(uid, "VerifyAudit", now);
    let first = enter(7).unwrap().1;
    enter(7).unwrap();
    assert!(matches!(enter(7), Err(Error::LimitsExceeded { limit: "operations", .. })));
    enter(8).unwrap();
    enter(9).unwrap();
    assert!(enter(10).is_err());
    first.end(Ok(Findings::default()), now);
    enter(10).unwrap();
}

#[test]
fn what_came_of_them_is_kept_for_a_while_and_not_of_too_many() {
    let (operations, now) = (Operations::default(), Instant::now());
    let end_one = |at| {
        let (id, entry) = operations.enter(7, "VerifyAudit", at).unwrap();
        entry.end(Ok(Findings::default()), at);
        id
    };
    let (running, _) = operations.enter(8, "VerifyAudit", now).unwrap();
    let ids: Vec<u64> = (0..100).map(|_| end_one(now)).collect();
    assert!(operations.view(7, ids[0]).is_none());
    assert!(operations.view(7, ids[99]).is_some() && operations.view(8, running).is_some());
    end_one(now + KEPT);
    assert!(operations.view(7, ids[99]).is_none() && operations.view(8, running).is_some());
    assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "no number comes twice");
}
