//! Listener for signals, on a thread of its own, which no blocked async runtime holds up.

#[cfg(unix)]
mod unix;

use std::io;
#[cfg(unix)]
use std::thread::JoinHandle;

use crate::hook::task::thread;

/// A signal that the process has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReceivedSignal {
    pub(crate) name: &'static str,
    pub(crate) number: i32,
    /// Set if it asks the process to stop.
    pub(crate) stops: bool,
}

/// Listener for signals, until it is dropped.
pub(crate) struct Signals {
    #[cfg(unix)]
    registration: unix::Registration,
    #[cfg(unix)]
    thread: Option<JoinHandle<()>>,
}

#[cfg(unix)]
impl Signals {
    /// Calls `on_signal` for SIGTERM, SIGINT, SIGQUIT and, unless it was ignored at the start,
    /// SIGHUP, one at a time, on a thread of its own. A signal that arrives once its default action
    /// is gone is not lost, however long that thread takes to start.
    pub(crate) fn listen(
        on_signal: impl FnMut(ReceivedSignal) + Send + 'static,
    ) -> io::Result<Self> {
        let (registration, listener) = unix::listen(on_signal)?;
        let thread = match thread("lifecycle-signals", listener) {
            Ok(thread) => Some(thread),
            Err(error) => {
                registration.close();
                return Err(error);
            }
        };
        Ok(Self { registration, thread })
    }

    /// Has `on_signal` called for these signals, too.
    ///
    /// # Errors
    ///
    /// The system knows no signal of such a name, or refuses a handler for it.
    pub(crate) fn add(&self, names: impl IntoIterator<Item = &'static str>) -> io::Result<()> {
        self.registration.add(names)
    }
}

#[cfg(unix)]
impl Drop for Signals {
    fn drop(&mut self) {
        self.registration.close();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(windows)]
impl Signals {
    /// Calls `on_signal` for Ctrl-C, Ctrl-Break, the closing of the console, log-off and shutdown,
    /// one at a time.
    pub(crate) fn listen(
        mut on_signal: impl FnMut(ReceivedSignal) + Send + 'static,
    ) -> io::Result<Self> {
        use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close, ctrl_logoff, ctrl_shutdown};
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (mut c, mut r#break, mut close, mut logoff, mut shutdown) =
            runtime.block_on(async {
                io::Result::Ok((
                    ctrl_c()?,
                    ctrl_break()?,
                    ctrl_close()?,
                    ctrl_logoff()?,
                    ctrl_shutdown()?,
                ))
            })?;
        let hear = move || {
            runtime.block_on(async {
                loop {
                    let name = tokio::select! {
                        Some(()) = c.recv() => "Ctrl-C",
                        Some(()) = r#break.recv() => "Ctrl-Break",
                        Some(()) = close.recv() => "console close",
                        Some(()) = logoff.recv() => "log-off",
                        Some(()) = shutdown.recv() => "system shutdown",
                        else => return,
                    };
                    on_signal(ReceivedSignal { name, number: 2, stops: true });
                }
            });
        };
        // The thread ends with the process.
        thread("lifecycle-signals", hear)?;
        Ok(Self {})
    }

    /// Does nothing: Windows has no other signals.
    #[allow(clippy::unused_self, clippy::unnecessary_wraps, reason = "as on other systems")]
    pub(crate) fn add(&self, _names: impl IntoIterator<Item = &'static str>) -> io::Result<()> {
        Ok(())
    }
}

/// Ends the process at once: without exit handlers, which could hang as well.
pub(crate) fn exit_now(code: i32) -> ! {
    #[cfg(unix)]
    signal_hook::low_level::exit(code);
    #[cfg(not(unix))]
    std::process::exit(code);
}
