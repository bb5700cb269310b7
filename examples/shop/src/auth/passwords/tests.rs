//! Tests of passwords, and of the threads that hash them.

use std::cell::RefCell;
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use argon2::PasswordHasher;
use futures_util::FutureExt;
use futures_util::future::{LocalBoxFuture, join_all};

use super::*;

const LIMIT: Duration = Duration::from_secs(30);

thread_local! {
    /// Sender that goes with its thread.
    static KEPT: RefCell<Option<Sender<()>>> = const { RefCell::new(None) };
}

/// Work that reports its beginning, and ends once the gate is open.
struct Work {
    passwords: Passwords,
    begun: Sender<()>,
    beginnings: Receiver<()>,
    gate: Arc<OnceLock<()>>,
}

impl Work {
    fn new() -> Self {
        let (begun, beginnings) = channel();
        Self { passwords: passwords().unwrap(), begun, beginnings, gate: Arc::default() }
    }

    /// Asks for the work, and checks that it does not end at once.
    fn ask(&self) -> LocalBoxFuture<'_, Result<(), Problem>> {
        let (begun, gate) = (self.begun.clone(), Arc::clone(&self.gate));
        let mut asked = Box::pin(self.passwords.in_turn(move || {
            begun.send(()).unwrap();
            KEPT.set(Some(begun));
            *gate.wait()
        }));
        assert!(asked.as_mut().now_or_never().is_none());
        asked
    }

    /// Asks for as much work as there are threads, and waits until all of it has begun.
    fn occupy(&self) -> Vec<LocalBoxFuture<'_, Result<(), Problem>>> {
        let asked = (0..AT_ONCE).map(|_| self.ask()).collect();
        (0..AT_ONCE).for_each(|_| self.beginnings.recv_timeout(LIMIT).unwrap());
        asked
    }

    /// Checks that no work begins for a while.
    #[track_caller]
    fn expect_none(&self) {
        assert_eq!(
            self.beginnings.recv_timeout(Duration::from_millis(200)),
            Err(RecvTimeoutError::Timeout)
        );
    }
}

#[actix_web::test]
async fn only_the_right_password_of_somebody_matches() {
    let passwords = passwords().unwrap();
    let kept = passwords.hash("correct horse".to_owned()).await.unwrap();
    assert!(kept.starts_with("$argon2id$"), "{kept}");
    assert!(passwords.verify("correct horse".to_owned(), Some(kept.clone())).await.unwrap());
    assert!(!passwords.verify("correct horsf".to_owned(), Some(kept)).await.unwrap());
    assert!(!passwords.verify("correct horse".to_owned(), None).await.unwrap());
    assert!(
        !passwords.verify("correct horse".to_owned(), Some("no hash".to_owned())).await.unwrap()
    );
}

#[test]
fn hashes_are_those_of_the_library() {
    let (right, wrong) = (b"correct horse", b"correct horsf");
    let ours = hash(right).unwrap();
    assert_ne!(ours, hash(right).unwrap(), "each has a salt of its own");
    for (password, matches) in [(right, true), (wrong, false)] {
        let theirs =
            Argon2::default().verify_password(password, &PasswordHash::new(&ours).unwrap());
        assert_eq!(theirs.is_ok(), matches);
    }
    let theirs = Argon2::default().hash_password(right).unwrap().to_string();
    assert!(super::matches(right, &theirs) && !super::matches(wrong, &theirs));
}

#[actix_web::test]
async fn four_are_at_work_at_a_time_also_if_those_who_asked_go_away() {
    let work = Work::new();
    drop(work.occupy());
    let waiting: Vec<_> = (0..AT_ONCE).map(|_| work.ask()).collect();
    work.expect_none();
    work.gate.set(()).unwrap();
    assert!(join_all(waiting).await.iter().all(Result::is_ok));
}

#[actix_web::test]
async fn where_too_many_wait_already_the_answer_is_at_once_that_it_is_busy() {
    let work = Work::new();
    let begun = work.occupy();
    let waiting: Vec<_> = (0..MOST_WAITING).map(|_| work.ask()).collect();
    let refused = work.passwords.in_turn(|| ()).now_or_never();
    assert!(matches!(refused, Some(Err(Problem::Busy))), "{refused:?}");
    work.gate.set(()).unwrap();
    assert!(join_all(begun.into_iter().chain(waiting)).await.iter().all(Result::is_ok));
    work.passwords.in_turn(|| ()).await.unwrap();
}

#[actix_web::test]
async fn the_threads_end_with_the_value_and_do_nothing_for_those_who_have_gone() {
    let work = Work::new();
    let begun = work.occupy();
    let waiting: Vec<_> = (0..AT_ONCE).map(|_| work.ask()).collect();
    drop((begun, waiting));
    let Work { passwords, begun, beginnings, gate } = work;
    drop((passwords, begun));
    gate.set(()).unwrap();
    // Each thread has kept a sender, so this says that all threads have ended.
    assert_eq!(beginnings.recv_timeout(LIMIT), Err(RecvTimeoutError::Disconnected));
}

#[actix_web::test]
async fn work_that_panics_is_an_error_of_whoever_asked_for_it() {
    let passwords = passwords().unwrap();
    for _ in 0..=AT_ONCE {
        let ended = passwords.in_turn(|| panic!("as it should")).await;
        assert!(matches!(ended, Err::<(), _>(Problem::Internal(_))), "{ended:?}");
    }
    passwords.in_turn(|| ()).await.unwrap();
}
