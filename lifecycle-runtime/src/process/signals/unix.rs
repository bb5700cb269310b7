//! Signal handlers that write to a pipe, and the listener that reads from it.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use nix::sys::signal::{SigSet, SigmaskHow};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::flag::register_conditional_default;
use signal_hook::iterator::backend::{Handle, SignalDelivery};
use signal_hook::iterator::exfiltrator::SignalOnly;
use signal_hook::low_level::signal_name;

use super::ReceivedSignal;

const STOPPING: [i32; 4] = [SIGTERM, SIGINT, SIGQUIT, SIGHUP];

/// Returns the signals that stop this process: SIGHUP only if it was not started with that ignored,
/// as `nohup` does.
fn stopping() -> &'static [i32] {
    static STOPS: OnceLock<&[i32]> = OnceLock::new();
    STOPS.get_or_init(|| if is_ignored(SIGHUP) { &STOPPING[..3] } else { &STOPPING })
}

/// Returns whether this process ignores a signal; `false` where the system doesn't tell. See
/// `SigIgn` in proc(5).
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

/// Handle on the listener for signals.
pub(super) struct Registration {
    handle: Handle,
    /// End of the pipe that handlers write to.
    pipe: UnixStream,
    unblocked: Arc<Mutex<SigSet>>,
}

/// Installs handlers for the signals that stop. Returns their registration, and the listener, which
/// has to run on a thread of its own until the registration is closed.
pub(super) fn listen(
    mut on_signal: impl FnMut(ReceivedSignal) + Send + 'static,
) -> io::Result<(Registration, impl FnOnce() + Send + 'static)> {
    let (read, write) = UnixStream::pair()?;
    let pipe = write.try_clone()?;
    pipe.set_nonblocking(true)?;
    let mut blocked = SigSet::empty();
    add(&mut blocked, stopping().iter().copied());
    // Signals that arrive now wait until their handlers are there. `signal-hook` passes a signal
    // that arrives while it installs the first handler to the handler before it, and there is none.
    // A signal would not wait if another thread took it, but most programs have no other by now.
    let mask = blocked.thread_swap_mask(SigmaskHow::SIG_BLOCK);
    let counted = registered(read, write);
    let _ = mask.and_then(|mask| mask.thread_set_mask());
    let mut delivery = counted?;
    let unblocked = Arc::new(Mutex::new(blocked));
    let registration =
        Registration { handle: delivery.handle(), pipe, unblocked: Arc::clone(&unblocked) };
    let hear = move || {
        loop {
            // The process may have been started with these signals blocked. One thread that doesn't
            // block them is enough. The others, from which children inherit, are left as they were
            // meant to be.
            let _ = lock(&unblocked).thread_unblock();
            for number in delivery.pending() {
                let name = signal_name(number).unwrap_or("?");
                on_signal(ReceivedSignal { name, number, stops: stopping().contains(&number) });
            }
            if delivery.handle().is_closed() || is_lost(delivery.get_read_mut().read(&mut [0; 64]))
            {
                return;
            }
        }
    };
    Ok((registration, hear))
}

/// Registers the handlers. Until the last step the signals have their default action, so that none
/// is lost.
fn registered(
    read: UnixStream,
    write: UnixStream,
) -> io::Result<SignalDelivery<UnixStream, SignalOnly>> {
    // Handlers run in this order. The one that wakes the thread is the last: it may be held up
    // after that, and no handler behind it must find then that nobody listens any more.
    listeners()?;
    let delivery = SignalDelivery::with_pipe(read, write, SignalOnly, stopping())?;
    count(|listeners| listeners + 1)?;
    Ok(delivery)
}

/// Returns whether no signal can be received any more.
fn is_lost(read: io::Result<usize>) -> bool {
    read.is_err_and(|error| error.kind() != io::ErrorKind::Interrupted)
}

impl Registration {
    pub(super) fn add(&self, names: impl IntoIterator<Item = &'static str>) -> io::Result<()> {
        for name in names {
            let number = (1..64).find(|&number| signal_name(number) == Some(name));
            let number = number
                .ok_or_else(|| io::Error::other(format!("there is no {name} on this system")))?;
            self.handle.add_signal(number)?;
            // Not before it has a handler: a signal that waits would take its default action.
            add(&mut lock(&self.unblocked), [number]);
        }
        // A full pipe wakes the thread as well.
        let _ = (&self.pipe).write(&[0]);
        Ok(())
    }

    /// Ends the listener for signals.
    pub(super) fn close(&self) {
        let _ = count(|listeners| listeners - 1);
        self.handle.close();
    }
}

fn add(set: &mut SigSet, numbers: impl IntoIterator<Item = i32>) {
    let signals =
        numbers.into_iter().filter_map(|number| nix::sys::signal::Signal::try_from(number).ok());
    signals.for_each(|signal| set.add(signal));
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Count of the runs that listen for signals, kept for the process. Once a handler is installed,
/// the system's own action is gone for good, so the process imitates it while no run listens:
/// Ctrl-C ends a process whose runs are over. It doesn't imitate the action of signals that don't
/// stop: one that comes a moment after the last hook must not spoil the exit code.
struct Listeners {
    count: Mutex<usize>,
    idle: Arc<AtomicBool>,
}

fn listeners() -> io::Result<&'static Listeners> {
    static LISTENERS: OnceLock<Listeners> = OnceLock::new();
    if let Some(listeners) = LISTENERS.get() {
        return Ok(listeners);
    }
    let idle = Arc::new(AtomicBool::new(true));
    for &signal in stopping() {
        register_conditional_default(signal, Arc::clone(&idle))?;
    }
    Ok(LISTENERS.get_or_init(|| Listeners { count: Mutex::new(0), idle }))
}

fn count(change: impl FnOnce(usize) -> usize) -> io::Result<()> {
    let listeners = listeners()?;
    let mut count = lock(&listeners.count);
    *count = change(*count);
    listeners.idle.store(*count == 0, Ordering::SeqCst);
    Ok(())
}
