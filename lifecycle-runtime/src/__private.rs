//! What the attributes' expansions call. Not part of the public interface: it changes without notice.

pub use crate::hook::{Hook, HookMeta, Kind};
pub use crate::id::HookId;
pub use crate::inject::Inject;
pub use crate::output::{Output, PlainOutput, Probe};
pub use crate::scope::Scope;
pub use crate::task::{Task, TaskResult, returned};
pub use inventory;
pub use std::time::Duration;

/// What inventory collects.
pub struct Registered(pub &'static HookMeta);

inventory::collect!(Registered);
