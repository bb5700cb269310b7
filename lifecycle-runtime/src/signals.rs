//! Signals, heard on a thread of their own: a blocked async runtime doesn't keep them away.

use std::io;
#[cfg(unix)]
use std::thread::JoinHandle;

use crate::task::thread;

/// A signal that the process has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Signal {
    pub(crate) name: &'static str,
    pub(crate) number: i32,
    /// Whether it asks the process to stop.
    pub(crate) stops: bool,
}

/// Hears signals until it is dropped.
pub(crate) struct Signals {
    #[cfg(unix)]
    handle: signal_hook::iterator::Handle,
    #[cfg(unix)]
    thread: Option<JoinHandle<()>>,
}

#[cfg(unix)]
mod unix {
    use std::io;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, Mutex, OnceLock, PoisonError};

    use signal_hook::consts::{SIGINT, SIGQUIT, SIGTERM};
    use signal_hook::flag::register_conditional_default;
    use signal_hook::low_level::signal_name;

    use super::Signal;

    const STOPPING: [i32; 3] = [SIGTERM, SIGINT, SIGQUIT];

    /// Those that stop, and these.
    pub(super) fn signals(others: impl IntoIterator<Item = &'static str>) -> io::Result<Vec<Signal>> {
        let stopping =
            STOPPING.map(|number| Ok(Signal { name: signal_name(number).unwrap_or("?"), number, stops: true }));
        let others = others.into_iter().map(|name| {
            let number = (1..64).find(|&number| signal_name(number) == Some(name));
            let number = number.ok_or_else(|| io::Error::other(format!("there is no {name} on this system")))?;
            Ok(Signal { name, number, stops: false })
        });
        stopping.into_iter().chain(others).collect()
    }

    /// What a signal does belongs to the process and not to a run. Once a handler is installed the system's own action
    /// is gone for good, so it has to be imitated while nobody listens: Ctrl-C ends a process whose runs are over. For
    /// signals that don't stop it is not: one that comes a moment after the last hook must not spoil the exit code.
    struct Listeners {
        count: Mutex<usize>,
        idle: Arc<AtomicBool>,
    }

    fn listeners() -> io::Result<&'static Listeners> {
        static LISTENERS: OnceLock<Listeners> = OnceLock::new();
        if let Some(listeners) = LISTENERS.get() {
            return Ok(listeners);
        }
        let idle = Arc::new(AtomicBool::new(false));
        for signal in STOPPING {
            register_conditional_default(signal, Arc::clone(&idle))?;
        }
        Ok(LISTENERS.get_or_init(|| Listeners { count: Mutex::new(0), idle }))
    }

    pub(super) fn count(change: impl FnOnce(usize) -> usize) -> io::Result<()> {
        let listeners = listeners()?;
        let mut count = listeners.count.lock().unwrap_or_else(PoisonError::into_inner);
        *count = change(*count);
        listeners.idle.store(*count == 0, Ordering::SeqCst);
        Ok(())
    }
}

#[cfg(unix)]
impl Signals {
    /// Calls `on_signal` for SIGTERM, SIGINT, SIGQUIT, and the others of these names, one at a time.
    pub(crate) fn listen(
        others: impl IntoIterator<Item = &'static str>,
        on_signal: impl FnMut(Signal) + Send + 'static,
    ) -> io::Result<Self> {
        let heard = unix::signals(others)?;
        // Before: a signal that is heard must not do what the system would have it do, too.
        unix::count(|listeners| listeners + 1)?;
        let listening = Self::start(heard, on_signal);
        if listening.is_err() {
            unix::count(|listeners| listeners - 1)?;
        }
        listening
    }

    fn start(heard: Vec<Signal>, mut on_signal: impl FnMut(Signal) + Send + 'static) -> io::Result<Self> {
        let mut signals = signal_hook::iterator::Signals::new(heard.iter().map(|signal| signal.number))?;
        let handle = signals.handle();
        let hear = move || {
            for number in signals.forever() {
                if let Some(signal) = heard.iter().find(|signal| signal.number == number) {
                    on_signal(*signal);
                }
            }
        };
        let thread = thread("lifecycle-signals", hear)?;
        Ok(Self { handle, thread: Some(thread) })
    }
}

#[cfg(unix)]
impl Drop for Signals {
    fn drop(&mut self) {
        let _ = unix::count(|listeners| listeners - 1);
        self.handle.close();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(windows)]
impl Signals {
    /// Calls `on_signal` for Ctrl-C, Ctrl-Break, the closing of the console, log-off and shutdown, one at a time. There
    /// are no others.
    pub(crate) fn listen(
        _others: impl IntoIterator<Item = &'static str>,
        mut on_signal: impl FnMut(Signal) + Send + 'static,
    ) -> io::Result<Self> {
        use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close, ctrl_logoff, ctrl_shutdown};
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (mut c, mut r#break, mut close, mut logoff, mut shutdown) = runtime.block_on(async {
            io::Result::Ok((ctrl_c()?, ctrl_break()?, ctrl_close()?, ctrl_logoff()?, ctrl_shutdown()?))
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
                    on_signal(Signal { name, number: 2, stops: true });
                }
            });
        };
        // The thread ends with the process.
        thread("lifecycle-signals", hear)?;
        Ok(Self {})
    }
}

/// Ends the process at once: without exit handlers, which could hang as well.
pub(crate) fn exit_now(code: i32) -> ! {
    #[cfg(unix)]
    signal_hook::low_level::exit(code);
    #[cfg(not(unix))]
    std::process::exit(code);
}
