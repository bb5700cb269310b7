//! Parser of an attribute's arguments: `key = value, …`, preceded by the name of a signal where
//! the attribute takes one. There is no other parser.
//!
//! Each entry is parsed by itself, so that a mistake in one doesn't hide mistakes in others.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Ident, Path, Token};

use crate::errors::Errors;
use crate::invisible;
use crate::kind::{Key, Syntax};
use crate::signal;
use crate::value::{self, Backoff, Given, RestartLimit, Word, form};
use crate::words;

/// Arguments of an attribute. A key with a wrong value keeps its default.
pub struct Args {
    pub order: Option<u32>,
    /// Time limit of the hook, or of the end of a service, in milliseconds.
    pub timeout: Option<Given<u64>>,
    /// Part of the stop's time that the hook has in any case, in milliseconds.
    pub reserve: Option<Given<u64>>,
    pub after: Vec<Path>,
    pub before: Vec<Path>,
    pub of: Option<Path>,
    pub signal: Option<&'static str>,
    /// Set if the hook must not run while a predecessor does.
    pub exclusive: bool,
    /// Settings of the policy, which only hooks of this kind have.
    pub policy: Vec<(Key, Setting)>,
    /// Path of the function that makes the app of a test.
    pub setup: Option<Path>,
    pub start_paused: Option<bool>,
    pub runtime: TokenStream,
}

/// Value of a policy's field. The key is the field's name.
#[derive(Clone, Copy)]
pub enum Setting {
    Word(Given<Word>),
    /// Duration in milliseconds.
    Time(Given<u64>),
    Number(u32),
    Backoff(Given<Backoff>),
    RestartLimit(Given<Option<RestartLimit>>),
}

impl Args {
    pub fn parse(syntax: &Syntax, tokens: TokenStream, errors: &mut Errors) -> Self {
        let mut args = Self {
            order: None,
            timeout: None,
            reserve: None,
            after: Vec::new(),
            before: Vec::new(),
            of: None,
            signal: None,
            exclusive: false,
            policy: Vec::new(),
            setup: None,
            start_paused: None,
            runtime: quote!(::lifecycle_runtime),
        };
        let mut entries = entries(invisible::removed(tokens));
        if syntax.takes_signal {
            match signal_of(&mut entries) {
                Ok(signal) => args.signal = Some(signal),
                Err(error) => errors.push(error),
            }
        }
        let mut seen = Vec::new();
        for entry in entries {
            let parsed = (|input: ParseStream| args.entry(syntax, &mut seen, input)).parse2(entry);
            if let Err(error) = parsed {
                errors.push(error);
            }
        }
        args
    }

    /// Returns the value of a key of the policy.
    pub fn setting(&self, key: Key) -> Option<Setting> {
        self.policy.iter().find(|(of, _)| *of == key).map(|(_, setting)| *setting)
    }

    fn entry(
        &mut self,
        syntax: &Syntax,
        seen: &mut Vec<Key>,
        input: ParseStream,
    ) -> syn::Result<()> {
        let name = input.call(Ident::parse_any).map_err(|error| {
            syn::Error::new(error.span(), format!("expected a key; {}", keys(syntax)))
        })?;
        let Some(&key) = syntax.keys.iter().find(|key| name == key.name()) else {
            skip(input)?;
            return Err(unknown_key(syntax, &name));
        };
        if seen.contains(&key) {
            skip(input)?;
            return Err(syn::Error::new_spanned(&name, format!("`{name}` is given twice")));
        }
        seen.push(key);
        if input.is_empty() || !input.peek(Token![=]) {
            skip(input)?;
            return Err(syn::Error::new_spanned(
                &name,
                format!("`{name}` needs a value: {}", form(key)),
            ));
        }
        input.parse::<Token![=]>()?;
        if input.is_empty() {
            return Err(syn::Error::new_spanned(
                &name,
                format!("`{name}` needs a value: {}", form(key)),
            ));
        }
        self.value(key, input)?;
        match input.parse::<TokenTree>() {
            Ok(token) => {
                skip(input)?;
                Err(syn::Error::new_spanned(
                    token,
                    format!("unexpected after the value of `{name}`: expected `,`"),
                ))
            }
            Err(_) => Ok(()),
        }
    }

