//! Successor of this process: how it is started, and how its end is told.

use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{io, thread};

use command_fds::{CommandFdExt, FdMapping};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::name::{CHANNEL, ListenerName};
use super::program::Program;

/// Number of the first descriptor that the successor is handed, as in `sd_listen_fds(3)`.
const FIRST: i32 = 3;

/// Time between two looks at whether the successor has ended.
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);

/// Variables that would tell the successor something about its predecessor as if it were its own.
const OF_PREDECESSOR: [&str; 3] = ["LISTEN_PID", "LISTEN_FDS_FIRST_FD", "WATCHDOG_PID"];

/// Listener that a successor is handed.
pub(crate) struct HandedListener {
    pub(crate) name: ListenerName,
    pub(crate) socket: OwnedFd,
}

/// Starts the program again, with these listeners and this end of the channel.
///
/// # Errors
///
/// The system's error: there is no such file, or nothing that can be executed, or no descriptor.
fn start(program: &Program, listeners: Vec<HandedListener>, channel: OwnedFd) -> io::Result<Child> {
    let names = listeners.iter().map(|listener| listener.name.to_string());
    let names: Vec<_> = names.chain([CHANNEL.to_owned()]).collect();
    let sockets = listeners.into_iter().map(|listener| listener.socket).chain([channel]);
    let mappings = (FIRST..).zip(sockets);
    let mappings = mappings.map(|(child_fd, parent_fd)| FdMapping { parent_fd, child_fd });
    let mut command = Command::new(&program.path);
    if let Some((name, arguments)) = program.arguments.split_first() {
        command.arg0(name).args(arguments);
    }
    if let Some(folder) = &program.folder {
        command.current_dir(folder);
    }
    for variable in OF_PREDECESSOR {
        command.env_remove(variable);
    }
    command.env("LISTEN_FDS", names.len().to_string()).env("LISTEN_FDNAMES", names.join(":"));
    command.fd_mappings(mappings.collect()).map_err(io::Error::other)?;
    // The descriptors are closed here with the command, so that the channel ends with the
    // successor.
    command.spawn()
}

/// Successor of this process. Clones stand for the same process.
#[derive(Clone, Default)]
pub(super) struct Successor(Arc<Mutex<SuccessorProcess>>);

/// Process of a successor. Its id is another's once it has been reaped.
#[derive(Default)]
enum SuccessorProcess {
    #[default]
    NotStarted,
    Runs(Child),
    Ended(ExitStatus),
}

impl Successor {
    /// Starts it, and returns its process id.
    ///
    /// # Errors
    ///
    /// The system's error.
    pub(super) fn start(
        &self,
        program: &Program,
        listeners: Vec<HandedListener>,
        channel: OwnedFd,
    ) -> io::Result<u32> {
        let child = start(program, listeners, channel)?;
        let id = child.id();
        *self.process() = SuccessorProcess::Runs(child);
        Ok(id)
    }

    /// Returns whether it has been started.
    pub(super) fn is_started(&self) -> bool {
        !matches!(*self.process(), SuccessorProcess::NotStarted)
    }

    /// Returns its exit status if it has ended, and reaps it then.
    pub(super) fn status(&self) -> Option<ExitStatus> {
        let mut process = self.process();
        if let SuccessorProcess::Runs(child) = &mut *process
            && let Ok(Some(status)) = child.try_wait()
        {
            *process = SuccessorProcess::Ended(status);
        }
        match &*process {
            SuccessorProcess::Ended(status) => Some(*status),
            SuccessorProcess::NotStarted | SuccessorProcess::Runs(_) => None,
        }
    }

    /// Waits until it has ended, for this time at most, and returns its exit status.
    pub(super) fn ended_within(&self, limit: Duration) -> Option<ExitStatus> {
        let until = Instant::now() + limit;
        loop {
            let status = self.status();
            if status.is_some() || Instant::now() >= until {
                return status;
            }
            thread::sleep(BETWEEN_LOOKS);
        }
    }

    /// Asks it to end, by SIGTERM.
    pub(super) fn terminate(&self) {
        if let SuccessorProcess::Runs(child) = &*self.process()
            && let Ok(id) = child.id().try_into()
        {
            let _ = kill(Pid::from_raw(id), Signal::SIGTERM);
        }
    }

    /// Kills it.
    pub(super) fn kill(&self) {
        if let SuccessorProcess::Runs(child) = &mut *self.process() {
            let _ = child.kill();
        }
    }

    /// Waits for its end, however long that takes, and reaps it.
    pub(super) fn reap(&self) {
        // Nobody signals it any more, so nobody needs to know whether it runs.
        let process = std::mem::take(&mut *self.process());
        if let SuccessorProcess::Runs(mut child) = process {
            let _ = child.wait();
        }
    }

    fn process(&self) -> MutexGuard<'_, SuccessorProcess> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
