//! Live lines: what a start or a stop is doing, at the bottom of a terminal, for as long as it
//! takes.
//!
//! The program writes to the same terminal, by handles that this crate does not see. So nothing
//! here may depend on where the last frame has left the cursor: what moves the cursor up and erases
//! what it has drawn, as `indicatif` does, erases output that came in between. Instead the lines
//! have rows of their own, below the scroll region of the terminal (DECSTBM), as `apt` does it for
//! the same reason. Whatever anybody writes scrolls above them, and goes into the terminal's
//! history. The console's own lines are written as ever, so that what remains is what a terminal
//! without live lines has.
//!
//! A frame is one write, which the system does not mix with others, and terminals that can show it
//! as one (synchronized output). It is written by a thread of its own, at most ten times a second,
//! and never while the terminal takes nothing. The rows are given back when the start or the stop
//! is over, and at a forced exit. SIGKILL, `abort` and `std::process::exit` leave them as they are,
//! until something sets the terminal up, as `reset` does.
//!
//! Of several runs on one terminal, as in a pipeline, one has live lines at a time.
//!
//! Nothing tells that the terminal has another size, or that the process was suspended (`^Z`) and
//! others have used it: each frame asks for the size and looks at the clock. If something has
//! changed, everything below the cursor is erased, and the rows are taken anew. Until the next
//! frame, a tenth of a second at most, the old ones may scroll up with the output. In the
//! background nothing is written: the rows are lost, and taken anew in the foreground.

mod fit;
mod frame;
mod screen;
mod terminal;
mod wait_line;

use std::env;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::hook::state::State;
use crate::hook::task::thread;
use crate::observe::live::LiveProgress;
use screen::{Screen, Size};
use terminal::{TerminalAccess, TerminalLock};

/// Time that a start or a stop takes before the lines appear, so that short ones don't flash.
const DELAY: Duration = Duration::from_millis(250);

/// Time between two frames.
const INTERVAL: Duration = Duration::from_millis(100);

/// Time between two frames from which the process has been suspended, or the machine has been busy.
/// Others may have used the terminal meanwhile.
const SUSPENDED: Duration = Duration::from_secs(1);

/// Function that returns what a start or a stop is doing; `None` if the run does neither.
type Source = Box<dyn Fn() -> Option<LiveProgress> + Send>;

/// Switch of the live lines. Clones share it.
#[derive(Clone, Default)]
pub(super) struct LiveLines(Arc<LiveLinesInner>);

#[derive(Default)]
struct LiveLinesInner {
    wish: Mutex<Wish>,
    changed: Condvar,
}

/// State that the lines are to have.
#[derive(Default)]
struct Wish {
    /// Moment at which the start or the stop began that is to be shown.
    since: Option<Instant>,
    /// Set once something else shows the run.
    gives_way: bool,
    is_over: bool,
    /// Set while the terminal may have rows of ours.
    is_drawn: bool,
}

impl Wish {
    /// Returns the moment from which the lines are to be shown, if they are.
    fn shown_from(&self) -> Option<Instant> {
        let is_on = !self.gives_way && !self.is_over;
        self.since.filter(|_| is_on).map(|since| since + DELAY)
    }
}

impl LiveLines {
    /// Returns `true` unless the environment asks for plain lines: in CI, and on a terminal that
    /// says nothing about itself. Windows is left out, as its console needs to be set up.
    pub(super) fn are_wanted() -> bool {
        let value = |name| env::var_os(name).filter(|value| !value.is_empty());
        let is_ci = value("CI").is_some_and(|value| value != "false");
        cfg!(unix) && value("TERM").is_some() && !is_ci
    }

    /// Starts the thread that draws. If the system refuses it, there are no live lines.
    pub(super) fn start(&self, source: impl Fn() -> Option<LiveProgress> + Send + 'static) {
        let inner = Arc::clone(&self.0);
        let source: Source = Box::new(source);
        let _ = thread("lifecycle-live", move || inner.draw(&source));
    }

    /// Shows the lines in a state in which the run may take its time, and hides them once it is
    /// ready. After the last hook they stay for as long as there is something to show.
    pub(super) fn enter(&self, state: State) {
        self.change(|wish| match state {
            State::Starting | State::Draining | State::Stopping => {
                wish.since.get_or_insert_with(Instant::now);
            }
            State::Ready => wish.since = None,
            // Observers of events may hold the end up.
            State::Stopped => {}
        });
    }

