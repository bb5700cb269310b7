//! What is spoken on a connection, as far as it matters to its end: how its client is told, without a response.

use actix_web::web::BytesMut;

use super::http2::Http2;
use super::websocket::WebSocket;

/// What is spoken, and what we have to say in between.
pub(super) struct Speech {
    language: Language,
    /// Frames of ours that have not been written.
    out: BytesMut,
}

pub(super) enum Language {
    Http1,
    Http2(Http2),
    WebSocket(WebSocket),
}

impl Speech {
    pub(super) fn new(language: Language) -> Self {
        Self { language, out: BytesMut::new() }
    }

    pub(super) fn language(&mut self) -> &mut Language {
        &mut self.language
    }

    /// Whether bytes have to be looked at: HTTP/1 has no place for a word of ours.
    pub(super) fn has_frames(&self) -> bool {
        !matches!(self.language, Language::Http1)
    }

    /// Tells the client that the connection ends, if there is a way that doesn't need a response. Whether there is
    /// something new to write.
    pub(super) fn tell(&mut self) -> bool {
        let had = self.out.len();
        match &mut self.language {
            Language::Http1 => {}
            Language::Http2(http2) => http2.tell(&mut self.out),
            Language::WebSocket(websocket) => websocket.close(&mut self.out),
        }
        self.out.len() > had
    }

    /// Tells the client, if there is a way, that whatever comes from now on is late. Whether there is something new to
    /// write.
    pub(super) fn tell_last(&mut self) -> bool {
        let had = self.out.len();
        match &mut self.language {
            Language::Http2(http2) => http2.tell_last(&mut self.out),
            Language::Http1 | Language::WebSocket(_) => {}
        }
        self.out.len() > had
    }

    /// Frames of ours, if there are any and they may be written now. Whoever writes them takes them out.
    pub(super) fn due(&mut self) -> Option<&mut BytesMut> {
        let is_between = match &self.language {
            Language::Http1 => false,
            Language::Http2(http2) => http2.is_between(),
            Language::WebSocket(websocket) => websocket.is_between(),
        };
        Some(&mut self.out).filter(|out| is_between && !out.is_empty())
    }

    /// How many of the bytes may be written before frames of ours; `None` if all, because there are none.
    pub(super) fn before_due(&self, bytes: &[u8]) -> Option<usize> {
        if self.out.is_empty() && !self.is_mute() {
            return None;
        }
        Some(match &self.language {
            Language::Http1 => bytes.len(),
            Language::Http2(http2) => http2.until_between(bytes),
            Language::WebSocket(websocket) => websocket.until_between(bytes),
        })
    }

    /// Whether nothing but frames of ours may be written, once the frame that is being written has ended.
    pub(super) fn is_mute(&self) -> bool {
        matches!(&self.language, Language::WebSocket(websocket) if websocket.is_closed())
    }

    /// Whether nothing more will be said, and all that was is written.
    pub(super) fn is_done(&self) -> bool {
        match &self.language {
            Language::Http2(http2) => http2.is_done() && self.out.is_empty(),
            Language::Http1 | Language::WebSocket(_) => false,
        }
    }

    /// Looks at bytes that have been written.
    pub(super) fn sent(&mut self, bytes: &[u8]) {
        match &mut self.language {
            Language::Http1 => {}
            Language::Http2(http2) => http2.sent(bytes, &mut self.out),
            Language::WebSocket(websocket) => websocket.sent(bytes),
        }
    }

    /// Looks at bytes that have been read.
    pub(super) fn received(&mut self, bytes: &[u8]) {
        match &mut self.language {
            Language::Http2(http2) => http2.received(bytes),
            Language::Http1 | Language::WebSocket(_) => {}
        }
    }

    /// Whether what is read may be an answer to us, and has to go through [`without_answer`](Self::without_answer).
    pub(super) fn expects_answer(&self) -> bool {
        match &self.language {
            Language::Http2(http2) => http2.expects_answer(),
            Language::Http1 | Language::WebSocket(_) => false,
        }
    }

    /// Looks at bytes that have been read, and returns those that are not for us.
    pub(super) fn without_answer(&mut self, bytes: &[u8]) -> BytesMut {
        match &mut self.language {
            Language::Http2(http2) => http2.without_answer(bytes, &mut self.out),
            Language::Http1 | Language::WebSocket(_) => bytes.into(),
        }
    }
}
