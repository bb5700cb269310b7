//! Notifications to the service manager, as in `sd_notify(3)`.
//!
//! systemd names a socket in `NOTIFY_SOCKET`, to which a service of `Type=notify` sends its state.
//! The crate `sd-notify` waits for as long as the service manager reads nothing, knows no abstract
//! names, and looks the socket up for each message. A run must wait for no service manager. So a
//! thread of its own sends here, without blocking, and keeps the latest state until it is sent.

mod queue;
#[cfg(all(test, target_os = "linux"))]
pub(crate) mod sample;
mod socket;
#[cfg(all(test, target_os = "linux"))]
mod tests;
mod variables;

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use socket2::Socket;

use crate::hook::task::thread;
use queue::{Notification, NotificationQueue, status_line};
use socket::{NotifySocket, monotonic_micros};
use variables::ManagerVariables;

/// Time between two attempts to send, if the first has failed.
const RETRY: Duration = Duration::from_millis(250);

/// Time for which the service manager may read nothing before a line on the console says so.
const UNREAD: Duration = Duration::from_secs(2);

/// Handle through which a run notifies the service manager that has started its process. Without
/// one it does nothing. Clones share a thread, which ends with the last of them.
#[derive(Clone, Default)]
pub(crate) struct Notifier {
    sender: Option<Arc<NotificationSender>>,
    watchdog: Option<Duration>,
    stores_listeners: bool,
    /// Mistakes in the service manager's variables.
    mistakes: Arc<[String]>,
}

struct NotificationSender {
    shared: Arc<NotificationSenderInner>,
}

struct NotificationSenderInner {
    state: Mutex<SenderState>,
    changed: Condvar,
    socket: NotifySocket,
}

/// Function that writes a line about something that went wrong.
type Complain = Box<dyn Fn(&str) + Send>;

/// State of the handles of a sender.
#[derive(Default, PartialEq, Eq)]
enum Handles {
    #[default]
    InUse,
    /// The service is another process's: handles do nothing any more.
    HandedOn,
    /// Nobody has a handle any more.
    Dropped,
}

#[derive(Default)]
struct SenderState {
    queue: NotificationQueue,
    /// Set if the last attempt to send has failed.
    is_stuck: bool,
    handles: Handles,
    /// Set if a line has said that the service manager can't be notified.
    has_complained: bool,
    /// Such a line, until there is a function that writes it.
    complaint: Option<String>,
    complain: Option<Complain>,
}

impl Notifier {
    /// Makes the notifier that the variables of this process ask for.
    ///
    /// # Errors
    ///
    /// Fails if the system refuses a thread.
    pub(crate) fn from_environment() -> io::Result<Self> {
        Self::of(&ManagerVariables::read())
    }

    fn of(variables: &ManagerVariables) -> io::Result<Self> {
        let Some(name) = &variables.socket else { return Ok(Self::default()) };
        let socket = match NotifySocket::new(name) {
            Ok(socket) => socket,
            Err(error) => {
                let name = name.to_string_lossy();
                let mistake =
                    format!("NOTIFY_SOCKET={name}: {error}; the service manager is not notified");
                return Ok(Self { mistakes: [mistake].into(), ..Self::default() });
            }
        };
        let watchdog = variables.watchdog(std::process::id());
        Ok(Self {
            sender: Some(Arc::new(NotificationSender::start(socket)?)),
            mistakes: watchdog.as_ref().err().cloned().into_iter().collect(),
            watchdog: watchdog.ok().flatten(),
            stores_listeners: variables.stores_descriptors(),
        })
    }

    /// Returns whether there is a service manager to notify.
    pub(crate) fn is_some(&self) -> bool {
        self.sender.is_some()
    }

    /// Returns the time within which the service manager expects the next
    /// [sign of life](Self::is_alive), if it expects any.
    pub(crate) fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// Returns whether the service manager keeps listeners for the next process.
    pub(crate) fn stores_listeners(&self) -> bool {
        self.stores_listeners
    }

    /// Calls this function with each mistake in the service manager's variables, and once if
    /// notifications can't be sent.
    pub(crate) fn complain_to(&self, complain: impl Fn(&str) + Send + 'static) {
        for mistake in &*self.mistakes {
            complain(mistake);
        }
        self.update(|state| {
            if let Some(complaint) = state.complaint.take() {
                complain(&complaint);
            }
            state.complain = Some(Box::new(complain));
        });
    }

    /// Notifies that the run is ready, or that a reload is over.
    pub(crate) fn ready(&self, status: &str) {
        self.change(format!("READY=1\n{}", status_line(status)));
    }

    /// Notifies that a reload begins. [`ready`](Self::ready) ends it.
    pub(crate) fn reloading(&self) {
        let now = monotonic_micros().map(|now| format!("MONOTONIC_USEC={now}\n"));
        let text = format!("RELOADING=1\n{}{}", now.unwrap_or_default(), status_line("reloading"));
        self.update(|state| state.queue.add_reload(text));
    }

