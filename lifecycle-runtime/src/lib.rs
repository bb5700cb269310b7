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
mod id;
mod inject;
mod lifecycle;
mod live;
mod output;
mod plan;
mod registry;
mod report;
mod scope;
mod server;
mod signals;
mod state;
mod stop;
mod task;
mod trace;
mod watchdog;

pub use config::PlanFormat;
pub use dep::{Dep, MissingValue};
pub use error::BoxError;
pub use event::{Event, Limit, Observer, Outcome, Requests};
pub use hook::{Hook, HookMeta, Kind};
pub use id::HookId;
pub use inject::Inject;
pub use lifecycle::Lifecycle;
pub use lifecycle_macros::{on_shutdown, on_startup};
pub use output::{HookError, HookValue};
pub use plan::{Plan, PlanError};
pub use report::{HookReport, Report};
pub use scope::Scope;
pub use server::{Http, IntoHttp};
pub use state::State;
pub use stop::{Stop, StopCause, StopHandle};
