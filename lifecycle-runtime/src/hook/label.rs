//! Labels by which messages name a hook.

use std::fmt;

use super::HookMeta;

/// Label of a hook in a message.
pub(crate) struct HookLabel<'h> {
    noun: &'static str,
    hook: &'h HookMeta,
}

impl fmt::Display for HookLabel<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let HookMeta { display_name, file, line, .. } = self.hook;
        write!(f, "{} `{display_name}` ({file}:{line})", self.noun)
    }
}

impl HookMeta {
    /// Returns the hook's name and place, as messages name it: `` hook `db` (src/main.rs:7) ``.
    pub(crate) fn label(&self) -> HookLabel<'_> {
        self.label_as("hook")
    }

    /// Returns the same label with another word for the hook: `` service `pump` (src/main.rs:7) ``.
    pub(crate) fn label_as(&self, noun: &'static str) -> HookLabel<'_> {
        HookLabel { noun, hook: self }
    }
}
