//! The function under the attribute. Its body stays raw tokens, as parsing it would cost time and
//! find nothing.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, FnArg, Path, Signature, Type, Visibility};

use crate::errors::Errors;
use crate::invisible;
use crate::kind::Syntax;
use crate::surroundings;

/// Function, split into the parts that the attribute looks at.
pub struct Function {
    pub attributes: Vec<Attribute>,
    pub visibility: Visibility,
    pub signature: Signature,
    /// Names of the attributes that were removed, as one function is one hook.
    pub repeated: Vec<Path>,
    pub body: TokenStream,
    /// Set if the function stands in an `impl` or a trait, as far as its signature and its file
    /// show.
    pub is_associated: bool,
}

impl Function {
    /// Parses the item as a function; anything else is a mistake.
    pub fn parse(syntax: &Syntax, item: &TokenStream, errors: &mut Errors) -> Option<Self> {
        let function = Self::parse_tokens.parse2(item.clone()).ok();
        if function.is_none() {
            let message = format!(
                "`#[{}]` goes on a function: {} with a body",
                syntax.attribute, syntax.functions
            );
            errors.add(item_head(item), message);
        }
        function
    }

    /// Returns the types of the arguments.
    pub fn argument_types(&self) -> impl Iterator<Item = &Type> {
        self.signature.inputs.iter().filter_map(|input| match input {
            FnArg::Typed(argument) => Some(&*argument.ty),
            FnArg::Receiver(_) => None,
        })
    }

    fn parse_tokens(input: ParseStream) -> syn::Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        let signature: Signature = input.parse()?;
        let body = invisible::opened(input.parse()?);
        let first = body.clone().into_iter().next();
        if !matches!(first, Some(TokenTree::Group(block)) if block.delimiter() == Delimiter::Brace)
        {
            return Err(syn::Error::new_spanned(body, "expected a body"));
        }
        let is_associated = signature.receiver().is_some()
            || mentions(signature.to_token_stream(), "Self")
            || surroundings::are_an_impl();
        Ok(Self { attributes, visibility, signature, repeated: Vec::new(), body, is_associated })
    }
}

impl ToTokens for Function {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let Self { attributes, visibility, signature, body, .. } = self;
        tokens.extend(attributes.iter().map(ToTokens::to_token_stream));
        visibility.to_tokens(tokens);
        signature.to_tokens(tokens);
        body.to_tokens(tokens);
    }
}

/// Returns an item without its attributes and its body, for the span of an error about its kind.
fn item_head(item: &TokenStream) -> TokenStream {
    let head = |input: ParseStream| {
        input.call(Attribute::parse_outer)?;
        let mut head = TokenStream::new();
        while !input.is_empty() && !input.peek(syn::token::Brace) {
            head.extend([input.parse::<TokenTree>()?]);
        }
        input.parse::<TokenStream>()?;
        Ok(head)
    };
    head.parse2(item.clone()).ok().filter(|head| !head.is_empty()).unwrap_or_else(|| item.clone())
}

/// Returns whether a word is among the tokens, or within one of them.
pub fn mentions(tokens: TokenStream, word: &str) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == word,
        TokenTree::Group(group) => mentions(group.stream(), word),
        _ => false,
    })
}
