//! What `main` does in `ui/pass`: every hook of the program runs.

use std::process::ExitCode;
use std::time::Duration;

use lifecycle_runtime::event::{Event, Observer, State};
use lifecycle_runtime::{Lifecycle, StopHandle};

struct StopWhenReady(StopHandle);

impl Observer for StopWhenReady {
    fn on_event(&self, _at: Duration, event: &Event) {
        if matches!(event, Event::State(State::Ready)) {
            self.0.stop();
        }
    }
}

/// Starts, and stops once everything has started.
pub(crate) fn start_and_stop() -> ExitCode {
    let lifecycle = Lifecycle::new().console(false);
    let stop = StopWhenReady(lifecycle.stop_handle());
    lifecycle.observer(stop).run()
}
