//! Messages that are built in constants.

use super::Kind;

/// Message built in a constant, where `format!` can't be used. A text that doesn't fit is cut off.
pub(crate) struct Message {
    bytes: [u8; 512],
    len: usize,
}

impl Message {
    pub(super) const fn new() -> Self {
        Self { bytes: [0; 512], len: 0 }
    }

    pub(super) const fn text(mut self, text: &str) -> Self {
        let text = text.as_bytes();
        let mut i = 0;
        while i < text.len() && self.len < self.bytes.len() {
            self.bytes[self.len] = text[i];
            self.len += 1;
            i += 1;
        }
        self
    }

    pub(super) const fn hook(self, name: &str) -> Self {
        self.text("`").text(name).text("`")
    }

    pub(super) const fn kind(self, kind: Kind) -> Self {
        self.text("`#[").text(kind.attribute()).text("]`")
    }

    pub(super) const fn a(self, kind: Kind) -> Self {
        self.text(kind.article()).text(" ").kind(kind)
    }

    pub(super) const fn number(self, number: u32) -> Self {
        let mut digits = [0; 10];
        let mut at = digits.len();
        let mut rest = number;
        loop {
            at -= 1;
            #[allow(clippy::cast_possible_truncation, reason = "a digit")]
            {
                digits[at] = b'0' + (rest % 10) as u8;
            }
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        let (_, digits) = digits.split_at(at);
        match std::str::from_utf8(digits) {
            Ok(digits) => self.text(digits),
            Err(_) => self,
        }
    }

    pub(crate) const fn as_str(&self) -> &str {
        let (text, _) = self.bytes.split_at(self.len);
        match std::str::from_utf8(text) {
            Ok(text) => text,
            Err(_) => "the hook's dependencies contradict each other",
        }
    }
}
