//! The time, as a dependency: a test has one that it can turn.

use jiff::Timestamp;
use lifecycle_runtime::on_startup;

/// Tells the time.
pub trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;
}

struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// The system's time.
#[on_startup]
pub fn clock() -> Box<dyn Clock> {
    Box::new(SystemClock)
}
