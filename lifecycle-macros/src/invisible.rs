//! Groups without delimiters: rustc puts what a `macro_rules!` was given for `$n:literal`,
//! `$t:expr` or `$b:block` into one, so that it stays one thing.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// Returns the tokens without these groups, at any depth. For what has no operators, whose
/// precedence they keep.
pub fn removed(tokens: TokenStream) -> TokenStream {
    let mut visible = TokenStream::new();
    for token in tokens {
        match token {
            TokenTree::Group(group) if is_invisible(&group) => {
                visible.extend(removed(group.stream()));
            }
            // One that is made anew loses the places of its delimiters.
            TokenTree::Group(group) if holds_one(group.stream()) => {
                let mut inner = Group::new(group.delimiter(), removed(group.stream()));
                inner.set_span(group.span());
                visible.extend([TokenTree::Group(inner)]);
            }
            token => visible.extend([token]),
        }
    }
    visible
}

/// Returns what is in such a group, if the tokens are one.
pub fn opened(tokens: TokenStream) -> TokenStream {
    let mut all = tokens.clone().into_iter();
    match (all.next(), all.next()) {
        (Some(TokenTree::Group(group)), None) if is_invisible(&group) => opened(group.stream()),
        _ => tokens,
    }
}

fn is_invisible(group: &Group) -> bool {
    group.delimiter() == Delimiter::None
}

fn holds_one(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Group(group) => is_invisible(&group) || holds_one(group.stream()),
        _ => false,
    })
}
