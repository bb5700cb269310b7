//! Attributes and functions of which a macro of the user has been given every part, each as the
//! fragment that a user would write.

use std::process::ExitCode;

use lifecycle_runtime::hook::Hook;
use lifecycle_runtime::{Dep, Stop, health_check, on_drain, on_ready, on_shutdown, on_signal, on_startup, service};

#[on_startup]
async fn db() -> u32 {
    1
}

macro_rules! literals {
    ($name:ident, $order:literal, $timeout:literal, $body:block) => {
        #[on_startup(order = $order, timeout = $timeout)]
        async fn $name() $body
    };
}
literals! { cache, 2, "5s", { let _ = db::META; } }

macro_rules! expressions {
    ($vis:vis $name:ident, $order:expr, $timeout:expr, [$($after:expr),*], $($output:ty)?) => {
        #[on_startup(order = $order, timeout = $timeout, after = [$($after),*])]
        $vis fn $name() $(-> $output)? { Default::default() }
    };
}
expressions! { pub(crate) mail, 3, "1m30s", [db, crate::cache], String }
expressions! { rest, 3, "1s", [], }

macro_rules! paths {
    ($(#[$meta:meta])* $vis:vis $name:ident($argument:ident: $ty:ty), $of:path, [$($after:path),*], [$($before:ty),*]) => {
        $(#[$meta])*
        #[on_shutdown(of = $of, after = [$($after),*], before = [$($before),*], crate = ::lifecycle_runtime)]
        $vis fn $name($argument: $ty) {
            assert_eq!(*$argument, 1);
        }
    };
}
paths! {
    /// A teardown.
    close_db(db: Dep<db>), db, [flush], [last]
}

macro_rules! here {
    ($name:ident, $hook:tt) => {
        #[on_shutdown(after = [$crate::$hook], before = [$crate::last])]
        fn $name() {}
    };
}
here! { flush, mail }

#[on_shutdown]
fn last() {}

macro_rules! policies {
    ($restart:literal, $backoff:expr, $most:literal, $exit:expr, $kind:literal, $every:expr, $failures:literal) => {
        #[service(restart = $restart, backoff = $backoff, max_restarts = $most, stop_timeout = $every, on_exit = $exit)]
        async fn follower(stop: Stop) {
            stop.requested().await;
        }
        #[health_check(kind = $kind, interval = $every, failures = $failures)]
        async fn is_well() {}
    };
}
policies! { "on_failure", "1s..5s", "5 in 1m", "ignore", "liveness", "20s", 2 }

macro_rules! phases {
    ($signal:path, $other:tt, $body:block) => {
        #[on_signal($signal, timeout = "1s")]
        async fn reload() $body
        #[on_signal($other)]
        fn look() $body
        #[on_ready]
        async fn announce() $body
        #[on_drain]
        fn withdraw() $body
    };
}
phases! { SIGHUP, SIGUSR2, {} }

macro_rules! attributes {
    ($($attribute:meta)*; $function:item) => {
        $(#[$attribute])*
        $function
    };
}
attributes! { on_startup(timeout = "5s") allow(dead_code); async fn table(db: Dep<db>) -> u32 { *db } }

macro_rules! tests {
    ($setup:path, $paused:literal, $body:block) => {
        #[lifecycle_runtime::test(setup = $setup, start_paused = $paused)]
        #[allow(dead_code)]
        async fn it_starts() $body
    };
}
tests! { lifecycle_runtime::testing::TestApp::builder, false, {} }

#[path = "../start_and_stop.rs"]
mod start_and_stop;

fn main() -> ExitCode {
    assert_eq!((cache::META.order(), mail::META.order()), (Some(2), Some(3)));
    assert_eq!(mail::META.needs().map(|hook| hook.name()).collect::<Vec<_>>(), ["db", "cache"]);
    assert_eq!(mail::META.timeout(), Some(std::time::Duration::from_secs(90)));
    assert_eq!(close_db::META.of(), Some(db::META));
    start_and_stop::start_and_stop()
}
