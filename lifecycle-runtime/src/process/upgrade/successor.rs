//! Successor of this process: how it is started, and how its end is told.

use std::ffi::OsString;
use std::fmt;
use std::os::fd::OwnedFd;
use std::process::{Child, ExitStatus};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{io, thread};

use command_fds::{CommandFdExt, FdMapping};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::launch::{Launch, leader_with_socket, wait_for_launcher};
use super::name::{CHANNEL, ListenerName};
use super::other_process::OtherProcess;
use super::program::StartedProgram;

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
fn start(
    program: &StartedProgram,
    listeners: Vec<HandedListener>,
    channel: OwnedFd,
    launch: &Launch,
) -> io::Result<Child> {
    let names = listeners.iter().map(|listener| listener.name.to_string());
    let names: Vec<_> = names.chain([CHANNEL.to_owned()]).collect();
    let sockets = listeners.into_iter().map(|listener| listener.socket).chain([channel]);
    let mappings = (FIRST..).zip(sockets);
    let mappings = mappings.map(|(child_fd, parent_fd)| FdMapping { parent_fd, child_fd });
    let name = program.arguments.first().map(OsString::as_os_str);
    let mut command = launch.command(&program.path, name)?;
    command.args(program.arguments.iter().skip(1));
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

/// Process of a successor.
#[derive(Default)]
enum SuccessorProcess {
    #[default]
    NotStarted,
    /// Child of this process. Its id is another's once it has been reaped.
    Child(Child),
    /// Child of the service manager, which reaps it; `None` until it is found.
    Detached(Option<OtherProcess>),
    Ended(SuccessorEnd),
}

/// End of a successor.
#[derive(Debug, Clone, Copy)]
pub(super) enum SuccessorEnd {
    /// End of a child.
    Reaped(ExitStatus),
    /// End of a child of the service manager.
    Detached,
}

impl fmt::Display for SuccessorEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reaped(status) => status.fmt(f),
            Self::Detached => f.write_str("only the service manager knows its exit status"),
        }
    }
}

impl Successor {
    /// Starts it.
    ///
    /// # Errors
    ///
    /// The system's error.
    pub(super) fn start(
        &self,
        program: &StartedProgram,
        listeners: Vec<HandedListener>,
        channel: OwnedFd,
        launch: &Launch,
    ) -> io::Result<()> {
        let child = start(program, listeners, channel, launch)?;
        let process = match launch {
            Launch::Direct => SuccessorProcess::Child(child),
            Launch::Detached { .. } => {
                wait_for_launcher(child)?;
                SuccessorProcess::Detached(None)
            }
        };
        *self.process() = process;
        Ok(())
    }

    /// Returns whether it has been started.
    pub(super) fn is_started(&self) -> bool {
        !matches!(*self.process(), SuccessorProcess::NotStarted)
    }

    /// Returns its process id, if that is known.
    pub(super) fn id(&self) -> Option<u32> {
        match &*self.process() {
            SuccessorProcess::Child(child) => Some(child.id()),
            SuccessorProcess::Detached(process) => process.as_ref().map(|process| process.id),
            SuccessorProcess::NotStarted | SuccessorProcess::Ended(_) => None,
        }
    }

    /// Looks for the process that has the socket with this inode open, unless it is known.
    pub(super) fn look_for(&self, socket: u64) {
        if self.id().is_none()
            && let Some(id) = leader_with_socket(socket)
        {
            self.identify(id);
        }
    }

    /// Begins to follow the process with this id, unless it is known.
    pub(super) fn identify(&self, id: u32) {
        if let SuccessorProcess::Detached(process @ None) = &mut *self.process() {
            *process = OtherProcess::open(id).ok();
        }
    }

    /// Returns its end if it has ended, and reaps a child then.
    pub(super) fn end(&self) -> Option<SuccessorEnd> {
        let mut process = self.process();
        let end = match &mut *process {
            SuccessorProcess::Child(child) => {
                child.try_wait().ok().flatten().map(SuccessorEnd::Reaped)
            }
            SuccessorProcess::Detached(Some(other)) => {
                other.ends_within(Duration::ZERO).then_some(SuccessorEnd::Detached)
            }
            SuccessorProcess::NotStarted | SuccessorProcess::Detached(None) => None,
            SuccessorProcess::Ended(end) => Some(*end),
        };
        if let Some(end) = end {
            *process = SuccessorProcess::Ended(end);
        }
        end
    }

    /// Waits until it has ended, for this time at most, and returns its end.
    pub(super) fn ended_within(&self, limit: Duration) -> Option<SuccessorEnd> {
        let until = Instant::now() + limit;
        loop {
            let end = self.end();
            if end.is_some() || Instant::now() >= until {
                return end;
            }
            thread::sleep(BETWEEN_LOOKS);
        }
    }

    /// Asks it to end, by SIGTERM.
    pub(super) fn terminate(&self) {
        match &*self.process() {
            SuccessorProcess::Child(child) => {
                if let Ok(id) = child.id().try_into() {
                    let _ = kill(Pid::from_raw(id), Signal::SIGTERM);
                }
            }
            SuccessorProcess::Detached(Some(process)) => process.terminate(),
            _ => {}
        }
    }

    /// Kills it.
    pub(super) fn kill(&self) {
        match &mut *self.process() {
            SuccessorProcess::Child(child) => {
                let _ = child.kill();
            }
            SuccessorProcess::Detached(Some(process)) => process.kill(),
            _ => {}
        }
    }

    /// Waits for its end, however long that takes, and reaps it if it is a child.
    pub(super) fn reap(&self) {
        // Nobody signals it any more, so nobody needs to know whether it runs.
        let process = std::mem::take(&mut *self.process());
        if let SuccessorProcess::Child(mut child) = process {
            let _ = child.wait();
        }
    }

    fn process(&self) -> MutexGuard<'_, SuccessorProcess> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
