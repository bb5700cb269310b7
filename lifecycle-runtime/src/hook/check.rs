//! What the compiler checks of one hook's metadata, in a constant beside the hook's registration.

use super::{Edges, HookMeta, Kind, Policy, RunHandle};

impl HookMeta {
    /// Every check. One that fails is a compile error at the caller's place.
    #[doc(hidden)]
    #[track_caller]
    pub const fn check(&self, edges: &Edges) {
        let mut i = 0;
        while i < edges.arguments.len() {
            let mut j = 0;
            while j < edges.arguments[i].len() {
                self.check_value(edges.arguments[i][j]);
                self.check_order(edges.arguments[i][j]);
                j += 1;
            }
            i += 1;
        }
        let mut i = 0;
        while i < edges.after.len() {
            self.check_after(edges.after[i]);
            self.check_order(edges.after[i]);
            i += 1;
        }
        let mut i = 0;
        while i < edges.before.len() {
            self.check_before(edges.before[i]);
            edges.before[i].check_order(self);
            i += 1;
        }
        if let Some(resource) = edges.of {
            self.check_teardown(resource);
        }
    }

    /// `Dep` takes the value of a startup hook: the others have none.
    #[track_caller]
    const fn check_value(&self, used: &Self) {
        if let Some(handle) = used.handle {
            if matches!(handle, RunHandle::Service) && !matches!(self.kind, Kind::Service) {
                let text =
                    Text::new().hook(self.name).text(" takes `Service`, but is ").a(self.kind);
                text.text(" hook: only a `#[service]` has one").fail();
            }
            return;
        }
        if !matches!(used.kind, Kind::Startup) {
            let text = Text::new()
                .hook(self.name)
                .text(" takes `Dep<")
                .text(used.name)
                .text(">`, but `")
                .text(used.name)
                .text("` is ")
                .a(used.kind)
                .text(" hook: only `#[on_startup]` hooks provide a value");
            if self.kind.may_need(used.kind) {
                text.text("; to be ordered behind it, use `after = [")
                    .text(used.name)
                    .text("]`")
                    .fail();
            } else {
                text.fail();
            }
        }
    }

    /// One phase of a run is over before the next begins: `after` orders hooks of one kind, and
    /// tells which startup hooks and services are used.
    #[track_caller]
    const fn check_after(&self, earlier: &Self) {
        if !self.kind.may_need(earlier.kind) {
            let mut text = Text::new()
                .hook(self.name)
                .text(" can't run after ")
                .hook(earlier.name)
                .text(", which is ")
                .a(earlier.kind)
                .text(" hook: `after` of ")
                .a(self.kind)
                .text(" hook names ");
            if self.kind.may_need(self.kind) && !self.kind.may_be_used() {
                text = text.text("such hooks, ");
            }
            text.kind(Kind::Startup).text(" hooks and services").fail();
        }
        self.check_signal(earlier);
    }

    /// Each signal has a time of its own: `after` orders hooks of one signal.
    #[track_caller]
    const fn check_signal(&self, earlier: &Self) {
        if let (Policy::Signal(own), Policy::Signal(other)) = (self.policy, earlier.policy)
            && !is_same(own, other)
        {
            Text::new()
                .hook(self.name)
                .text(" (")
                .text(own)
                .text(") can't run after ")
                .hook(earlier.name)
                .text(" (")
                .text(other)
                .text("): `after` names hooks of the same signal, ")
                .kind(Kind::Startup)
                .text(" hooks and services")
                .fail();
        }
    }

    /// All others are done before a shutdown hook begins.
    #[track_caller]
    const fn check_before(&self, later: &Self) {
        if !later.kind.may_be_preceded() {
            Text::new()
                .hook(self.name)
                .text(" can't run before ")
                .hook(later.name)
                .text(", which is ")
                .a(later.kind)
                .text(" hook: `before` names ")
                .kind(Kind::Shutdown)
                .text(" hooks and services")
                .fail();
        }
    }

    /// Only what started can be torn down.
    #[track_caller]
    const fn check_teardown(&self, resource: &Self) {
        if !matches!(resource.kind, Kind::Startup) {
            Text::new()
                .hook(self.name)
                .text(" is the teardown of ")
                .hook(resource.name)
                .text(", which is ")
                .a(resource.kind)
                .text(" hook: `of` names an `#[on_startup]` hook")
                .fail();
        }
    }

    /// A lower order has finished before a higher one starts, so no hook may depend on one of a
    /// higher order.
    #[track_caller]
    const fn check_order(&self, earlier: &Self) {
        if self.kind as u8 != earlier.kind as u8 {
            return;
        }
        if let (Some(own), Some(other)) = (self.order(), earlier.order())
            && own < other
        {
            Text::new()
                .hook(self.name)
                .text(" (order ")
                .number(own)
                .text(") depends on ")
                .hook(earlier.name)
                .text(" (order ")
                .number(other)
                .text("): a hook can't run before what it depends on")
                .fail();
        }
    }
}

/// `==`, which a constant can't use.
const fn is_same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}

/// A message built in a constant, where `format!` can't be used. What doesn't fit is cut off.
struct Text {
    bytes: [u8; 512],
    len: usize,
}

impl Text {
    const fn new() -> Self {
        Self { bytes: [0; 512], len: 0 }
    }

    const fn text(mut self, text: &str) -> Self {
        let text = text.as_bytes();
        let mut i = 0;
        while i < text.len() && self.len < self.bytes.len() {
            self.bytes[self.len] = text[i];
            self.len += 1;
            i += 1;
        }
        self
    }

    const fn hook(self, name: &str) -> Self {
        self.text("`").text(name).text("`")
    }

    const fn kind(self, kind: Kind) -> Self {
        self.text("`#[").text(kind.attribute()).text("]`")
    }

    const fn a(self, kind: Kind) -> Self {
        self.text(kind.article()).text(" ").kind(kind)
    }

    const fn number(self, number: u32) -> Self {
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

    #[track_caller]
    const fn fail(self) {
        let (text, _) = self.bytes.split_at(self.len);
        match std::str::from_utf8(text) {
            Ok(text) => panic!("{}", text),
            Err(_) => panic!("the hook's dependencies contradict each other"),
        }
    }
}
