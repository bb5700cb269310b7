//! Upgrade in place: a process, the predecessor, starts its successor, hands its listeners to it,
//! and ends once the successor has taken over.
//!
//! The successor finds the listeners in the variables of `sd_listen_fds(3)`, and beside them its
//! end of a channel. Both sides send messages there, each a JSON value on a line of its own:
//!
//! | from | message | meaning |
//! |---|---|---|
//! | successor | `Starting` | it is one, has this time to start, and this process id |
//! | successor | `Ready` | it has started, and accepts nothing yet |
//! | predecessor | `TakeOver` | accept from now on |
//! | successor | `Serving` | it accepts: the predecessor stops |
//! | successor | `Failed` | its start has failed |
//! | predecessor | `GiveUp` | end, and leave the listeners alone |
//!
//! Until `TakeOver` only the predecessor accepts connections, so whatever becomes of the successor
//! loses none. The end of the channel means that the other process has ended.

#[cfg(unix)]
mod attempt;
#[cfg(unix)]
mod launch;
#[cfg(unix)]
mod message;
#[cfg_attr(not(unix), allow(dead_code, reason = "only Unix has upgrades"))]
mod name;
#[cfg(unix)]
mod other_process;
#[cfg(unix)]
mod predecessor;
#[cfg(unix)]
mod program;
#[cfg(unix)]
mod successor;

#[cfg(unix)]
pub(crate) use attempt::{UpgradeAttempt, UpgradeLimits};
#[cfg(unix)]
pub(crate) use launch::Launch;
#[cfg(unix)]
pub(crate) use message::SuccessorMessage;
#[cfg(unix)]
pub(crate) use name::CHANNEL;
pub(crate) use name::ListenerName;
#[cfg(unix)]
pub(crate) use predecessor::Predecessor;
#[cfg(unix)]
pub(crate) use program::StartedProgram;
#[cfg(unix)]
pub(crate) use successor::HandedListener;
