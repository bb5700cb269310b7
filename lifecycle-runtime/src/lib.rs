#![allow(dead_code)]
extern crate self as lifecycle_runtime;
#[doc(hidden)]
pub mod __private;
mod dep;
mod error;
mod hook;
mod inject;
mod state;
mod stop;
mod task;
pub use dep::Dep;
pub use error::BoxError;
pub use hook::{Hook, HookError, HookId, HookMeta, HookValue, Kind};
pub use inject::{Inject, MissingValue, Scope};
pub use lifecycle_macros::{on_shutdown, on_startup};
pub use state::State;
pub use stop::{Stop, StopCause, StopHandle};
