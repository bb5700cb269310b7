//! Tools to test hooks, their order, and the effects of their failures. With the feature `testing`.
//!
//! ```standalone_crate
//! use lifecycle_runtime::testing::TestApp;
//! use lifecycle_runtime::{Dep, on_shutdown, on_startup};
//!
//! #[on_startup]
//! async fn db() -> String { "a pool of connections".to_owned() }
//!
//! #[on_shutdown(of = db)]
//! async fn close_db(db: Dep<db>) { println!("closing {db}"); }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! let app = TestApp::builder().replace::<db>("a fake".to_owned()).start().await;
//! assert_eq!(*app.get::<db>(), "a fake");
//! let report = app.stop().await;
//! report.assert_clean().assert_ran_once::<close_db>();
//! # }
//! ```
//!
//! [The guide](guide) leads from the first unit test to the exploration of every order. Use
//! [`process`] to test what only a real process shows, such as its exit code.
//!
//! Nothing here is global: any number of [`TestApp`]s run side by side in one process. None of them
//! reads `LIFECYCLE_*` variables, hears the process's signals, or takes an address that the test
//! did not ask for. A `TestApp` writes to stderr only to say why a test doesn't go on.

mod app;
mod argument;
mod assertions;
mod at_await;
mod clock;

mod explore;
mod faults;
mod harness;
mod moment;
pub mod process;
mod scheduler;
mod selection;
mod signals;
mod stalls;
mod timeline;
mod work;

pub use app::TestApp;
pub use app::builder::TestAppBuilder;
pub use argument::FromTestApp;
pub use assertions::TestReport;
pub use clock::real_io;
pub use explore::{Explore, Explored, explore};
pub use faults::Fault;
#[doc(hidden)]
pub use harness::{run, run_with_app};
pub use moment::{Moment, Signal};

#[doc = include_str!("../docs/testing.md")]
pub mod guide {}
