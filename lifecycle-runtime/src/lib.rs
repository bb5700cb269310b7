//! TODO docs
extern crate self as lifecycle_runtime;

#[doc(hidden)]
pub mod __private;
mod config;
mod console;
mod dep;
mod error;
mod event;
mod executor;
mod hook;
mod inject;
mod lifecycle;
mod live;
mod plan;
mod registry;
mod report;
mod server;
mod signals;
mod state;
mod stop;
mod task;
mod trace;
mod watchdog;

pub use config::ConfigError;
pub use dep::Dep;
pub use error::BoxError;
pub use event::{Event, Limit, Observer, Outcome, Requests};
pub use hook::{Hook, HookError, HookId, HookMeta, HookValue, Kind};
pub use inject::{Inject, MissingValue, Scope};
pub use lifecycle::Lifecycle;
pub use lifecycle_macros::{on_shutdown, on_startup};
pub use plan::{Plan, PlanError, PlanFormat};
pub use report::{HookReport, Report};
pub use server::{Http, IntoHttp};
pub use state::State;
pub use stop::{Stop, StopCause, StopHandle};
