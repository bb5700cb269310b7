//! The time, as a dependency, so that a test can set it.

use jiff::Timestamp;
use lifecycle_runtime::on_startup;

/// Source of the current time.
pub trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;
}

struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// Returns the system's clock.
#[on_startup]
pub fn clock() -> Box<dyn Clock> {
    Box::new(SystemClock)
}
