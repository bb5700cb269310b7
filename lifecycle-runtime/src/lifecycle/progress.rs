//! Reports of a run's progress: the hooks that it waits for, and the obstacles of its servers.

use std::convert::Infallible;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use super::run::Run;
use crate::event::{Event, Events};
use crate::hook::state::State;
use crate::hook::stop::{hurried, late_signal};
use crate::server::Obstacle;

/// Time between two reports of the hooks that a start waits for. Nothing but these lines depends on
/// it.
const START_REPORT_INTERVAL: Duration = Duration::from_secs(5);

/// Time between two reports of the hooks that a stop waits for. Nothing but these lines depends on
/// it.
const STOP_REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// Time for which a server has to accept connections before its obstacle counts as gone. If it were
/// shorter, a server that is short of descriptors would report both again and again. Nothing but
/// these lines depends on it.
const RECOVERED: Duration = Duration::from_secs(1);

impl Run {
    /// Emits events about hooks that take long, about a hurried stop, and about a signal that is
    /// repeated.
    pub(super) async fn report_progress(&self) -> Infallible {
        let (mut asked, mut signals) = (self.handle.asked(), self.handle.asked());
        let mut progress = self.progress.subscribe();
        let mut is_hurry_reported = false;
        let mut is_repeat_reported = false;
        loop {
            let state = progress.borrow_and_update().state;
            let pause = match state {
                State::Starting => sleep(START_REPORT_INTERVAL),
                State::Ready => sleep(Duration::MAX),
                _ => sleep(STOP_REPORT_INTERVAL),
            };
            tokio::select! {
                Ok(()) = progress.changed() => {}
                () = hurried(&mut asked), if !is_hurry_reported => {
                    is_hurry_reported = true;
                    self.engine.events.emit(&Event::Hurried);
                }
                (signal, is_hurried) = late_signal(&mut signals), if !is_repeat_reported => {
                    is_repeat_reported = true;
                    self.engine.events.emit(&Event::StopRepeated { signal, is_hurried });
                }
                () = pause => self.emit_waits(),
            }
        }
    }

    /// Emits events about everything that the end of a stop waits for.
    pub(super) async fn report_waits(&self) -> Infallible {
        loop {
            sleep(STOP_REPORT_INTERVAL).await;
            self.emit_waits();
        }
    }

    fn emit_waits(&self) {
        let on = self.live.waits();
        if !on.is_empty() {
            self.engine.events.emit(&Event::Waiting { on });
        }
    }
}

/// Emits an event when a server can't accept connections, and another when it can again. An
/// obstacle that comes and goes is reported once.
pub(super) async fn report_obstacles(
    events: &Events,
    mut obstacle: watch::Receiver<Option<Obstacle>>,
) {
    loop {
        let Ok(found) = obstacle.wait_for(Option::is_some).await.map(|found| found.clone()) else {
            return;
        };
        let Some(Obstacle { error, since }) = found else { return };
        events.emit(&Event::AcceptFailed { error });
        let after = loop {
            if obstacle.wait_for(Option::is_none).await.is_err() {
                return;
            }
            let after = since.elapsed();
            if tokio::time::timeout(RECOVERED, obstacle.wait_for(Option::is_some)).await.is_err() {
                break after;
            }
        };
        events.emit(&Event::AcceptRecovered { after });
    }
}
