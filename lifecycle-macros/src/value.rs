//! Parsers of values: one for each form, whatever the key.

use proc_macro2::Span;
use syn::parse::ParseStream;
use syn::punctuated::Punctuated;
use syn::{Expr, ExprLit, ExprUnary, Lit, LitBool, LitInt, LitStr, Path, Token, UnOp, bracketed};

use crate::duration;
use crate::kind::Key;
use crate::words;

/// Value with its location.
#[derive(Clone, Copy)]
pub struct Given<T> {
    pub value: T,
    pub span: Span,
}

/// Word that a key knows: a variant of an enum of the runtime.
#[derive(Clone, Copy)]
pub struct Word {
    pub of: &'static str,
    pub variant: &'static str,
}

/// Times between a service's end and its restart, in milliseconds.
#[derive(Clone, Copy)]
pub struct Backoff {
    pub first: u64,
    pub cap: Option<u64>,
}

/// Longest backoff by default in milliseconds, the same as in the runtime.
const BACKOFF_CAP: u64 = 30_000;

/// Limit of the number of restarts within a window of milliseconds.
#[derive(Clone, Copy)]
pub struct RestartLimit {
    pub count: u32,
    pub within: u64,
}

/// Returns a description of a key's value, with an example.
pub fn form(key: Key) -> String {
    let form = match key {
        Key::Order => "a whole number: `order = 10`",
        Key::After => "a list of hooks: `after = [db, crate::store::migrations]`",
        Key::Before => "a list of hooks: `before = [close_mail, crate::store::flush]`",
        Key::Of => "the path of a startup hook: `of = db`",
        Key::Timeout => "a duration in quotes: `timeout = \"5s\"`",
        Key::StopTimeout => "a duration in quotes: `stop_timeout = \"10s\"`",
        Key::Reserve => "a duration in quotes: `reserve = \"5s\"`",
        Key::Restart | Key::OnExit | Key::StopOn | Key::CheckKind => {
            let all = words(key)
                .1
                .iter()
                .map(|(word, _)| format!("{} = \"{word}\"", key.name()))
                .collect::<Vec<_>>();
            return words::list(all.iter().map(String::as_str), "or");
        }
        Key::Backoff => "the first and the longest time in quotes: `backoff = \"100ms..30s\"`",
        Key::MaxRestarts => {
            "a number and a window in quotes: `max_restarts = \"5 in 1m\"`, or `max_restarts \
             = \"unlimited\"`"
        }
        Key::Interval => "a duration in quotes: `interval = \"10s\"`",
        Key::Failures => "a whole number: `failures = 3`",
        Key::Setup => "the path of a function that returns a `TestAppBuilder`: `setup = faked`",
        Key::Exclusive => "`exclusive = true` or `exclusive = false`",
        Key::StartPaused => "`start_paused = true` or `start_paused = false`",
        Key::Crate => "the path of the runtime crate: `crate = lifecycle`",
    };
    form.to_owned()
}

/// Returns the name of a key's enum and the words that the key knows, each with its variant.
fn words(key: Key) -> (&'static str, &'static [(&'static str, &'static str)]) {
    match key {
        Key::Restart => {
            ("Restart", &[("never", "Never"), ("on_failure", "OnFailure"), ("always", "Always")])
        }
        Key::StopOn => ("StopOn", &[("drain", "Drain"), ("shutdown", "Shutdown")]),
        Key::OnExit => ("OnExit", &[("stop", "Stop"), ("ignore", "Ignore")]),
        Key::CheckKind => (
            "CheckKind",
            &[("readiness", "Readiness"), ("liveness", "Liveness"), ("startup", "Startup")],
        ),
        _ => ("", &[]),
    }
}

/// Parses a whole number.
pub fn number(key: Key, input: ParseStream) -> syn::Result<u32> {
    let value: Expr = input.parse().map_err(|error| expected(key, error.span()))?;
    let (lowest, too_low) = lowest(key);
    let fault = match &value {
        Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) if number.suffix().is_empty() => {
            match number.base10_parse() {
                Ok(number) if number >= lowest => return Ok(number),
                Ok(_) => too_low.to_owned(),
                Err(_) => format!("`{}` is at most {}", key.name(), u32::MAX),
            }
        }
        Expr::Unary(ExprUnary { op: UnOp::Neg(_), .. }) => too_low.to_owned(),
        _ => format!("expected {}", form(key)),
    };
    Err(syn::Error::new_spanned(value, fault))
}

/// Returns the lowest number that a key takes, and the message about a lower one.
fn lowest(key: Key) -> (u32, &'static str) {
    match key {
        Key::Failures => {
            (1, "`failures` is at least 1: a check that has not failed can't count as failed")
        }
        _ => (
            0,
            "`order` can't be negative: hooks without an order run at 0, the lowest; give the \
             others a higher one",
        ),
    }
}

/// Parses a duration into milliseconds.
pub fn time(key: Key, input: ParseStream) -> syn::Result<Given<u64>> {
    let zero = match key {
        Key::Interval => "the check would never rest",
        _ => "nothing can finish in no time",
    };
    text(key, input, |text| duration::parse(text, zero))
}