    /// Hides the lines for good, as something else shows the run.
    pub(super) fn give_way(&self) {
        self.change(|wish| wish.gives_way = true);
    }

    /// Hides the lines and ends the thread.
    pub(super) fn end(&self) {
        self.change(|wish| wish.is_over = true);
    }

    /// Waits until the terminal has its rows back, but no longer than `at_most`.
    pub(super) fn hidden(&self, at_most: Duration) {
        let wish = self.0.lock();
        let waited = self.0.changed.wait_timeout_while(wish, at_most, |wish| wish.is_drawn);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    fn change(&self, change: impl FnOnce(&mut Wish)) {
        change(&mut self.0.lock());
        self.0.changed.notify_all();
    }
}

impl LiveLinesInner {
    fn lock(&self) -> MutexGuard<'_, Wish> {
        self.wish.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Draws the lines whenever they are to be shown, until they are over.
    fn draw(&self, source: &Source) {
        let mut drawing = Drawing::new();
        let mut wish = self.lock();
        loop {
            let pause = match wish.shown_from() {
                Some(from) => {
                    let pause = drawing.next_frame(from).saturating_duration_since(Instant::now());
                    if pause.is_zero() {
                        wish.is_drawn = true;
                        drop(wish);
                        drawing.draw(source);
                        wish = self.lock();
                    }
                    Some(pause)
                }
                None if drawing.screen.is_drawn() || drawing.screen.is_lost() => {
                    drop(wish);
                    drawing.hide();
                    wish = self.lock();
                    if wish.is_over {
                        drawing.screen = Screen::default();
                    }
                    // Nothing tells when the process is in the foreground again.
                    let is_lost = drawing.screen.is_lost();
                    Some(if is_lost { SUSPENDED } else { Duration::ZERO })
                }
                None if wish.is_over => return,
                None => None,
            };
            if wish.is_drawn != drawing.screen.is_drawn() {
                wish.is_drawn = drawing.screen.is_drawn();
                self.changed.notify_all();
            }
            wish = match pause {
                Some(Duration::ZERO) => wish,
                Some(pause) => {
                    self.changed.wait_timeout(wish, pause).unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(wish).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

/// Frames on the terminal, and their times.
struct Drawing {
    screen: Screen,
    /// Lock on the terminal, as long as there is a frame.
    lock: Option<TerminalLock>,
    /// Moment of the last frame, or of the last that could not be drawn.
    last: Option<Instant>,
}

impl Drawing {
    fn new() -> Self {
        Self { screen: Screen::default(), lock: None, last: None }
    }

    /// Returns the moment of the next frame of lines that are shown from a moment on.
    fn next_frame(&self, from: Instant) -> Instant {
        self.last.map_or(from, |last| from.max(last + INTERVAL))
    }

    /// Draws a frame, if the terminal is ours now and takes it.
    fn draw(&mut self, source: &Source) {
        let is_stale = self.last.is_some_and(|last| last.elapsed() >= SUSPENDED);
        self.last = Some(Instant::now());
        let access = terminal::access();
        if access == TerminalAccess::Background {
            return self.lose();
        }
        if !terminal::accepts() {
            return;
        }
        let TerminalAccess::Foreground(size) = access else { return self.erase(None) };
        // The lock is not held for nothing: another program may have something to show.
        let Some(progress) = source() else { return self.erase(Some(size)) };
        if self.lock.is_none() {
            self.lock = TerminalLock::take();
        }
        if self.lock.is_some() {
            // A blank row sets them off from the output.
            let mut lines = frame::lines(&progress, size);
            lines.insert(0, String::new());
            terminal::write(&self.screen.draw(size, &lines, is_stale));
        }
    }

    /// Gives the rows back; in the background it leaves them as they are.
    fn hide(&mut self) {
        match terminal::access() {
            TerminalAccess::Foreground(size) => self.erase(Some(size)),
            TerminalAccess::TooSmall => self.erase(None),
            TerminalAccess::Background => self.lose(),
        }
    }

    /// Leaves the rows as they are, to those who use the terminal now.
    fn lose(&mut self) {
        self.screen.lose();
        self.lock = None;
    }

    /// Gives the rows back. If the terminal takes nothing, this waits for as long as the process
    /// lives.
    fn erase(&mut self, size: Option<Size>) {
        terminal::write(&self.screen.erase(size));
        self.lock = None;
    }
}
