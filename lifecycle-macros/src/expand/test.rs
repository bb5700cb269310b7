//! Code of the test around a function. Writing it can't fail. It calls the runtime's `testing`.
//!
//! Each token carries the span of its origin, as the compiler's errors and the runtime's panics
//! point there.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::ReturnType;
use syn::spanned::Spanned;

use crate::args::Args;
use crate::signature::Function;

/// Returns a plain test of the function's name, which runs the function. The function stands
/// unchanged inside the test, and its attributes stand on the test.
pub fn test(args: &Args, function: &Function) -> TokenStream {
    let Function { attributes, visibility, signature, body, .. } = function;
    let (name, runtime) = (&signature.ident, &args.runtime);
    let output = match &signature.output {
        ReturnType::Default => quote!(()),
        ReturnType::Type(_, output) => output.to_token_stream(),
    };
    let is_paused = args.start_paused.unwrap_or(true);
    // The first lint is about arguments by value, which hooks take as well; the second about an
    // `async fn` that doesn't await.
    let inner = quote! {
        #[allow(clippy::needless_pass_by_value, clippy::unused_async)]
        #signature #body
    };
    let run = if args.setup.is_none() && signature.inputs.is_empty() {
        let run = quote_spanned!(output.span()=> #runtime::testing::run::<#output, _>);
        quote_spanned!(name.span()=> #run(#is_paused, ::core::module_path!(), #name))
    } else {
        let run = quote_spanned!(output.span()=> #runtime::testing::run_with_app::<#output, _>);
        // One name with one span everywhere, as the arguments may come from different macros of the
        // user.
        let app = Ident::new("__app", Span::mixed_site());
        let default = || quote!(#runtime::testing::TestApp::builder);
        let setup = args.setup.as_ref().map_or_else(default, ToTokens::to_token_stream);
        let arguments = function.argument_types().map(|ty| {
            quote_spanned! {ty.span()=>
                <#ty as #runtime::testing::FromTestApp>::from_test_app(#app)
            }
        });
        let test = quote_spanned!(name.span()=> |#app| #name(#(#arguments),*));
        quote_spanned!(name.span()=> #run(#is_paused, ::core::module_path!(), #setup, #test))
    };
    // Cargo sets this variable only for the programs of the `tests/` folder.
    let registration = quote! {
        const _: () = {
            use #runtime::__private as __rt;
            __rt::inventory::submit!(__rt::TestModule::new(
                ::core::module_path!(),
                ::core::file!(),
                ::core::option_env!("CARGO_TARGET_TMPDIR"),
            ));
        };
    };
    quote_spanned! {name.span()=>
        #[::core::prelude::v1::test]
        #(#attributes)*
        #visibility fn #name() {
            #inner
            #registration
            #run
        }
    }
}
