//! A hook, typed: what the checks look at and the expansion writes down.

use proc_macro2::{Group, TokenStream, TokenTree};
use quote::{ToTokens, quote_spanned};
use syn::{Attribute, Ident, Path, ReturnType, Type, Visibility};

use crate::args::Args;
use crate::kind::Kind;
use crate::signature::Function;

/// One hook, as its attribute and its function declare it.
pub struct Hook {
    pub kind: Kind,
    pub args: Args,
    /// The function's `cfg`s: what we add lives and dies with it.
    pub conditions: Vec<Attribute>,
    pub visibility: Visibility,
    pub name: Ident,
    pub is_async: bool,
    pub arguments: Vec<Type>,
    /// `None` where no type is written.
    pub output: Option<TokenStream>,
    /// Attributes that the function had beyond the hook's own.
    pub repeated: Vec<Path>,
    pub soundness: Soundness,
}

/// How much of a hook there can be.
pub enum Soundness {
    /// All of it.
    Sound,
    /// The attribute says something wrong: the hook can be named and has its value, but what isn't
    /// known of it might contradict other hooks.
    NotRegistered,
    /// The runtime can't call the function. The error stands in the place of whatever that takes
    /// away: rustc says nothing of what others make of a type that is an error.
    NotCallable(TokenStream),
}

impl Hook {
    pub fn new(kind: Kind, args: Args, function: &Function, soundness: Soundness) -> Self {
        let signature = &function.signature;
        let conditions =
            function.attributes.iter().filter(|attribute| attribute.path().is_ident("cfg"));
        Self {
            kind,
            args,
            conditions: conditions.cloned().collect(),
            visibility: function.visibility.clone(),
            name: signature.ident.clone(),
            is_async: signature.asyncness.is_some(),
            arguments: function.argument_types().cloned().collect(),
            output: match &signature.output {
                ReturnType::Default => None,
                ReturnType::Type(_, output) => Some(with_static(output.to_token_stream())),
            },
            repeated: function.repeated.clone(),
            soundness,
        }
    }

    /// The error in the place of what the runtime would call.
    pub fn flaw(&self) -> Option<&TokenStream> {
        match &self.soundness {
            Soundness::NotCallable(flaw) => Some(flaw),
            _ => None,
        }
    }
}

/// A type whose lifetimes are all written down. rustc says of the function itself what is missing
/// there; here it would say so again, in other words.
fn with_static(tokens: TokenStream) -> TokenStream {
    let mut written = TokenStream::new();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let is = |token: &TokenTree, punct| matches!(token, TokenTree::Punct(found) if found.as_char() == punct);
        let next_is_elided =
            tokens.peek().is_some_and(|next| matches!(next, TokenTree::Ident(name) if name == "_"));
        let has_lifetime = tokens.peek().is_some_and(|next| is(next, '\''));
        let span = token.span();
        match token {
            TokenTree::Group(group) => {
                let mut inner = Group::new(group.delimiter(), with_static(group.stream()));
                inner.set_span(span);
                written.extend([TokenTree::Group(inner)]);
            }
            token if is(&token, '&') && !has_lifetime => {
                written.extend(quote_spanned!(span=> &'static));
            }
            token if is(&token, '\'') && next_is_elided => {
                tokens.next();
                written.extend(quote_spanned!(span=> 'static));
            }
            token => written.extend([token]),
        }
    }
    written
}
