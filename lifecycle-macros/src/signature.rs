//! The function under the attribute. Its body stays raw tokens: parsing it would cost time and find nothing.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::parse::{Parse, ParseStream, Parser};
use syn::{Attribute, Signature, Visibility};

use crate::errors::Errors;
use crate::kind::Kind;

/// A function, split into what the attribute looks at.
pub struct Function {
    pub attributes: Vec<Attribute>,
    pub visibility: Visibility,
    pub signature: Signature,
    body: TokenStream,
}

impl Function {
    /// The function that the item is; anything else is a mistake.
    pub fn parse(kind: Kind, item: &TokenStream, errors: &mut Errors) -> Option<Self> {
        match Self::parse_tokens.parse2(item.clone()) {
            Ok(function) => Some(function),
            Err(_) => {
                let message = format!("`#[{}]` goes on a function: `fn` or `async fn` with a body", kind.attribute());
                errors.add(item_head(item), message);
                None
            }
        }
    }

    fn parse_tokens(input: ParseStream) -> syn::Result<Self> {
        let function = Self {
            attributes: input.call(Attribute::parse_outer)?,
            visibility: input.parse()?,
            signature: input.parse()?,
            body: input.parse()?,
        };
        let is_block = |token| matches!(token, proc_macro2::TokenTree::Group(group) if group.delimiter() == proc_macro2::Delimiter::Brace);
        match function.body.clone().into_iter().next().is_some_and(is_block) {
            true => Ok(function),
            false => Err(syn::Error::new_spanned(function.body, "expected a body")),
        }
    }
}

impl ToTokens for Function {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let Self { attributes, visibility, signature, body } = self;
        tokens.extend(attributes.iter().map(ToTokens::to_token_stream));
        visibility.to_tokens(tokens);
        signature.to_tokens(tokens);
        body.to_tokens(tokens);
    }
}

/// An item without its attributes and its body: where to point when it is of the wrong kind.
fn item_head(item: &TokenStream) -> TokenStream {
    let head = |input: ParseStream| {
        input.call(Attribute::parse_outer)?;
        let mut head = TokenStream::new();
        while !input.is_empty() && !input.peek(syn::token::Brace) {
            head.extend([input.parse::<proc_macro2::TokenTree>()?]);
        }
        input.parse::<TokenStream>()?;
        Ok(head)
    };
    head.parse2(item.clone()).ok().filter(|head| !head.is_empty()).unwrap_or_else(|| item.clone())
}

/// A type that stands where none is written.
pub fn unit() -> syn::Type {
    let parse = <syn::Type as Parse>::parse;
    parse.parse_str("()").unwrap_or_else(|_| syn::Type::Verbatim(TokenStream::new()))
}
