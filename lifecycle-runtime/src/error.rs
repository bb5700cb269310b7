//! The words for what went wrong.

use std::any::Any;
use std::error::Error;

/// An error of any type, as hooks return it.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// An error and everything it was caused by, as one line: `first: second: third`.
///
/// A cause whose text its effect already ends with is left out, as many errors repeat it.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.ends_with(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}

/// What a panic says.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a value that is not a text").to_owned()
}
