//! The only registration that is written; it can't fail. What it calls is in the runtime's `__private`.
//!
//! Each token carries the place of what it was made from, as errors of the compiler point there.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;

use crate::model::Hook;

/// What a function under an attribute is allowed to do beyond others: arguments are injected by value, also those that
/// are only looked at.
pub fn lints(hook: &Hook) -> TokenStream {
    match hook.arguments.is_empty() {
        true => TokenStream::new(),
        false => quote!(#[allow(clippy::needless_pass_by_value)]),
    }
}

/// The hook's type and its registration.
pub fn hook(hook: &Hook) -> TokenStream {
    let name = &hook.name;
    let (conditions, keys) = (&hook.conditions, keys(hook));
    let (ty, meta, output, run) = (ty(hook), meta(hook), output(hook), run(hook));
    let runtime = &hook.args.runtime;
    let checked = quote_spanned!(name.span()=> <#name as __lifecycle::Hook>::META.check());
    let meta = quote_spanned!(name.span()=> &__lifecycle::HookMeta { #keys ..#meta });
    let implementation = implementation(hook, &quote!(<__Output as __lifecycle::Output<__RESULT>>::Value), &meta);
    quote! {
        #ty
        #(#conditions)*
        const _: () = {
            use #runtime::__private as __lifecycle;
            #output
            #implementation
            #run
            const _: () = #checked;
            __lifecycle::inventory::submit! { __lifecycle::Registered(<#name as __lifecycle::Hook>::META) }
        };
    }
}

/// The hook's type alone, for a function that can't be registered: other hooks may name it without an error of their own.
pub fn name_only(hook: &Hook) -> TokenStream {
    let (ty, meta, conditions, runtime) = (ty(hook), meta(hook), &hook.conditions, &hook.args.runtime);
    let implementation = implementation(hook, &quote!(()), &quote!(&#meta));
    let run = run_name(hook);
    quote! {
        #ty
        #(#conditions)*
        const _: () = {
            use #runtime::__private as __lifecycle;
            #implementation
            fn #run(_: __lifecycle::Scope) -> __lifecycle::Task {
                ::core::unreachable!()
            }
        };
    }
}

/// The empty type that names the hook.
fn ty(hook: &Hook) -> TokenStream {
    let Hook { visibility, name, conditions, .. } = hook;
    let doc =
        format!("The lifecycle hook [`{name}()`](fn@{name}): what `Dep<{name}>` and other hooks' keys name it by.");
    quote! {
        #(#conditions)*
        #[doc = #doc]
        #[allow(non_camel_case_types, dead_code, clippy::empty_structs_with_brackets)]
        #visibility struct #name {}
    }
}

/// The hook's type as a hook. It stands where the function's name stands: what rustc finds wrong with an argument's type
/// is then word for word what it finds wrong with it in the function itself, and it says it once.
fn implementation(hook: &Hook, value: &TokenStream, meta: &TokenStream) -> TokenStream {
    let name = &hook.name;
    quote_spanned! {name.span()=>
        impl __lifecycle::Hook for #name {
            type Value = #value;
            const META: &'static __lifecycle::HookMeta = #meta;
        }
    }
}

/// The metadata without what the keys and arguments say.
fn meta(hook: &Hook) -> TokenStream {
    let name = &hook.name;
    let text = name.to_string();
    let text = text.trim_start_matches("r#");
    let kind = format_ident!("{}", hook.kind.variant());
    let run = run_name(hook);
    quote_spanned! {name.span()=>
        __lifecycle::HookMeta::new(
            __lifecycle::HookId::of::<#name>(), __lifecycle::Kind::#kind, #text, ::core::module_path!(), #run,
        )
    }
}

/// The fields of the metadata that the attribute or the arguments say something about.
fn keys(hook: &Hook) -> TokenStream {
    let args = &hook.args;
    let order = args.order.map(|order| quote!(order: ::core::option::Option::Some(#order),));
    let timeout = args
        .timeout
        .map(|millis| quote!(timeout: ::core::option::Option::Some(__lifecycle::Duration::from_millis(#millis)),));
    let meta_of = |path: &syn::Path| quote_spanned!(path.span()=> <#path as __lifecycle::Hook>::META);
    let after = (!args.after.is_empty()).then(|| {
        let metas = args.after.iter().map(meta_of);
        quote!(after: &[#(#metas),*],)
    });
    let before = (!args.before.is_empty()).then(|| {
        let metas = args.before.iter().map(meta_of);
        quote!(before: &[#(|| #metas),*],)
    });
    let of = args.of.as_ref().map(|path| {
        let meta = meta_of(path);
        quote!(of: ::core::option::Option::Some(#meta),)
    });
    let arguments = (!hook.arguments.is_empty()).then(|| {
        let uses = hook.arguments.iter().map(|ty| quote_spanned!(ty.span()=> <#ty as __lifecycle::Inject>::USES));
        quote!(arguments: &[#(#uses),*],)
    });
    quote!(#order #timeout #arguments #after #before #of)
}

/// The return type, and whether it is a `Result`.
fn output(hook: &Hook) -> TokenStream {
    let output = &hook.output;
    quote! {
        type __Output = #output;
        const __RESULT: bool = {
            #[allow(unused_imports)]
            use __lifecycle::PlainOutput as _;
            __lifecycle::Probe::<__Output>::IS_RESULT
        };
    }
}

/// The function that makes a task of the hook: it injects the arguments and calls the user's function.
fn run(hook: &Hook) -> TokenStream {
    let name = &hook.name;
    let arguments =
        hook.arguments.iter().map(|ty| quote_spanned!(ty.span()=> <#ty as __lifecycle::Inject>::inject(&__scope)?));
    let call = quote_spanned!(name.span()=> #name(#(#arguments),*));
    let task = match hook.is_async {
        true => {
            let awaited = quote_spanned!(name.span()=> #call.await);
            quote_spanned!(name.span()=> __lifecycle::Task::future(async move { __returned(#awaited) }))
        }
        false => quote_spanned!(name.span()=> __lifecycle::Task::blocking(move || __returned(#call))),
    };
    let (run, output) = (run_name(hook), &hook.output);
    let returned = quote_spanned!(output.span()=> __lifecycle::returned::<#output, __RESULT>(__output));
    quote! {
        fn __returned(__output: __Output) -> __lifecycle::TaskResult { #returned }
        #[allow(unused_variables)]
        fn #run(__scope: __lifecycle::Scope) -> __lifecycle::Task { #task }
    }
}

/// Stands at the function's name, for the reason that [`implementation`] does.
fn run_name(hook: &Hook) -> Ident {
    Ident::new("__run", hook.name.span())
}
