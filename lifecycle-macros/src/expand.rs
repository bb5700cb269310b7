//! Code of a hook's registration, in the only place that writes it. Writing it can't fail. It calls
//! the runtime's `__private`.
//!
//! Each token carries the span of its origin, as the compiler's errors point there. So rustc finds
//! the same mistake in a type here as in the function itself, word for word, and reports it once.
//!
//! There are two items and as few bodies as possible, as rustc's time depends on their number and
//! not on their length.

mod test;

pub use test::test;

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Ident, Path, Type};

use crate::args::Setting;
use crate::kind::Kind;
use crate::model::{Hook, Soundness};
use crate::value::{Backoff, Given, RestartLimit};

/// Returns the lint exceptions of a function under an attribute. Its arguments are injected, so it
/// takes by value even what it only reads. It may depend on hooks that its callers can't name.
pub fn lints(hook: &Hook) -> TokenStream {
    let lints = (!hook.arguments.is_empty()).then(|| quote!(clippy::needless_pass_by_value,));
    quote!(#[allow(private_interfaces, #lints)])
}

/// Returns the hook's type and its registration.
pub fn hook(hook: &Hook) -> TokenStream {
    let Hook { name, conditions, args, repeated, .. } = hook;
    let runtime = &args.runtime;
    let (ty, returns, meta, dependencies) =
        (ty(hook), returns(hook), meta(hook), dependencies(hook));
    let (check, submit) = match &hook.soundness {
        Soundness::Sound => (dependencies.as_ref().map(|_| check(hook)), Some(submit(hook))),
        Soundness::NotRegistered | Soundness::NotCallable(_) => (None, None),
    };
    // All tokens that are not the user's own have the span of the function's name. rustc lints them
    // like the user's, too.
    quote_spanned! {name.span()=>
        #ty
        #(#conditions)*
        #[allow(deprecated, unused_imports, unused_qualifications, clippy::needless_update)]
        const _: () = {
            use #runtime::__private as __rt;
            #(use #repeated as _;)*
            impl __rt::Hook for #name {
                #returns
                const META: &'static __rt::HookMeta = &#meta;
                #dependencies
            }
            #check
            #submit
        };
    }
}

/// Returns the empty type that names the hook. Its span is at the function's name, but marked as
/// macro code, which rustc does not lint.
fn ty(hook: &Hook) -> TokenStream {
    let Hook { visibility, name, conditions, .. } = hook;
    let doc = format!(
        "The lifecycle hook [`{name}()`](fn@{name}): what `Dep<{name}>` and other hooks' keys name \
         it by."
    );
    let span = Span::mixed_site().located_at(name.span());
    let mut name = name.clone();
    name.set_span(span);
    quote_spanned! {span=>
        #(#conditions)*
        #[doc = #doc]
        #visibility struct #name {}
    }
}