/// Parses one of the words that the key knows.
pub fn word(key: Key, input: ParseStream) -> syn::Result<Given<Word>> {
    text(key, input, |text| {
        let (of, words) = words(key);
        if let Some(&(_, variant)) = words.iter().find(|(word, _)| *word == text) {
            return Ok(Word { of, variant });
        }
        let meant = words::meant(text, words.iter().map(|(word, _)| *word));
        Err(words::unknown("value", text, meant, &format!("write {}", form(key))))
    })
}

/// Parses a backoff: `"100ms..30s"`, or the first time alone.
pub fn backoff(key: Key, input: ParseStream) -> syn::Result<Given<Backoff>> {
    const ZERO: &str = "a service that fails at once would be restarted without a rest";
    text(key, input, |text| {
        let (first, cap) = match text.split_once("..") {
            Some(("", _)) => {
                return Err(format!("the first backoff is missing: expected {}", form(key)));
            }
            Some((first, cap)) => (first, Some(cap)),
            None => (text, None),
        };
        let first_time = duration::parse(first, ZERO)?;
        if cap == Some("") {
            return Err(if first_time > BACKOFF_CAP {
                format!("the longest backoff is missing: write `{first}..{first}`")
            } else {
                format!("the longest backoff is missing: write `{first}` or `{first}..30s`")
            });
        }
        let cap_time = cap.map(|cap| duration::parse(cap, ZERO)).transpose()?;
        match (cap, cap_time.unwrap_or(BACKOFF_CAP)) {
            (Some(cap), longest) if first_time > longest => Err(format!(
                "the first backoff, {first}, is longer than the longest, {cap}: write the shorter \
                 one first"
            )),
            (None, longest) if first_time > longest => Err(format!(
                "the first backoff, {first}, is longer than the longest, which is 30s unless it is \
                 given: write \
                 `backoff = \"{first}..{first}\"`"
            )),
            _ => Ok(Backoff { first: first_time, cap: cap_time }),
        }
    })
}

/// Parses a limit of restarts: `"5 in 1m"`, or `"unlimited"`, which is `None`.
pub fn restarts(key: Key, input: ParseStream) -> syn::Result<Given<Option<RestartLimit>>> {
    let form = || format!("expected {}", form(key));
    let without_window = |text: &str| match restart_count(text) {
        Ok(_) => format!("`max_restarts` needs a window: `max_restarts = \"{text} in 1m\"`"),
        Err(message) => message.unwrap_or_else(form),
    };
    if input.peek(LitInt) {
        let count: LitInt = input.parse()?;
        return Err(syn::Error::new_spanned(&count, without_window(&count.to_string())));
    }
    text(key, input, |text| {
        if text == "unlimited" {
            return Ok(None);
        }
        let Some((count, within)) = text.split_once(" in ") else {
            return Err(without_window(text));
        };
        let count = restart_count(count).map_err(|message| message.unwrap_or_else(form))?;
        let within = duration::parse(within, "no restart falls into a window of no time")?;
        Ok(Some(RestartLimit { count, within }))
    })
}

/// Parses the number of restarts. The error is `None` if the text is no whole number.
fn restart_count(text: &str) -> Result<u32, Option<String>> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(None);
    }
    match text.parse() {
        Ok(0) => Err(Some(
            "`max_restarts` is at least 1: for a service without restarts, take `max_restarts` \
             off, and write `restart = \"never\"`"
                .to_owned(),
        )),
        Ok(count) => Ok(count),
        Err(_) => Err(Some(format!("`max_restarts` is at most {}", u32::MAX))),
    }
}

/// Parses a list of hooks, given by their paths.
pub fn hooks(key: Key, input: ParseStream) -> syn::Result<Vec<Path>> {
    let list = |input: ParseStream| {
        let list;
        bracketed!(list in input);
        Punctuated::<_, Token![,]>::parse_terminated_with(&list, Path::parse_mod_style)
    };
    list(input)
        .map(|paths| paths.into_iter().collect())
        .map_err(|error| expected(key, error.span()))
}

/// Parses a path.
pub fn path(key: Key, input: ParseStream) -> syn::Result<Path> {
    input.call(Path::parse_mod_style).map_err(|error| expected(key, error.span()))
}

/// Parses `true` or `false`.
pub fn flag(key: Key, input: ParseStream) -> syn::Result<bool> {
    input.parse().map(|flag: LitBool| flag.value).map_err(|error| expected(key, error.span()))
}

/// Parses the text in quotes by `parse`.
fn text<T>(
    key: Key,
    input: ParseStream,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> syn::Result<Given<T>> {
    let text: LitStr = input.parse().map_err(|error| expected(key, error.span()))?;
    match parse(&text.value()) {
        Ok(value) => Ok(Given { value, span: text.span() }),
        Err(message) => Err(syn::Error::new(text.span(), message)),
    }
}

fn expected(key: Key, span: Span) -> syn::Error {
    syn::Error::new(span, format!("expected {}", form(key)))
}
