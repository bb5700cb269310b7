//! Errors of an expansion, collected so that one compilation shows every mistake.

use proc_macro2::TokenStream;
use quote::ToTokens;

/// Mistakes found so far.
#[derive(Default)]
pub struct Errors(Vec<syn::Error>);

impl Errors {
    /// Adds a mistake, shown at these tokens.
    pub fn add(&mut self, tokens: impl ToTokens, message: impl std::fmt::Display) {
        self.push(syn::Error::new_spanned(tokens, message));
    }

    /// Adds a mistake that already has its location.
    pub fn push(&mut self, error: syn::Error) {
        self.0.push(error);
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the number of mistakes.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Returns one `compile_error!` per mistake.
    pub fn tokens(&self) -> impl Iterator<Item = TokenStream> {
        self.0.iter().map(syn::Error::to_compile_error)
    }
}
