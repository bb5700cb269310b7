//! The only registration that is written; it can't fail. What it calls is in the runtime's `__private`.
//!
//! Each token carries the place of what it was made from, as errors of the compiler point there. What rustc finds wrong
//! with a type is then word for word what it finds wrong with it in the function itself, and it says it once.
//!
//! Two items and as few bodies as can be: rustc's time goes by their number, not by their length.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;

use crate::model::{Hook, Soundness};

/// What a function under an attribute may do beyond others: its arguments are injected, so it takes by value also what it
/// only looks at, and may depend on hooks that those who call it can't name.
pub fn lints(hook: &Hook) -> TokenStream {
    let lints = (!hook.arguments.is_empty()).then(|| quote!(clippy::needless_pass_by_value,));
    quote!(#[allow(private_interfaces, #lints)])
}

/// The hook's type and its registration.
pub fn hook(hook: &Hook) -> TokenStream {
    let Hook { name, conditions, args, repeated, .. } = hook;
    let runtime = &args.runtime;
    let (ty, returns, meta) = (ty(hook), returns(hook), meta(hook));
    let (check, submit) = match &hook.soundness {
        Soundness::Sound => (check(hook), Some(submit(hook))),
        Soundness::NotRegistered | Soundness::NotCallable(_) => (None, None),
    };
    // The function's name is the place of all that is not the user's own. rustc lints it like the user's, too.
    quote_spanned! {name.span()=>
        #ty
        #(#conditions)*
        #[allow(deprecated, unused_imports, unused_qualifications)]
        const _: () = {
            use #runtime::__private as __lifecycle;
            #(use #repeated as _;)*
            impl __lifecycle::Hook for #name {
                #returns
                const META: &'static __lifecycle::HookMeta = &#meta;
            }
            #check
            #submit
        };
    }
}

/// The empty type that names the hook. It stands at the function's name, yet as something of ours, which rustc does not
/// lint.
fn ty(hook: &Hook) -> TokenStream {
    let Hook { visibility, name, conditions, .. } = hook;
    let doc =
        format!("The lifecycle hook [`{name}()`](fn@{name}): what `Dep<{name}>` and other hooks' keys name it by.");
    let span = Span::mixed_site().located_at(name.span());
    let mut name = name.clone();
    name.set_span(span);
    quote_spanned! {span=>
        #(#conditions)*
        #[doc = #doc]
        #visibility struct #name {}
    }
}

/// What the function returns, taken apart by the compiler, which alone knows whether it is a `Result`.
fn returns(hook: &Hook) -> TokenStream {
    let (returned, is_result) = match (hook.flaw(), &hook.output) {
        // An error within a type silences what would be said of uses of the type.
        (Some(flaw), _) => (quote!(()), quote!({ #flaw })),
        (None, None) => (quote!(()), quote!(false)),
        (None, Some(output)) => (
            output.to_token_stream(),
            quote_spanned!(output.span()=> { use __lifecycle::PlainOutput as _; __lifecycle::Probe::<Self::Returned>::IS_RESULT }),
        ),
    };
    quote_spanned! {hook.output.span()=>
        type Returned = #returned;
        type Output = __lifecycle::Parts<Self::Returned, #is_result>;
        type Value = <Self::Output as __lifecycle::Output>::Value;
    }
}

/// What the attribute and the arguments say.
fn meta(hook: &Hook) -> TokenStream {
    let Hook { name, args, .. } = hook;
    let (kind, text) = (format_ident!("{}", hook.kind.variant()), name.unraw().to_string());
    let order = args.order.map(|order| quote!(order: __lifecycle::Some(#order),));
    let timeout =
        args.timeout.map(|millis| quote!(timeout: __lifecycle::Some(__lifecycle::Duration::from_millis(#millis)),));
    let arguments = (!hook.arguments.is_empty() && hook.flaw().is_none()).then(|| {
        let uses = hook.arguments.iter().map(|ty| quote_spanned!(ty.span()=> <#ty as __lifecycle::Inject>::USES));
        quote!(arguments: &[#(#uses),*],)
    });
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
        quote!(of: __lifecycle::Some(#meta),)
    });
    let run = run(hook);
    let keys = quote!(#order #timeout #arguments #after #before #of);
    let plain = quote_spanned! {name.span()=>
        __lifecycle::meta::<Self>(__lifecycle::Kind::#kind, #text, ::core::module_path!(), #run)
    };
    if keys.is_empty() { plain } else { quote_spanned!(name.span()=> __lifecycle::HookMeta { #keys ..#plain }) }
}

/// The metadata of the hook that a path names.
fn meta_of(path: &syn::Path) -> TokenStream {
    quote_spanned!(path.span()=> <#path as __lifecycle::Hook>::META)
}

/// What makes a task of the hook: it injects the arguments and calls the user's function.
fn run(hook: &Hook) -> TokenStream {
    if let Some(flaw) = hook.flaw() {
        return flaw.clone();
    }
    let name = &hook.name;
    let task = if hook.is_async {
        quote_spanned!(name.span()=> future::<Self, _>)
    } else {
        quote_spanned!(name.span()=> blocking::<Self>)
    };
    let arguments =
        hook.arguments.iter().map(|ty| quote_spanned!(ty.span()=> <#ty as __lifecycle::Inject>::inject(&__scope)?));
    quote_spanned! {name.span()=>
        |__scope| __lifecycle::#task(move || __lifecycle::Ok(#name(#(#arguments),*)))
    }
}

/// Whether the hook contradicts others. What `before` names is not in the metadata, as these hooks may name this one.
fn check(hook: &Hook) -> Option<TokenStream> {
    let Hook { name, args, .. } = hook;
    let is_alone = hook.arguments.is_empty() && args.after.is_empty() && args.before.is_empty() && args.of.is_none();
    let later = args.before.iter().map(meta_of);
    (!is_alone).then(|| {
        quote_spanned! {name.span()=>
            const _: () = <#name as __lifecycle::Hook>::META.check(&[#(#later),*]);
        }
    })
}

/// Where the registry finds the hook. Evaluating it, rustc finds cycles.
fn submit(hook: &Hook) -> TokenStream {
    let name = &hook.name;
    quote_spanned! {name.span()=>
        __lifecycle::inventory::submit! { __lifecycle::Registered(<#name as __lifecycle::Hook>::META) }
    }
}
