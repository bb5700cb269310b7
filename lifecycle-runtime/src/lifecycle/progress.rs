//! Reports of what a run waits for, and of what is not well with its servers.

use std::convert::Infallible;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use super::run::Run;
use crate::event::{Event, Events};
use crate::hook::state::State;
use crate::hook::stop::{hurried, late_signal};
use crate::server::Obstacle;

/// Times between two reports of what a start, and what a stop, waits for.
const START_REPORT_INTERVAL: Duration = Duration::from_secs(5);
const STOP_REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// Time for which a server that could not accept connections has to have accepted them to be well
/// again.
const RECOVERED: Duration = Duration::from_secs(1);

impl Run {
    /// Tells of what takes long, and that it is hurried.
    pub(super) async fn narrate(&self) -> Infallible {
        let (mut asked, mut signals) = (self.handle.asked(), self.handle.asked());
        let mut progress = self.progress.subscribe();
        let (mut told, mut repeated) = (false, false);
        loop {
            let state = progress.borrow_and_update().state;
            let pause = match state {
                State::Starting => sleep(START_REPORT_INTERVAL),
                State::Ready => sleep(Duration::MAX),
                _ => sleep(STOP_REPORT_INTERVAL),
            };
            tokio::select! {
                Ok(()) = progress.changed() => {}
                () = hurried(&mut asked), if !told => {
                    told = true;
                    self.events.emit(&Event::Hurried);
                }
                (signal, is_hurried) = late_signal(&mut signals), if !repeated => {
                    repeated = true;
                    self.events.emit(&Event::StopRepeated { signal, is_hurried });
                }
                () = pause => {
                    let on = self.live.waits();
                    if !on.is_empty() {
                        self.events.emit(&Event::Waiting { on });
                    }
                }
            }
        }
    }
}

/// Reports that a server can't accept connections, and that it can again. One that can now and then
/// is reported once.
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
