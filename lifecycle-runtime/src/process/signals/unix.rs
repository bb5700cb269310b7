//! Handlers that write to a pipe, and what reads from it.

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

/// Handle on what hears signals.
pub(super) struct Registration {
    handle: Handle,
    /// The end of the pipe that handlers write to.
    pipe: UnixStream,
    unblocked: Arc<Mutex<SigSet>>,
}

/// Installs handlers for the signals that stop, and returns what hears them. It is to run on a
/// thread of its own, until the registration is closed.
pub(super) fn listen(
    mut on_signal: impl FnMut(ReceivedSignal) + Send + 'static,
) -> io::Result<(Registration, impl FnOnce() + Send + 'static)> {
    let (read, write) = UnixStream::pair()?;
    let pipe = write.try_clone()?;
    pipe.set_nonblocking(true)?;
    let mut blocked = SigSet::empty();
    add(&mut blocked, stopping().iter().copied());
    // What arrives waits until its handlers are there. `signal-hook` passes what arrives while it
    // installs the first one to the handler before it, of which there is none. Most programs have
    // no other thread by now, which would not wait.
    let mask = blocked.thread_swap_mask(SigmaskHow::SIG_BLOCK);
    let counted = registered(read, write);
    let _ = mask.and_then(|mask| mask.thread_set_mask());
    let mut delivery = counted?;
    let unblocked = Arc::new(Mutex::new(blocked));
    let registration =
        Registration { handle: delivery.handle(), pipe, unblocked: Arc::clone(&unblocked) };
    let hear = move || {
        loop {
            // The process may have been started with them blocked. One thread that doesn't block
            // them is enough, and the others, from which children inherit, are left as they were
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

/// Has signals heard. Until the last step they have their default action, so that none is in vain.
fn registered(
    read: UnixStream,
    write: UnixStream,
) -> io::Result<SignalDelivery<UnixStream, SignalOnly>> {
    // In this order, in which handlers run: one that has woken the thread may be held up, and must
    // not find afterwards that nobody listens any more.
    listeners()?;
    let delivery = SignalDelivery::with_pipe(read, write, SignalOnly, stopping())?;
    count(|listeners| listeners + 1)?;
    Ok(delivery)
}

/// Returns whether nothing can be heard any more.
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
            // Not before it has a handler: one that waits would do what it does by default.
            add(&mut lock(&self.unblocked), [number]);
        }
        // A full pipe wakes the thread as well.
        let _ = (&self.pipe).write(&[0]);
        Ok(())
    }

    /// Ends the hearing of signals.
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

/// Count of the runs that hear signals, kept for the process: once a handler is installed the
/// system's own action is gone for good, so it has to be imitated while nobody listens: Ctrl-C ends
/// a process whose runs are over. For signals that don't stop it is not: one that comes a moment
/// after the last hook must not spoil the exit code.
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
