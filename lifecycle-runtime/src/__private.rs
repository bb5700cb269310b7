//! What the attributes' expansions call. Not part of the public interface: it changes without notice.

pub use crate::hook::{Hook, HookId, HookMeta, Kind, Output, PlainOutput, Probe};
pub use crate::inject::{Inject, Scope};
pub use crate::task::{Task, TaskResult, returned};
pub use inventory;
pub use std::time::Duration;

/// What inventory collects.
pub struct Registered(pub &'static HookMeta);

inventory::collect!(Registered);
