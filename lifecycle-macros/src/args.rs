//! The only parser of what stands between an attribute's parentheses: `key = value, …`.
//!
//! Each entry is parsed by itself, so that a mistake in one doesn't hide the others.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Expr, ExprLit, ExprUnary, Ident, Lit, LitStr, Path, Token, UnOp, bracketed};

use crate::duration;
use crate::errors::Errors;
use crate::kind::{Key, Kind};

/// What an attribute says. Keys that were wrong are left at their defaults.
pub struct Args {
    pub order: Option<u32>,
    /// In milliseconds.
    pub timeout: Option<u64>,
    pub after: Vec<Path>,
    pub before: Vec<Path>,
    pub of: Option<Path>,
    pub runtime: TokenStream,
}

impl Args {
    pub fn parse(kind: Kind, tokens: TokenStream, errors: &mut Errors) -> Self {
        let mut args = Self {
            order: None,
            timeout: None,
            after: Vec::new(),
            before: Vec::new(),
            of: None,
            runtime: quote!(::lifecycle_runtime),
        };
        let mut seen = Vec::new();
        for entry in entries(tokens) {
            let parsed = (|input: ParseStream| args.entry(kind, &mut seen, input)).parse2(entry);
            if let Err(error) = parsed {
                errors.push(error);
            }
        }
        args
    }

    fn entry(&mut self, kind: Kind, seen: &mut Vec<Key>, input: ParseStream) -> syn::Result<()> {
        let name = input
            .call(Ident::parse_any)
            .map_err(|error| syn::Error::new(error.span(), format!("expected a key; {}", keys(kind))))?;
        let Some(&key) = kind.keys().iter().find(|key| name == key.name()) else {
            skip(input)?;
            return Err(unknown_key(kind, &name));
        };
        if seen.contains(&key) {
            skip(input)?;
            return Err(syn::Error::new_spanned(&name, format!("`{name}` is given twice")));
        }
        seen.push(key);
        if input.is_empty() || !input.peek(Token![=]) {
            skip(input)?;
            return Err(syn::Error::new_spanned(&name, format!("`{name}` needs a value: {}", form(key))));
        }
        input.parse::<Token![=]>()?;
        if input.is_empty() {
            return Err(syn::Error::new_spanned(&name, format!("`{name}` needs a value: {}", form(key))));
        }
        self.value(key, input)?;
        match input.parse::<TokenTree>() {
            Ok(token) => {
                skip(input)?;
                Err(syn::Error::new_spanned(token, format!("unexpected after the value of `{name}`: expected `,`")))
            }
            Err(_) => Ok(()),
        }
    }

    fn value(&mut self, key: Key, input: ParseStream) -> syn::Result<()> {
        match key {
            Key::Order => self.order = Some(order(input)?),
            Key::Timeout => self.timeout = Some(timeout(input)?),
            Key::After => self.after = hooks(key, input)?,
            Key::Before => self.before = hooks(key, input)?,
            Key::Of => self.of = Some(path(key, input)?),
            Key::Crate => self.runtime = path(key, input)?.into_token_stream(),
        }
        Ok(())
    }
}

/// Splits at commas; a trailing one is fine.
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

/// The rest of an entry that is wrong already doesn't matter.
fn skip(input: ParseStream) -> syn::Result<()> {
    input.parse::<TokenStream>().map(drop)
}

fn form(key: Key) -> &'static str {
    match key {
        Key::Order => "a whole number: `order = 10`",
        Key::After => "a list of hooks: `after = [db, crate::store::migrations]`",
        Key::Before => "a list of hooks: `before = [close_mail, crate::store::flush]`",
        Key::Of => "the path of a startup hook: `of = db`",
        Key::Timeout => "a duration in quotes: `timeout = \"5s\"`",
        Key::Crate => "the path of the runtime crate: `crate = lifecycle`",
    }
}

fn order(input: ParseStream) -> syn::Result<u32> {
    let value: Expr = input.parse().map_err(|error| expected(Key::Order, error.span()))?;
    match &value {
        Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) if number.suffix().is_empty() => number
            .base10_parse()
            .map_err(|_| syn::Error::new_spanned(number, format!("`order` is at most {}", u32::MAX))),
        Expr::Unary(ExprUnary { op: UnOp::Neg(_), .. }) => Err(syn::Error::new_spanned(
            value,
            "`order` can't be negative: hooks without an order run at 0, the lowest; give the others a higher one",
        )),
        _ => Err(syn::Error::new_spanned(value, format!("expected {}", form(Key::Order)))),
    }
}

fn timeout(input: ParseStream) -> syn::Result<u64> {
    let text: LitStr = input.parse().map_err(|error| expected(Key::Timeout, error.span()))?;
    duration::parse(&text.value()).map_err(|message| syn::Error::new(text.span(), message))
}

fn hooks(key: Key, input: ParseStream) -> syn::Result<Vec<Path>> {
    let list = |input: ParseStream| {
        let list;
        bracketed!(list in input);
        Punctuated::<_, Token![,]>::parse_terminated_with(&list, Path::parse_mod_style)
    };
    list(input).map(|paths| paths.into_iter().collect()).map_err(|error| expected(key, error.span()))
}

fn path(key: Key, input: ParseStream) -> syn::Result<Path> {
    input.call(Path::parse_mod_style).map_err(|error| expected(key, error.span()))
}

fn expected(key: Key, span: Span) -> syn::Error {
    syn::Error::new(span, format!("expected {}", form(key)))
}

fn keys(kind: Kind) -> String {
    let names: Vec<_> = kind.keys().iter().map(|key| format!("`{}`", key.name())).collect();
    format!("`#[{}]` takes {}", kind.attribute(), names.join(", "))
}

fn unknown_key(kind: Kind, name: &Ident) -> syn::Error {
    let text = name.to_string();
    let similar = kind.keys().iter().map(|key| key.name()).find(|key| distance(key, &text) <= 2);
    let message = match (Kind::with_key(&text), similar) {
        (Some(other), _) => format!("`{text}` is a key of `#[{}]`; {}", other.attribute(), keys(kind)),
        (None, Some(key)) => format!("unknown key `{text}`, did you mean `{key}`? {}", keys(kind)),
        (None, None) => format!("unknown key `{text}`; {}", keys(kind)),
    };
    syn::Error::new_spanned(name, message)
}

/// How many letters have to be inserted, removed or replaced to make one word of the other.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, right) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(left != right);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
