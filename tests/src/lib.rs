//! What the fixture programs of the end-to-end tests have in common, and the clients that the tests
//! set on them.
//!
//! Hooks say on stdout that they run, and do what the program's arguments tell them to: `db=fail`
//! lets the hook `db` return an error. What waits, waits for a line on stdin.

pub mod act;
pub mod certificate;
pub mod http;
pub mod http2;
pub mod load;
pub mod store;
pub mod written;

#[cfg(target_os = "linux")]
pub use lifecycle_tests_rig as rig;

/// How long a test waits for anything. Much longer than any should, and than a busy machine delays
/// one.
pub const LIMIT: std::time::Duration = std::time::Duration::from_secs(90);

/// The code in the README compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;

/// So does the code on the page for those who come from FastAPI.
#[cfg(doctest)]
#[doc = include_str!("../../docs/from-fastapi.md")]
pub struct FromFastApi;

/// And that on the page about logs.
#[cfg(doctest)]
#[doc = include_str!("../../docs/logging.md")]
pub struct Logging;

/// And that on the page for those who come from elsewhere.
#[cfg(doctest)]
#[doc = include_str!("../../docs/coming-from.md")]
pub struct ComingFrom;
