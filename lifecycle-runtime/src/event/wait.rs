//! Things that a start or a stop waits for.

use std::fmt;
use std::time::Duration;

use super::{HookFailure, RequestInfo, ServiceState, readable};
use crate::hook::HookMeta;

/// Something that a start or a stop waits for, with the time for which it has been running. Its
/// text is what the console shows: `close_db 2.1 s`, `GET /report 4.2 s`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Wait {
    /// A hook runs.
    #[non_exhaustive]
    Hook {
        /// The hook.
        hook: &'static HookMeta,
        /// Time for which it has been running.
        running: Duration,
    },
    /// A service is not ready yet, or has been told to stop and has not ended.
    #[non_exhaustive]
    Service {
        /// The service.
        hook: &'static HookMeta,
        /// State of the service.
        state: ServiceState,
        /// Time since it began, or since it was told to stop.
        running: Duration,
        /// Failure of its last run that failed, if it is not ready yet.
        last_error: Option<HookFailure>,
    },
    /// Requests are in flight.
    #[non_exhaustive]
    Requests {
        /// Number of the requests.
        count: usize,
        /// Those among them that have been in flight the longest, up to five.
        longest: Vec<RequestInfo>,
    },
    /// Tasks of [`BackgroundTasks`](crate::BackgroundTasks) run.
    #[non_exhaustive]
    Tasks {
        /// Number of the tasks.
        count: usize,
        /// Requests of the tasks that have been running the longest, up to five.
        longest: Vec<RequestInfo>,
    },
    /// Connections without a request are open.
    #[non_exhaustive]
    Connections {
        /// Number of the connections.
        count: u64,
    },
    /// Worker threads should have ended and have not: as a rule, handlers block them.
    #[non_exhaustive]
    BlockedWorkers {
        /// Number of the threads.
        count: usize,
    },
    /// Work runs on the blocking pools of worker threads: a `web::block`, or an address lookup.
    #[non_exhaustive]
    BlockingPools {
        /// Number of the threads.
        count: usize,
    },
    /// Worker threads build or drop their apps.
    #[non_exhaustive]
    Apps {
        /// Number of the threads.
        count: usize,
    },
    /// The drain delay is not over.
    #[non_exhaustive]
    DrainDelay {
        /// Time that is left of it.
        left: Duration,
    },
    /// The value of a hook is being dropped, or others hold it.
    #[non_exhaustive]
    Value {
        /// The hook whose value it is.
        hook: &'static HookMeta,
        /// Number of the others that hold it; 0 while it is being dropped.
        others: usize,
    },
    /// Everything else has ended, and an [`Observer`](super::Observer) of the program has not
    /// returned.
    #[non_exhaustive]
    Observers {
        /// Time for which it is waited for.
        running: Duration,
    },
    /// Everything else has ended, and the metrics are being published for the last time.
    #[non_exhaustive]
    Publication {
        /// Time for which it is waited for.
        running: Duration,
    },
}

impl Wait {
    /// Returns the time for which it has been running, or the longest of several. `None` if that is
    /// not known.
    pub(crate) fn running(&self) -> Option<Duration> {
        match self {
            Self::Hook { running, .. }
            | Self::Service { running, .. }
            | Self::Observers { running }
            | Self::Publication { running } => Some(*running),
            Self::Requests { longest, .. } | Self::Tasks { longest, .. } => {
                longest.iter().map(|request| request.running).max()
            }
            Self::Connections { .. }
            | Self::BlockedWorkers { .. }
            | Self::BlockingPools { .. }
            | Self::Apps { .. }
            | Self::DrainDelay { .. }
            | Self::Value { .. } => None,
        }
    }

    /// Returns `true` for what may hold up the end of a process whose run is over.
    pub(crate) fn is_behind_the_run(&self) -> bool {
        matches!(self, Self::Observers { .. } | Self::Publication { .. })
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hook { hook, running } => {
                write!(f, "{} {}", hook.display_name(), readable(*running))
            }
            Self::Service { hook, state, running, last_error } => {
                write!(f, "{} {}", hook.display_name(), readable(*running))?;
                match last_error {
                    Some(error) => write!(f, " ({state}: it {error})"),
                    None => Ok(()),
                }
            }
            Self::Requests { count: 1, longest } => write_longest(f, 1, "", longest),
            Self::Requests { count, longest } => {
                write!(f, "{count} requests: ")?;
                write_longest(f, *count, "", longest)
            }
            Self::Tasks { count: 1, longest } => {
                f.write_str("a task ")?;
                write_longest(f, 1, "of ", longest)
            }
            Self::Tasks { count, longest } => {
                write!(f, "{count} tasks: ")?;
                write_longest(f, *count, "of ", longest)
            }
            Self::Connections { count: 1 } => f.write_str("a connection without a request"),
            Self::Connections { count } => write!(f, "{count} connections without a request"),
            Self::BlockedWorkers { count: 1 } => {
                f.write_str("a worker thread, which a handler may block")
            }
            Self::BlockedWorkers { count } => {
                write!(f, "{count} worker threads, which handlers may block")
            }
            Self::BlockingPools { count: 1 } => f.write_str(
                "the blocking pool of a worker thread (web::block, or an address lookup)",
            ),
            Self::BlockingPools { count } => write!(
                f,
                "the blocking pools of {count} worker threads (web::block, or address lookups)"
            ),
            Self::Apps { count: 1 } => f.write_str("a worker thread that builds or drops its app"),
            Self::Apps { count } => {
                write!(f, "{count} worker threads that build or drop their apps")
            }
            Self::DrainDelay { left } => write!(f, "the drain delay, {} left", readable(*left)),
            Self::Observers { running } => {
                write!(f, "an observer of events {}", readable(*running))
            }
            Self::Publication { running } => {
                write!(f, "the last publication of metrics {}", readable(*running))
            }
            Self::Value { hook, others } => {
                let name = hook.display_name();
                match others {
                    0 => write!(f, "the drop of the value of `{name}`"),
                    1 => write!(f, "the value of `{name}`, which 1 other still holds"),
                    others => write!(f, "the value of `{name}`, which {others} others still hold"),
                }
            }
        }
    }
}

/// Writes these of `count` requests, each behind the same word.
fn write_longest(
    f: &mut fmt::Formatter<'_>,
    count: usize,
    word: &str,
    longest: &[RequestInfo],
) -> fmt::Result {
    for (place, request) in longest.iter().enumerate() {
        let separator = if place == 0 { "" } else { ", " };
        write!(f, "{separator}{word}{request}")?;
    }
    if count > longest.len() { f.write_str(", …") } else { Ok(()) }
}
