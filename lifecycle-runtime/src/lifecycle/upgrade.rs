//! Upgrades in place: requests for them, and their results.

use std::convert::Infallible;
use std::future::pending;

use tokio::sync::mpsc::UnboundedReceiver;

use super::run::Run;
use crate::event::{Event, UpgradeError};
use crate::hook::state::State;
#[cfg(unix)]
use crate::hook::stop::stop_asked;
use crate::hook::stop::{StopCause, UpgradeRequest, UpgradeResult};
#[cfg(unix)]
use crate::process::upgrade::{Launch, StartedProgram, UpgradeAttempt, UpgradeLimits};

/// Requests for upgrades that a run gets.
type UpgradeRequests = UnboundedReceiver<UpgradeRequest>;

impl Run {
    /// Answers requests for upgrades, one upgrade at a time, until the run is over.
    pub(super) async fn answer_upgrades(&self) -> Infallible {
        if let Some(mut requests) = self.handle.take_upgrade_requests() {
            while let Some(request) = requests.recv().await {
                let result = match self.refusal() {
                    Some(error) => Err(error),
                    None => self.upgrade(&mut requests).await,
                };
                if let Ok(successor) = result {
                    self.leave_to(successor);
                }
                self.answer(request, result);
            }
        }
        pending().await
    }

    /// Returns the reason for which an upgrade can't begin; `None` if it can.
    fn refusal(&self) -> Option<UpgradeError> {
        let state = self.progress.borrow().state;
        match state {
            _ if !self.switches.can_upgrade => Some(UpgradeError::Unsupported),
            State::Ready if self.handle.cause().is_some() => {
                Some(UpgradeError::NotReady { state: State::Draining })
            }
            State::Ready if std::process::id() == 1 => Some(UpgradeError::FirstProcess),
            State::Ready => None,
            state => Some(UpgradeError::NotReady { state }),
        }
    }

    /// Starts a successor, and waits until it has taken over. Other requests are refused meanwhile.
    #[cfg(unix)]
    async fn upgrade(&self, requests: &mut UpgradeRequests) -> UpgradeResult {
        let mut attempt = self.begin_upgrade()?;
        let mut asked = self.handle.asked();
        loop {
            tokio::select! {
                biased;
                result = attempt.ended() => {
                    if result.is_ok() {
                        self.succession.keep(attempt);
                    }
                    return result;
                }
                // The successor ends with the attempt.
                _ = stop_asked(&mut asked) => return Err(UpgradeError::Stopped),
                Some(request) = requests.recv() => {
                    self.answer(request, Err(UpgradeError::UnderWay));
                }
            }
        }
    }

    #[cfg(not(unix))]
    async fn upgrade(&self, _requests: &mut UpgradeRequests) -> UpgradeResult {
        Err(UpgradeError::Unsupported)
    }

    #[cfg(unix)]
    fn begin_upgrade(&self) -> Result<UpgradeAttempt, UpgradeError> {
        let program = StartedProgram::of_process();
        self.engine.events.emit(&Event::UpgradeBegun { program: program.path.clone() });
        let limits =
            UpgradeLimits { first_message: self.config.startup_timeout, grace: self.config.grace };
        let (launch, handle) = (self.launch(), self.handle.clone());
        let attempt = self.app_context.handover.duplicates().and_then(|listeners| {
            let may_take_over = move || handle.cause().is_none();
            UpgradeAttempt::begin(program, listeners, launch, limits, may_take_over)
        });
        attempt.map_err(|error| {
            let (program, error) = (program.path.clone(), error.to_string());
            UpgradeError::NotStarted { program, error }
        })
    }

    /// Returns the manner in which the successor is started. Only of its own child does a service
    /// manager know that it has to wait for it.
    #[cfg(unix)]
    fn launch(&self) -> Launch {
        if cfg!(not(target_os = "linux")) || !self.app_context.notifier.is_some() {
            return Launch::Direct;
        }
        Launch::detached().unwrap_or_else(|reason| {
            self.console.complain(&format!(
                "{reason}: after this upgrade, a stop by the service manager does not wait for \
                 requests; install util-linux, or restart instead"
            ));
            Launch::Direct
        })
    }

    /// Stops, and leaves the listeners to the successor, which accepts connections already. Whoever
    /// follows this process, such as systemd, has to follow the successor from here on.
    fn leave_to(&self, successor: u32) {
        // Before the stop, which is none of the service's.
        self.app_context.notifier.main_process(successor);
        // The end of the acceptors, which follows, would be another cause.
        self.handle.ask(StopCause::Upgraded { successor });
        self.app_context.handover.leave();
        self.engine.events.emit(&Event::Upgraded { successor });
    }

    fn answer(&self, request: UpgradeRequest, result: UpgradeResult) {
        if let Err(error) = &result {
            self.engine.events.emit(&Event::UpgradeFailed { error: error.clone() });
        }
        request.answer(result);
    }
}
