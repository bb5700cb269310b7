//! Tests of the attributes as functions from tokens to tokens.

mod arguments;
mod documentation;
mod expansions;
mod policies;
mod tokens;

use proc_macro2::TokenStream;

use crate::attribute;
use crate::kind::Kind;

fn parse(text: &str) -> TokenStream {
    text.parse().expect("tokens")
}

fn expand(kind: Kind, args: &str, item: &str) -> TokenStream {
    attribute::hook(kind, parse(args), &parse(item))
}

fn expand_test(args: &str, item: &str) -> TokenStream {
    attribute::test(parse(args), &parse(item))
}

/// Returns the texts of the errors in an expansion, each once, in the order in which they appear.
fn errors(tokens: TokenStream) -> Vec<String> {
    let mut errors: Vec<String> = Vec::new();
    let mut after_name = false;
    for token in tokens {
        if let proc_macro2::TokenTree::Group(group) = &token {
            let text = group.stream().into_iter().next().map(|text| text.to_string());
            let found =
                match text.as_deref().and_then(|text| syn::parse_str::<syn::LitStr>(text).ok()) {
                    Some(text) if after_name => vec![text.value()],
                    _ => self::errors(group.stream()),
                };
            for error in found {
                if !errors.contains(&error) {
                    errors.push(error);
                }
            }
        }
        let text = token.to_string();
        after_name = text == "compile_error" || (after_name && text == "!");
    }
    errors
}
