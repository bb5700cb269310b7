//! End of a successor's start: it takes over from its predecessor.

use super::phases::RunPhases;
use super::run::Run;
use super::succession::Succession;
#[cfg(unix)]
use crate::event::Event;
use crate::hook::stop::StopCause;
#[cfg(unix)]
use crate::hook::stop::stop_asked;
#[cfg(unix)]
use crate::process::upgrade::SuccessorMessage;

impl RunPhases<'_> {
    /// Tells the predecessor, if there is one, that everything has started, and waits until it lets
    /// this process take over. Returns the cause of a stop that is asked for meanwhile.
    pub(super) async fn wait_for_predecessor(&self) -> Option<StopCause> {
        #[cfg(unix)]
        if let Some(predecessor) = self.run.succession.predecessor() {
            predecessor.tell_ready();
            let mut asked = self.run.handle.asked();
            return tokio::select! {
                biased;
                cause = stop_asked(&mut asked) => Some(cause),
                () = predecessor.lets_take_over() => None,
            };
        }
        None
    }

    /// Takes over from the predecessor, if there is one: connections are accepted from now on.
    pub(super) fn take_over(&self) {
        #[cfg(unix)]
        if let Some(predecessor) = self.run.succession.predecessor() {
            self.run.succession.handover.take_over();
            self.run.show_pid_file();
            predecessor.tell(&SuccessorMessage::Serving);
            self.run.engine.events.emit(&Event::TookOver { predecessor: predecessor.id });
        }
    }
}

impl Run {
    /// Gives the run its place among processes that take over from each other.
    pub(super) fn succeeds(&mut self, succession: Succession) {
        self.app_context.handover = succession.handover.clone();
        self.succession = succession;
    }

    /// Gives the PID file its name, and says so if that fails: it is too late for anything else.
    #[cfg(unix)]
    fn show_pid_file(&self) {
        if let Some(file) = self.succession.pid_file()
            && let Err(error) = file.show()
        {
            let path = file.path().display();
            self.console.complain(&format!("the PID file {path} can't be written: {error}"));
        }
    }
}
