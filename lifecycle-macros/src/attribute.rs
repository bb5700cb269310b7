//! Expansion of every attribute, from tokens to tokens.

use proc_macro2::TokenStream;
use quote::quote;

use crate::args::Args;
use crate::check;
use crate::errors::Errors;
use crate::expand;
use crate::kind::{Kind, Syntax};
use crate::model::{Hook, Soundness};
use crate::signature::Function;

/// Expands to the function, the hook's type and its registration, and an error for each mistake.
///
/// A mistake removes as little of the output as it can, so that a mistake that is found here is one
/// message. The function is always there. So is the type that other hooks name, wherever a type can
/// stand.
pub fn hook(kind: Kind, args: TokenStream, item: &TokenStream) -> TokenStream {
    let (syntax, mut errors) = (kind.syntax(), Errors::default());
    let args = Args::parse(&syntax, args, &mut errors);
    check::keys(kind, &args, &mut errors);
    let Some(mut function) = Function::parse(&syntax, item, &mut errors) else {
        let errors = errors.tokens();
        return quote!(#item #(#errors)*);
    };
    let flaw = check::hook(kind, &mut function, &mut errors);
    let soundness = match flaw {
        Some(flaw) => Soundness::NotCallable(flaw),
        None if errors.is_empty() => Soundness::Sound,
        None => Soundness::NotRegistered,
    };

    let hook = Hook::new(kind, args, &function, soundness);
    let registration = (!function.is_associated).then(|| expand::hook(&hook));
    let (lints, errors) = (expand::lints(&hook), errors.tokens());
    quote!(#lints #function #registration #(#errors)*)
}

/// Expands to the test, or to the unchanged function and an error for each mistake.
pub fn test(args: TokenStream, item: &TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let args = Args::parse(&Syntax::TEST, args, &mut errors);
    let Some(mut function) = Function::parse(&Syntax::TEST, item, &mut errors) else {
        let errors = errors.tokens();
        return quote!(#item #(#errors)*);
    };
    check::test(&mut function, &mut errors);
    if errors.is_empty() {
        return expand::test(&args, &function);
    }
    let (repeated, errors) = (&function.repeated, errors.tokens());
    let names = (!repeated.is_empty()).then(|| quote!(const _: () = { #(use #repeated as _;)* };));
    // Nothing calls the function now, and attributes such as `#[should_panic]` mean nothing.
    quote!(#[allow(dead_code, unused_attributes)] #function #names #(#errors)*)
}