    /// Notifies that the stop has begun, and asks for this time from now on.
    pub(crate) fn stopping(&self, status: &str, time: Duration) {
        let text = format!("STOPPING=1\n{}{}", status_line(status), queue::extension_line(time));
        self.change(text);
    }

    /// Notifies of the exit code that the process will have.
    pub(crate) fn ends(&self, exit_code: u8, status: &str) {
        self.change(format!("EXIT_STATUS={exit_code}\n{}", status_line(status)));
    }

    /// Names the process that is the service's main one from now on. Nothing else is sent from
    /// here: the end of this process is not that of the service.
    pub(crate) fn main_process(&self, pid: u32) {
        self.change(format!("MAINPID={pid}\n"));
        self.update(|state| state.handles = Handles::HandedOn);
    }

    /// Gives the service manager a listener to keep, under this name.
    pub(crate) fn store(&self, name: &str, listener: Socket) {
        let text = format!("FDSTORE=1\nFDNAME={name}\n");
        self.update(|state| state.queue.add(Notification { text, socket: Some(listener) }));
    }

    /// Has the service manager close the listeners that it keeps under this name.
    pub(crate) fn forget(&self, name: &str) {
        self.change(format!("FDSTOREREMOVE=1\nFDNAME={name}\n"));
    }

    /// Sets the text that the service manager shows for the state of the service.
    pub(crate) fn status(&self, status: &str) {
        self.update(|state| state.queue.set_status(status));
    }

    /// Asks for this time from now on, for a start, a reload or a stop that is under way.
    pub(crate) fn extend(&self, time: Duration) {
        self.update(|state| state.queue.set_extension(time));
    }

    /// Gives a sign of life.
    pub(crate) fn is_alive(&self) {
        self.update(|state| state.queue.set_alive());
    }

    /// Waits until everything is sent, but no longer than `at_most`, and not at all if the service
    /// manager doesn't read.
    pub(crate) fn flush(&self, at_most: Duration) {
        let Some(sender) = &self.sender else { return };
        let state = sender.shared.lock();
        let waits = |state: &mut SenderState| !state.queue.is_empty() && !state.is_stuck;
        drop(sender.shared.changed.wait_timeout_while(state, at_most, waits));
    }

    fn change(&self, text: String) {
        self.update(|state| state.queue.add(Notification { text, socket: None }));
    }

    fn update(&self, change: impl FnOnce(&mut SenderState)) {
        if let Some(sender) = &self.sender {
            let mut state = sender.shared.lock();
            if state.handles == Handles::InUse {
                change(&mut state);
                sender.shared.changed.notify_all();
            }
        }
    }
}

impl NotificationSender {
    fn start(socket: NotifySocket) -> io::Result<Self> {
        let shared = Arc::new(NotificationSenderInner {
            state: Mutex::default(),
            changed: Condvar::new(),
            socket,
        });
        let sends = Arc::clone(&shared);
        thread("lifecycle-notify", move || sends.send_what_waits())?;
        Ok(Self { shared })
    }
}

impl Drop for NotificationSender {
    fn drop(&mut self) {
        self.shared.lock().handles = Handles::Dropped;
        self.shared.changed.notify_all();
    }
}

impl NotificationSenderInner {
    fn lock(&self) -> MutexGuard<'_, SenderState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends what waits, until nobody has a handle any more and nothing more can be sent.
    fn send_what_waits(&self) {
        let mut state = self.lock();
        let mut failing_since = None;
        loop {
            // To send takes no time, so the lock is held meanwhile.
            let sent = state.queue.first().map(|(text, socket)| self.socket.send(&text, socket));
            let error = match sent {
                Some(Err(error)) => error,
                Some(Ok(())) => {
                    state.queue.sent();
                    state.is_stuck = false;
                    failing_since = None;
                    continue;
                }
                None => {
                    self.changed.notify_all();
                    if state.is_over() {
                        return;
                    }
                    let waits =
                        |state: &mut SenderState| state.queue.is_empty() && !state.is_over();
                    let waited = self.changed.wait_while(state, waits);
                    state = waited.unwrap_or_else(PoisonError::into_inner);
                    continue;
                }
            };
            state.is_stuck = true;
            self.changed.notify_all();
            if state.is_over() {
                return;
            }
            let since: Instant = *failing_since.get_or_insert_with(Instant::now);
            let is_full = error.kind() == io::ErrorKind::WouldBlock;
            if !is_full || since.elapsed() >= UNREAD {
                let why = if is_full { "it reads nothing".to_owned() } else { error.to_string() };
                let name = self.socket.name();
                state.complain(format!("can't notify the service manager ({name}): {why}"));
            }
            let waited = self.changed.wait_timeout_while(state, RETRY, |state| !state.is_over());
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl SenderState {
    /// Returns whether nobody has a handle any more.
    fn is_over(&self) -> bool {
        self.handles == Handles::Dropped
    }

    /// Complains, unless it has done so before.
    fn complain(&mut self, complaint: String) {
        if std::mem::replace(&mut self.has_complained, true) {
            return;
        }
        match &self.complain {
            Some(complain) => complain(&complaint),
            None => self.complaint = Some(complaint),
        }
    }
}
