//! Parts that the fixture programs of the end-to-end tests have in common, and the clients that the
//! tests send to them.
//!
//! Hooks say on stdout that they run, and do what the program's arguments tell them to: `db=fail`
//! makes the hook `db` return an error. A hook that waits, waits for a line on stdin.

pub mod act;
pub mod certificate;
pub mod http;
pub mod http2;
pub mod load;
pub mod promtool;
pub mod store;
pub mod written;

use std::io::{self, Write};

#[cfg(target_os = "linux")]
pub use lifecycle_tests_rig as rig;

/// Longest time that a test waits for anything: much longer than a wait should take, even on a busy
/// machine.
pub const LIMIT: std::time::Duration = std::time::Duration::from_secs(90);

/// Reports that a test is skipped, even where the output of a test that passes is not shown.
#[track_caller]
pub fn skipped(reason: &str) {
    let place = std::panic::Location::caller();
    // One write keeps another test's line from getting into it. If stderr is missing, nobody could
    // read the line.
    let _ = io::stderr().write_all(format!("SKIPPED, {reason}: {place}\n").as_bytes());
}

/// Code of the README, which compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;

/// Includes pages of the documentation, whose code compiles and runs.
macro_rules! pages {
    ($($name:ident $file:literal)*) => {
        $(
            #[cfg(doctest)]
            #[doc = include_str!(concat!("../../lifecycle-runtime/docs/", $file))]
            pub struct $name;
        )*
    };
}

// `lifecycle-tests-databases` includes `databases.md`, and the code of `testing.md` stands in
// `tests/guide.rs`.
pages! {
    Admin "admin.md"
    Balancers "balancers.md"
    Clients "clients.md"
    ComingFrom "coming-from.md"
    CompileErrors "compile-errors.md"
    Deploying "deploying.md"
    FromFastApi "from-fastapi.md"
    GettingStarted "getting-started.md"
    Hooks "hooks.md"
    Logging "logging.md"
    Metrics "metrics.md"
    Probes "probes.md"
    Run "run.md"
    Services "services.md"
    Settings "settings.md"
    Values "values.md"
}
