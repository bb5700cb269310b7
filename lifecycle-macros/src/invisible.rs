//! Groups without delimiters. rustc puts what a `macro_rules!` got for `$n:literal`, `$t:expr` or
//! `$b:block` into such a group, to keep it together.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// Returns the tokens without these groups, at any depth. Use it for tokens without operators: the
/// groups keep the precedence of operators.
pub fn removed(tokens: TokenStream) -> TokenStream {
    let mut visible = TokenStream::new();
    for token in tokens {
        match token {
            TokenTree::Group(group) if is_invisible(&group) => {
                visible.extend(removed(group.stream()));
            }
            // Only groups that have to change are made anew, as that loses the spans of their
            // delimiters.
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

/// Returns the content of such a group if the tokens are just one, and otherwise the tokens.
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
