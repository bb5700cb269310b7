//! Typed model of a hook, which the checks look at and the expansion writes down.

use proc_macro2::{Group, TokenStream, TokenTree};
use quote::{ToTokens, quote_spanned};
use syn::{Attribute, Ident, Path, ReturnType, Type, Visibility};

use crate::args::Args;
use crate::kind::Kind;
use crate::signature::Function;

/// Hook, as its attribute and its function declare it.
pub struct Hook {
    pub kind: Kind,
    pub args: Args,
    /// The function's `cfg`s, which also apply to the items that the expansion adds.
    pub conditions: Vec<Attribute>,
    pub visibility: Visibility,
    pub name: Ident,
    pub is_async: bool,
    pub arguments: Vec<Type>,
    /// Return type; `None` if none is written.
    pub output: Option<TokenStream>,
    /// Names of further attributes that the function had beside the hook's own.
    pub repeated: Vec<Path>,
    pub soundness: Soundness,
}

/// Soundness of a hook, which decides how much of it can be expanded.
pub enum Soundness {
    /// Sound hook, all of which is expanded.
    Sound,
    /// Hook with a mistake in its attribute. It can be named and has its value, but it is not
    /// registered, as unknown keys might contradict other hooks.
    NotRegistered,
    /// Function that the runtime can't call. The error replaces the code that depends on the call:
    /// rustc reports nothing about uses of a type that is an error.
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

    /// Returns the error that replaces the call of the function.
    pub fn flaw(&self) -> Option<&TokenStream> {
        match &self.soundness {
            Soundness::NotCallable(flaw) => Some(flaw),
            _ => None,
        }
    }
}

/// Returns the type with all lifetimes written down. rustc reports missing ones in the function
/// itself; here it would report them again, in other words.
fn with_static(tokens: TokenStream) -> TokenStream {
    let mut written = TokenStream::new();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let is = |token: &TokenTree, punct| {
            matches!(
                token,
                TokenTree::Punct(found) if found.as_char() == punct
            )
        };
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
