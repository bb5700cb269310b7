//! Lines on their way to an output that may not take them.
//!
//! A line is written at once, on the thread that says it, where that can't block: then it is out
//! before what it tells of begins, even if that ends the process. What can't be written waits for a
//! thread of its own, in the order in which it was said, and as much as has room.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::hook::task::thread;

/// Limit of the bytes that wait. Where there are more, the oldest lines are left out, and their
/// number is written instead.
const ROOM: usize = 256 * 1024;

/// Longest line, in bytes; the rest is left out.
const LONGEST: usize = 16 * 1024;

/// Number of bytes that the system takes in one piece or not at all (POSIX: `PIPE_BUF`).
pub(super) const PIECE: usize = if cfg!(target_os = "linux") { 4096 } else { 512 };

/// Longest wait until an output that can't tell whether it would block has taken a line. One that
/// takes longer is not waited for again before it has caught up.
const PATIENCE: Duration = Duration::from_millis(100);

/// Destination of lines.
pub(super) trait LineOutput: Send + Sync + 'static {
    /// Writes as much of this as doesn't block. Returns the number of bytes that are written, or
    /// lost for good.
    fn write_now(&self, text: &[u8]) -> usize;

    /// Writes this, and waits for as long as that takes.
    fn write(&self, text: &[u8]);

    /// Returns whether it is worth waiting for what can't be written at once.
    fn is_awaited(&self) -> bool;
}

/// Writer of lines, and of what is left out of them.
pub(super) struct LineWriter {
    shared: Arc<LineWriterInner>,
}

struct LineWriterInner {
    queue: Mutex<Queue>,
    changed: Condvar,
    output: Box<dyn LineOutput>,
}

/// Queue of what waits to be written.
#[derive(Default)]
struct Queue {
    /// Rest of an entry whose beginning is written. It comes before all others, and is never left
    /// out.
    begun: Option<Vec<u8>>,
    entries: VecDeque<Vec<u8>>,
    bytes: usize,
    /// The lines that were left out before the first entry.
    left_out: u64,
    /// Set while a thread writes entries that it has taken.
    is_writing: bool,
    /// The entries that were ever put in here, and those that are done with.
    said: u64,
    done: u64,
    /// Those who wait for a change.
    waiting: usize,
    /// Set once the output has kept a caller waiting for longer than `PATIENCE`.
    is_slow: bool,
    is_last: bool,
}

impl LineWriter {
    /// Makes a writer and its thread, which ends with it. Without a thread there is no more than
    /// what can be written at once: the run goes on.
    pub(super) fn new(output: impl LineOutput) -> Self {
        let output = Box::new(output);
        let shared =
            Arc::new(LineWriterInner { queue: Mutex::default(), changed: Condvar::new(), output });
        let written = Arc::clone(&shared);
        let _ = thread("lifecycle-console", move || written.write_what_waits());
        Self { shared }
    }

    /// Writes whole lines, or has them wait.
    pub(super) fn write(&self, text: String) {
        if text.len() <= PIECE {
            return self.shared.enter(text.into_bytes());
        }
        for line in text.lines() {
            self.shared.enter((shortened(line) + "\n").into_bytes());
        }
    }

    /// Waits until everything is written, but no longer than this.
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
            // What others have said meanwhile comes after it.
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

    /// Waits for something, but no longer than this.
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

    /// Writes what waits, until nothing comes any more.
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
            let (text, entries) = queue.take();
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

    /// Leaves out the oldest entries that there is no room for.
    fn make_room(&mut self) {
        while self.bytes > ROOM && self.entries.len() > 1 {
            let Some(entry) = self.entries.pop_front() else { return };
            self.bytes -= entry.len();
            self.left_out += entry.iter().filter(|byte| **byte == b'\n').map(|_| 1).sum::<u64>();
            self.done += 1;
        }
    }

    /// Takes everything out, with a line about what was left out. Returns the number of entries,
    /// too.
    fn take(&mut self) -> (Vec<u8>, u64) {
        let count = self.entries.len() + usize::from(self.begun.is_some());
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        let left_out = match std::mem::take(&mut self.left_out) {
            0 => String::new(),
            1 => "lifecycle: … 1 line left out\n".to_owned(),
            lines => format!("lifecycle: … {lines} lines left out\n"),
        };
        let mut text = self.begun.take().unwrap_or_default();
        text.extend(left_out.into_bytes());
        text.extend(self.entries.drain(..).flatten());
        self.bytes = 0;
        (text, count)
    }
}

/// Returns as much of a line as may be written.
fn shortened(line: &str) -> String {
    if line.len() <= LONGEST {
        return line.to_owned();
    }
    let end = line.floor_char_boundary(LONGEST);
    format!("{}… {} bytes left out", &line[..end], line.len() - end)
}