/// Returns the associated types of the return type. The compiler takes that apart, as it alone
/// knows if it is a `Result`.
fn returns(hook: &Hook) -> TokenStream {
    let (returned, is_result) = match (hook.flaw(), &hook.output) {
        // An error within a type silences all errors about uses of that type.
        (Some(flaw), _) => (quote!(()), quote!({ #flaw })),
        (None, None) => (quote!(()), quote!(false)),
        (None, Some(output)) => (
            output.to_token_stream(),
            quote_spanned! {output.span()=>
                { use __rt::PlainOutput as _; __rt::ReturnType::<Self::Returned>::IS_RESULT }
            },
        ),
    };
    quote_spanned! {hook.output.span()=>
        type Returned = #returned;
        type Output = __rt::Parts<Self::Returned, #is_result>;
        type Value = <Self::Output as __rt::HookOutput>::Value;
    }
}

/// Returns the hook's metadata, from the attribute and the arguments.
fn meta(hook: &Hook) -> TokenStream {
    let Hook { name, args, .. } = hook;
    let (kind, text) = (format_ident!("{}", hook.kind.variant()), name.unraw().to_string());
    let order = args.order.map(|order| quote!(order: __rt::Some(#order),));
    let timeout = args
        .timeout
        .map(|given| millis(given.value))
        .map(|time| quote!(timeout: __rt::Some(#time),));
    let reserve = args
        .reserve
        .map(|given| millis(given.value))
        .map(|time| quote!(reserve: __rt::Some(#time),));
    let is_teardown = args.of.as_ref().map(|_| quote!(is_teardown: true,));
    let is_exclusive = args.exclusive.then(|| quote!(is_exclusive: true,));
    let (policy, run) = (policy(hook), run(hook));
    let keys = quote!(#order #timeout #reserve #is_teardown #is_exclusive #policy);
    let plain = quote_spanned! {name.span()=>
        __rt::meta::<Self>(__rt::Kind::#kind, #text, __rt::origin!(), #run)
    };
    if keys.is_empty() {
        plain
    } else {
        quote_spanned!(name.span()=> __rt::HookMeta { #keys ..#plain })
    }
}

/// Returns the field of the policy, which only hooks of this kind have.
fn policy(hook: &Hook) -> Option<TokenStream> {
    let Hook { kind, args, .. } = hook;
    let what = match (kind.policy(), args.signal) {
        (Some(ty), _) => {
            let ty = format_ident!("{ty}");
            let fields: Vec<_> =
                args.policy.iter().map(|(key, setting)| field(key.name(), *setting)).collect();
            let policy = match &*fields {
                [] => quote!(__rt::#ty::DEFAULT),
                fields => quote!(__rt::#ty { #(#fields,)* ..__rt::#ty::DEFAULT }),
            };
            match (kind, &hook.output) {
                (Kind::HealthCheck, Some(output)) => {
                    quote_spanned!(output.span()=> __rt::of_check::<Self>(#policy))
                }
                _ => policy,
            }
        }
        (None, Some(signal)) => quote!(#signal),
        (None, None) => return None,
    };
    let variant = format_ident!("{}", kind.variant());
    Some(quote!(policy: __rt::Policy::#variant(#what),))
}

/// Returns a field of a policy.
fn field(name: &str, setting: Setting) -> TokenStream {
    let name = format_ident!("{name}");
    let value = match setting {
        Setting::Word(word) => {
            let (of, variant) =
                (format_ident!("{}", word.value.of), format_ident!("{}", word.value.variant));
            quote!(__rt::#of::#variant)
        }
        Setting::Time(time) => millis(time.value),
        Setting::Number(number) => quote!(#number),
        Setting::Backoff(Given { value: Backoff { first, cap }, .. }) => {
            let first = millis(first);
            let cap = cap
                .map(millis)
                .map_or_else(|| quote!(..__rt::Backoff::DEFAULT), |cap| quote!(cap: #cap));
            quote!(__rt::Backoff { first: #first, #cap })
        }
        Setting::RestartLimit(Given { value: Some(RestartLimit { count, within }), .. }) => {
            let within = millis(within);
            quote!(__rt::Some(__rt::RestartLimit { count: #count, within: #within }))
        }
        Setting::RestartLimit(Given { value: None, .. }) => quote!(__rt::None),
    };
    quote!(#name: #value)
}

fn millis(millis: u64) -> TokenStream {
    quote!(__rt::Duration::from_millis(#millis))
}

/// Returns the constant with the hooks that this one names. rustc finds cycles when it evaluates
/// it. `before` makes none, as an order may well be written on both sides.
fn dependencies(hook: &Hook) -> Option<TokenStream> {
    let args = &hook.args;
    let arguments = if hook.flaw().is_some() { &[] } else { &*hook.arguments };
    let argument = |ty: &Type| quote_spanned!(ty.span()=> <#ty as __rt::Inject>::DEPENDENCIES);
    let dependency = |path: &Path| quote_spanned!(path.span()=> <#path as __rt::Hook>::DEPENDENCY);
    let later = |path: &Path| quote_spanned!(path.span()=> <#path as __rt::Hook>::META);
    let span = hook.name.span();
    let fields: TokenStream = [
        list("arguments", span, arguments.iter().map(argument)),
        list("after", span, args.after.iter().map(dependency)),
        list("before", span, args.before.iter().map(later)),
        args.of.as_ref().map(dependency).map(|hook| quote_spanned!(span=> of: __rt::Some(#hook),)),
    ]
    .into_iter()
    .flatten()
    .collect();
    (!fields.is_empty()).then(|| {
        quote_spanned! {span=>
            const DEPENDENCIES: __rt::Dependencies =
                __rt::Dependencies { #fields ..__rt::Dependencies::NONE };
        }
    })
}

/// Returns a field for a list; `None` if the list is empty.
fn list(
    name: &str,
    span: Span,
    entries: impl ExactSizeIterator<Item = TokenStream>,
) -> Option<TokenStream> {
    let name = Ident::new(name, span);
    (entries.len() > 0).then(|| quote_spanned!(span=> #name: &[#(#entries),*],))
}

/// Returns the closure that makes a task of the hook: it injects the arguments and calls the user's
/// function.
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
    // One name with one span everywhere: the arguments may come from different macros of the user,
    // and a name from one macro is unknown in another.
    let scope = Ident::new("__scope", Span::mixed_site());
    let arguments = hook
        .arguments
        .iter()
        .map(|ty| quote_spanned!(ty.span()=> <#ty as __rt::Inject>::inject(&#scope)?));
    quote_spanned! {name.span()=>
        |#scope| __rt::#task(move || __rt::Ok(#name(#(#arguments),*)))
    }
}

/// Returns the constant in which rustc finds contradictions to other hooks.
fn check(hook: &Hook) -> TokenStream {
    let name = &hook.name;
    quote_spanned! {name.span()=>
        const _: () =
            <#name as __rt::Hook>::META.check(&<#name as __rt::Hook>::DEPENDENCIES);
    }
}

/// Returns the submission of the hook to the registry.
fn submit(hook: &Hook) -> TokenStream {
    let name = &hook.name;
    quote_spanned! {name.span()=>
        __rt::inventory::submit!(__rt::Registered(<#name as __rt::Hook>::META));
    }
}
