//! Streams of an HTTP/2 connection that are open, and their requests.

use std::collections::{HashMap, VecDeque};

use foldhash::fast::RandomState;

use super::frames::{CONTINUATION, DATA, END_STREAM, Frame, HEADERS, RST_STREAM};

/// Table of the streams that the client has opened.
pub(super) struct Streams<T> {
    /// Streams that have not ended, with the response if the app has completed it.
    pub(super) open: HashMap<u32, Option<T>, RandomState>,
    /// Streams that have become no request yet, in their order.
    unclaimed: VecDeque<Unclaimed>,
    pub(super) highest: u32,
    /// Set once streams that the client opens no longer count.
    pub(super) is_closed: bool,
}

/// Stream that has become no request yet.
struct Unclaimed {
    stream: u32,
    /// Set once more than the stream's head has come.
    has_more: bool,
    /// Set once the stream is reset: by h2, because of its head or because of the frames behind, or
    /// by the client.
    was_reset: bool,
}

impl<T> Default for Streams<T> {
    fn default() -> Self {
        Self { open: HashMap::default(), unclaimed: VecDeque::new(), highest: 0, is_closed: false }
    }
}

impl<T> Streams<T> {
    /// Looks at a frame that has been read.
    pub(super) fn received(&mut self, frame: Frame) {
        match frame.kind {
            HEADERS if frame.stream > self.highest => {
                if self.is_closed {
                    return;
                }
                self.highest = frame.stream;
                self.open.insert(frame.stream, None);
                let stream = Unclaimed { stream: frame.stream, has_more: false, was_reset: false };
                self.unclaimed.push_back(stream);
            }
            RST_STREAM => {
                self.open.remove(&frame.stream);
                if let Ok(at) = self.find_unclaimed(frame.stream) {
                    self.unclaimed[at].was_reset = true;
                }
            }
            CONTINUATION => {}
            _ => {
                if let Ok(at) = self.find_unclaimed(frame.stream) {
                    self.unclaimed[at].has_more = true;
                }
            }
        }
    }

    fn find_unclaimed(&self, stream: u32) -> Result<usize, usize> {
        self.unclaimed.binary_search_by_key(&stream, |unclaimed| unclaimed.stream)
    }

    /// Looks at a frame that has been written, and returns the response that it ends.
    pub(super) fn sent(&mut self, frame: Frame) -> Option<T> {
        let ends = matches!(frame.kind, DATA | HEADERS) && frame.flags & END_STREAM != 0;
        if !ends && frame.kind != RST_STREAM {
            return None;
        }
        // h2 refuses a request without asking anybody if it is malformed, too large, or one too
        // many. A request that it resets because of its body is handed out all the same.
        if let Ok(refused) = self.find_unclaimed(frame.stream) {
            if !ends && self.unclaimed[refused].has_more {
                self.unclaimed[refused].was_reset = true;
            } else {
                self.unclaimed.remove(refused);
            }
        }
        self.open.remove(&frame.stream).flatten().filter(|_| ends)
    }

    /// Takes the stream of the next request. If h2 hands out requests whose streams are reset, they
    /// come first: `is_reset` returns whether the request's stream is reset. A request whose stream
    /// is may get that of another such request, as nothing tells which of them h2 hands out. It has
    /// no response that anybody waits for.
    pub(super) fn claim(&mut self, is_reset: impl FnOnce() -> bool) -> Option<u32> {
        if self.unclaimed.front()?.was_reset && !is_reset() {
            while self.unclaimed.front()?.was_reset {
                self.unclaimed.pop_front();
            }
        }
        self.unclaimed.pop_front().map(|unclaimed| unclaimed.stream)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Number of streams that would take minutes if ending one cost a look at each of the others.
    const STREAMS: u32 = 500_000;

    fn all() -> impl Iterator<Item = u32> {
        (0..STREAMS).map(|stream| 2 * stream + 1)
    }

    fn frame(kind: u8, flags: u8, stream: u32) -> Frame {
        Frame { kind, flags, stream }
    }

    fn with_all_claimed() -> Streams<u32> {
        let mut streams = Streams::default();
        for stream in all() {
            streams.received(frame(HEADERS, 0, stream));
            assert_eq!(streams.claim(|| false), Some(stream));
        }
        streams
    }

    #[test]
    fn streams_that_the_client_resets_end_in_linear_time() {
        let mut streams = with_all_claimed();

        for stream in all().collect::<Vec<_>>().into_iter().rev() {
            streams.received(frame(RST_STREAM, 0, stream));
        }

        assert!(streams.open.is_empty());
    }

    #[test]
    fn streams_that_a_response_completes_end_in_linear_time() {
        let mut streams = with_all_claimed();
        for stream in all() {
            streams.open.insert(stream, Some(stream));
        }

        for stream in all().collect::<Vec<_>>().into_iter().rev() {
            assert_eq!(streams.sent(frame(DATA, END_STREAM, stream)), Some(stream));
        }

        assert!(streams.open.is_empty());
    }

    #[test]
    fn requests_that_are_claimed_after_many_have_come_cost_linear_time() {
        let mut streams = Streams::<()>::default();
        for stream in all() {
            streams.received(frame(HEADERS, 0, stream));
            streams.received(frame(DATA, 0, stream));
        }

        for stream in all() {
            assert_eq!(streams.claim(|| false), Some(stream));
        }
    }
}
