//! Writer of lines to an output that may not accept them.
//!
//! A line is written at once, on the thread that writes it, if that can't block: then it is visible
//! before the thread goes on, even if that ends the process. Other lines wait, in their order and
//! as far as there is room, for a thread that writes them.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::hook::task::thread;

/// Limit of the bytes that wait. Beyond it the oldest lines are left out, and their number is
/// written instead.
const ROOM: usize = 256 * 1024;

/// Longest line, in bytes; the rest is left out.
pub(super) const LONGEST: usize = 16 * 1024;

/// Number of bytes that the system accepts in one piece or not at all (POSIX: `PIPE_BUF`).
pub(super) const PIECE: usize = if cfg!(target_os = "linux") { 4096 } else { 512 };

/// Longest wait for an output that can't tell if it would block. After a line that takes longer,
/// the output is not waited for again before it has caught up: lines are written later then, and
/// none is lost.
const PATIENCE: Duration = Duration::from_millis(100);

/// Destination of lines.
pub(super) trait LineOutput: Send + Sync + 'static {
    /// Writes as much of a text as doesn't block. Returns the number of bytes that are written, or
    /// lost for good.
    fn write_now(&self, text: &[u8]) -> usize;

    /// Writes a text, and waits for as long as that takes.
    fn write(&self, text: &[u8]);

    /// Returns `true` if callers are to wait for a line that can't be written at once.
    fn is_awaited(&self) -> bool;
}

/// Writer of lines, which also writes the number of lines that were left out.
pub(super) struct LineWriter {
    shared: Arc<LineWriterInner>,
}

struct LineWriterInner {
    queue: Mutex<Queue>,
    changed: Condvar,
    output: Box<dyn LineOutput>,
    /// Function that returns the line about a number of lines that were left out.
    left_out: Box<dyn Fn(u64) -> String + Send + Sync>,
}

/// Queue of the lines that wait to be written.
#[derive(Default)]
struct Queue {
    /// Rest of an entry whose beginning is written. It precedes all others, and is never left out.
    begun: Option<Vec<u8>>,
    entries: VecDeque<Vec<u8>>,
    bytes: usize,
    /// Number of lines that were left out before the first entry.
    left_out: u64,
    /// Set while a thread writes entries that it has taken.
    is_writing: bool,
    /// Number of entries that were ever put in.
    said: u64,
    /// Number of entries that are written or left out.
    done: u64,
    /// Number of threads that wait for a change.
    waiting: usize,
    /// Set once the output has kept a caller waiting for longer than `PATIENCE`.
    is_slow: bool,
    is_last: bool,
}

impl LineWriter {
    /// Makes a writer and its thread, which ends with the writer. If the system refuses the thread,
    /// only lines that can be written at once are written: the run goes on.
    pub(super) fn new(
        output: impl LineOutput,
        left_out: impl Fn(u64) -> String + Send + Sync + 'static,
    ) -> Self {
        let shared = Arc::new(LineWriterInner {
            queue: Mutex::default(),
            changed: Condvar::new(),
            output: Box::new(output),
            left_out: Box::new(left_out),
        });
        let written = Arc::clone(&shared);
        let _ = thread("lifecycle-console", move || written.write_what_waits());
        Self { shared }
    }

    /// Writes whole lines, or puts them into the queue.
    pub(super) fn write(&self, text: String) {
        if text.len() <= PIECE {
            return self.shared.enter(text.into_bytes());
        }
        for line in text.lines() {
            self.shared.enter((shortened(line, LONGEST) + "\n").into_bytes());
        }
    }

    /// Waits until everything is written, but no longer than `at_most`.
    pub(super) fn flush(&self, at_most: Duration) {
        let queue = self.shared.lock();
        drop(self.shared.wait(queue, at_most, |queue| queue.done == queue.said));
    }
}

impl Drop for LineWriter {
    fn drop(&mut self) {
        self.shared.lock().is_last = true;
        self.shared.changed.notify_all();
    }
}

impl LineWriterInner {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, mut entry: Vec<u8>) {
        let mut queue = self.lock();
        queue.said += 1;
        let own = queue.said;
        if queue.is_empty() && !queue.is_writing {
            queue.is_writing = true;
            drop(queue);
            let written = self.output.write_now(&entry);
            queue = self.lock();
            queue.is_writing = false;
            if written >= entry.len() {
                queue.done += 1;
                if queue.waiting > 0 || !queue.is_empty() || queue.is_last {
                    self.changed.notify_all();
                }
                return;
            }
            // Lines that others have written meanwhile come after it.
            if written > 0 {
                entry.drain(..written);
                queue.begun = Some(entry);
            } else {
                queue.bytes += entry.len();
                queue.entries.push_front(entry);
            }
        } else {
            queue.bytes += entry.len();
            queue.entries.push_back(entry);
        }
        queue.make_room();
        self.changed.notify_all();
        if self.output.is_awaited() && !queue.is_slow {
            queue = self.wait(queue, PATIENCE, |queue| queue.done >= own);
            queue.is_slow = queue.done < own;
        }
    }

    /// Waits until `is_there` returns `true`, but no longer than `at_most`.
    fn wait<'q>(
        &'q self,
        mut queue: MutexGuard<'q, Queue>,
        at_most: Duration,
        is_there: impl Fn(&Queue) -> bool,
    ) -> MutexGuard<'q, Queue> {
        let until = Instant::now().checked_add(at_most);
        queue.waiting += 1;
        while !is_there(&queue) {
            let left = until
                .map_or(Duration::MAX, |until| until.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                break;
            }
            queue =
                self.changed.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        queue.waiting -= 1;
        queue
    }

    /// Writes the lines that wait, until the writer is dropped.
    fn write_what_waits(&self) {
        let mut queue = self.lock();
        loop {
            if queue.is_empty() || queue.is_writing {
                if queue.is_last && !queue.is_writing {
                    return;
                }
                queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let (text, entries) = queue.take(&self.left_out);
            queue.is_writing = true;
            drop(queue);
            self.output.write(&text);
            queue = self.lock();
            queue.is_writing = false;
            queue.done += entries;
            queue.is_slow &= !queue.is_empty();
            self.changed.notify_all();
        }
    }
}

impl Queue {
    fn is_empty(&self) -> bool {
        self.begun.is_none() && self.entries.is_empty()
    }

    /// Leaves out the oldest entries until the others fit.
    fn make_room(&mut self) {
        while self.bytes > ROOM && self.entries.len() > 1 {
            let Some(entry) = self.entries.pop_front() else { return };
            self.bytes -= entry.len();
            self.left_out += entry.iter().filter(|byte| **byte == b'\n').map(|_| 1).sum::<u64>();
            self.done += 1;
        }
    }

    /// Takes everything out, with a line about the lines that were left out, and returns it with
    /// the number of entries.
    fn take(&mut self, left_out: impl Fn(u64) -> String) -> (Vec<u8>, u64) {
        let count = self.entries.len() + usize::from(self.begun.is_some());
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        let left_out = match std::mem::take(&mut self.left_out) {
            0 => String::new(),
            lines => left_out(lines),
        };
        let mut text = self.begun.take().unwrap_or_default();
        text.extend(left_out.into_bytes());
        text.extend(self.entries.drain(..).flatten());
        self.bytes = 0;
        (text, count)
    }
}

/// Returns a text, or as much of it as fits into this number of bytes, and how much is left out.
pub(super) fn shortened(text: &str, longest: usize) -> String {
    if text.len() <= longest {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(longest);
    format!("{}… {} bytes left out", &text[..end], text.len() - end)
}