    fn value(&mut self, key: Key, input: ParseStream) -> syn::Result<()> {
        let setting = match key {
            Key::Order => return value::number(key, input).map(|order| self.order = Some(order)),
            Key::Timeout | Key::StopTimeout => {
                return value::time(key, input).map(|timeout| self.timeout = Some(timeout));
            }
            Key::Reserve => {
                return value::time(key, input).map(|reserve| self.reserve = Some(reserve));
            }
            Key::After => return value::hooks(key, input).map(|hooks| self.after = hooks),
            Key::Before => return value::hooks(key, input).map(|hooks| self.before = hooks),
            Key::Of => return value::path(key, input).map(|hook| self.of = Some(hook)),
            Key::Setup => {
                return value::path(key, input).map(|function| self.setup = Some(function));
            }
            Key::Exclusive => {
                return value::flag(key, input).map(|exclusive| self.exclusive = exclusive);
            }
            Key::StartPaused => {
                return value::flag(key, input).map(|paused| self.start_paused = Some(paused));
            }
            Key::Crate => {
                return value::path(key, input).map(|path| self.runtime = path.into_token_stream());
            }
            Key::Restart | Key::OnExit | Key::StopOn | Key::CheckKind => {
                Setting::Word(value::word(key, input)?)
            }
            Key::Interval => Setting::Time(value::time(key, input)?),
            Key::Failures => Setting::Number(value::number(key, input)?),
            Key::Backoff => Setting::Backoff(value::backoff(key, input)?),
            Key::MaxRestarts => Setting::RestartLimit(value::restarts(key, input)?),
        };
        self.policy.push((key, setting));
        Ok(())
    }
}

/// Takes the name of the signal off the entries, of which it should be the first.
fn signal_of(entries: &mut Vec<TokenStream>) -> syn::Result<&'static str> {
    let needed = || {
        syn::Error::new(
            Span::call_site(),
            "`#[on_signal]` needs the name of a signal: `#[on_signal(SIGHUP)]`",
        )
    };
    let is_keyed = |entry: &TokenStream| {
        let second = entry.clone().into_iter().nth(1);
        matches!(second, Some(TokenTree::Punct(punct)) if punct.as_char() == '=')
    };
    let is_signal = |entry: &TokenStream| signal::is_name(&entry.to_string());
    let place = match entries.first() {
        Some(first) if !is_keyed(first) => 0,
        _ => entries.iter().position(is_signal).ok_or_else(needed)?,
    };
    let name = |input: ParseStream| {
        let expected =
            |span| syn::Error::new(span, "expected the name of a signal: `#[on_signal(SIGHUP)]`");
        let name = input.call(Ident::parse_any).map_err(|error| expected(error.span()))?;
        let signal = match signal::parse(&name.to_string()) {
            Ok(_) if place > 0 => {
                Err("the signal comes before the keys: `#[on_signal(SIGHUP, timeout = \"5s\")]`"
                    .to_owned())
            }
            signal => signal,
        };
        let rest: TokenStream = input.parse()?;
        match (signal, rest.into_iter().next()) {
            (Ok(signal), None) => Ok(signal),
            (Ok(_), Some(token)) => Err(syn::Error::new_spanned(
                token,
                format!("unexpected after `{name}`: expected `,`"),
            )),
            (Err(message), None) => Err(syn::Error::new_spanned(name, message)),
            (Err(_), Some(_)) => Err(expected(name.span())),
        }
    };
    name.parse2(entries.remove(place))
}

/// Splits the arguments at commas. A trailing comma is fine.
fn entries(tokens: TokenStream) -> Vec<TokenStream> {
    let mut entries = Vec::new();
    let mut entry = TokenStream::new();
    for token in tokens {
        match &token {
            TokenTree::Punct(punct) if punct.as_char() == ',' && !entry.is_empty() => {
                entries.push(std::mem::take(&mut entry));
            }
            _ => entry.extend([token]),
        }
    }
    if !entry.is_empty() {
        entries.push(entry);
    }
    entries
}

/// Skips the rest of an entry that has a mistake already.
fn skip(input: ParseStream) -> syn::Result<()> {
    input.parse::<TokenStream>().map(drop)
}

fn keys(syntax: &Syntax) -> String {
    let names: Vec<_> = syntax.keys.iter().map(|key| format!("`{}`", key.name())).collect();
    let signal = if syntax.takes_signal { "the name of a signal, " } else { "" };
    format!("`#[{}]` takes {signal}{}", syntax.attribute, names.join(", "))
}

fn unknown_key(syntax: &Syntax, name: &Ident) -> syn::Error {
    let text = name.to_string();
    let meant = words::meant(&text, syntax.keys.iter().map(|key| key.name()));
    let others: Vec<_> = Syntax::with_key(&text).map(|other| other.attribute).collect();
    let message = match (&others[..], meant) {
        _ if syntax.takes_signal && signal::is_name(&text) => {
            "a hook hears one signal: write a second function, which may call this one".to_owned()
        }
        ([one, other], None) => {
            format!("`{text}` is a key of `#[{one}]` and `#[{other}]`; {}", keys(syntax))
        }
        ([one, ..], None) => format!("`{text}` is a key of `#[{one}]`; {}", keys(syntax)),
        (_, meant) => words::unknown("key", &text, meant, &keys(syntax)),
    };
    syn::Error::new_spanned(name, message)
}
