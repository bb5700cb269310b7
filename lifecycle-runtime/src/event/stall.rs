//! Stalls: threads that run the program's code and no longer go on.

use std::fmt;

use serde::Serialize;

/// Part of a run that is stalled: none of its threads goes on.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(tag = "part", content = "of", rename_all = "snake_case")]
#[non_exhaustive]
pub enum StalledPart {
    /// An async runtime has polled nothing: code blocks all of its threads.
    Runtime(RuntimeName),
    /// All threads of a blocking pool are busy, so that work waits for one: a plain `fn` hook, a
    /// `spawn_blocking`, a `web::block` or an address lookup.
    BlockingPool(RuntimeName),
}

/// Async runtime of a run.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(tag = "runtime", rename_all = "snake_case")]
#[non_exhaustive]
pub enum RuntimeName {
    /// The runtime that hooks, services and health checks share.
    Hooks,
    /// The runtime of a worker of a server, which has one thread.
    #[non_exhaustive]
    Worker {
        /// Number of the worker, from 0: its thread is `http-worker-0`.
        number: usize,
        /// First address of its server, as a URL.
        url: String,
    },
}

impl fmt::Display for StalledPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Runtime(RuntimeName::Hooks) => f.write_str("the hooks' runtime"),
            Self::Runtime(worker) => write!(f, "{worker}"),
            Self::BlockingPool(RuntimeName::Hooks) => f.write_str("the hooks' blocking pool"),
            Self::BlockingPool(worker) => write!(f, "the blocking pool of {worker}"),
        }
    }
}

impl fmt::Display for RuntimeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hooks => f.write_str("the hooks' runtime"),
            Self::Worker { number, url } => write!(f, "worker {number} of {url}"),
        }
    }
}
