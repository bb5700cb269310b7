//! The way of every attribute, from tokens to tokens.

use proc_macro2::TokenStream;
use quote::quote;

use crate::args::Args;
use crate::check::check;
use crate::errors::Errors;
use crate::expand;
use crate::kind::Kind;
use crate::model::Hook;
use crate::signature::Function;

/// The function, the hook's type and its registration, and an error for each mistake.
///
/// A mistake takes away as little as it can, so that one mistake is one message: the function is always there, and so,
/// wherever a type can stand, is the type that other hooks name.
pub fn attribute(kind: Kind, args: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let args = Args::parse(kind, args, &mut errors);
    let Some(mut function) = Function::parse(kind, &item, &mut errors) else {
        let errors = errors.into_tokens();
        return quote!(#item #errors);
    };
    let is_hook = check(kind, &mut function, &mut errors);
    let errors = errors.into_tokens();

    let hook = Hook::new(kind, args, &function);
    let is_method = function.signature.receiver().is_some();
    let registration = match is_hook {
        true => expand::hook(&hook),
        false if is_method => TokenStream::new(),
        false => expand::name_only(&hook),
    };
    let lints = expand::lints(&hook);
    quote!(#lints #function #registration #errors)
}
