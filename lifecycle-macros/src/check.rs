//! What a function must be to be a hook, and what keys must be to each other: one named check per rule, each with its
//! reason.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{Attribute, FnArg, GenericParam, PatType, Receiver, ReturnType, Safety, Signature, Type};

use crate::args::{Args, Setting};
use crate::errors::Errors;
use crate::kind::{Key, Kind};
use crate::signature::{Function, mentions};
use crate::value::Given;

/// Runs every check of the keys. A key whose value was wrong looks as if it had not been given, so nothing is said of it
/// here.
pub fn keys(kind: Kind, args: &Args, errors: &mut Errors) {
    if !errors.is_empty() {
        return;
    }
    if kind == Kind::HealthCheck {
        interval_holds_the_timeout(args, errors);
    }
    if kind == Kind::Service {
        restarts_happen(args, errors);
    }
}

/// How often a health check runs, and how long it may take, unless the attribute says otherwise: as the runtime has it.
const INTERVAL: u64 = 10_000;
const TIMEOUT: u64 = 1_000;

/// A check never runs beside itself, so it has to be over before the next begins.
fn interval_holds_the_timeout(args: &Args, errors: &mut Errors) {
    let interval = match args.setting(Key::Interval) {
        Some(Setting::Time(interval)) => Some(interval),
        _ => None,
    };
    let (longest, needed) =
        (interval.map_or(INTERVAL, |given| given.value), args.timeout.map_or(TIMEOUT, |given| given.value));
    if needed <= longest {
        return;
    }
    match (interval, args.timeout) {
        (Some(interval), Some(_)) => errors.push(syn::Error::new(
            interval.span,
            "the interval is shorter than the timeout: a check has to be over before the next begins",
        )),
        (Some(interval), None) => errors.push(syn::Error::new(
            interval.span,
            "the interval is shorter than the timeout, which is 1s unless it is given: add a `timeout` that fits in",
        )),
        (None, Some(timeout)) => errors.push(syn::Error::new(
            timeout.span,
            "the timeout is longer than the interval, which is 10s unless it is given: add an `interval` that holds it",
        )),
        (None, None) => {}
    }
}

/// What says how to restart says nothing of a service that is never restarted.
fn restarts_happen(args: &Args, errors: &mut Errors) {
    let never = match args.setting(Key::Restart) {
        Some(Setting::Word(word)) => word.value.variant == "Never",
        _ => true,
    };
    for (key, setting) in args.policy.iter().filter(|_| never) {
        if let Setting::Backoff(Given { span, .. }) | Setting::Restarts(Given { span, .. }) = setting {
            let message = format!(
                "`{}` means nothing to a service that is never restarted: add `restart = \"on_failure\"`",
                key.name()
            );
            errors.push(syn::Error::new(*span, message));
        }
    }
}

/// Runs every check of the function. The first mistake, if one of them found any.
pub fn function(kind: Kind, function: &mut Function, errors: &mut Errors) -> Option<TokenStream> {
    let known = errors.count();
    one_attribute(kind, function, errors);
    free_function(function, errors);
    plain_function(&function.signature, errors);
    not_generic(function, errors);
    arguments_by_value(function, errors);
    arguments_unconditional(&function.signature, errors);
    returns_a_value(&function.signature, errors);
    errors.tokens().nth(known)
}

/// One function is one hook: its name can name only one. The second attribute is taken off, as it would only repeat the
/// error; its name stays behind, or rustc would call its import unused.
fn one_attribute(kind: Kind, function: &mut Function, errors: &mut Errors) {
    let (attributes, repeated) = (&mut function.attributes, &mut function.repeated);
    attributes.retain(|attribute| {
        let name = attribute.path().segments.last().map(|segment| segment.ident.to_string());
        let Some(other) = name.as_deref().and_then(Kind::of_attribute) else {
            return true;
        };
        let message = if other == kind {
            format!("`#[{}]` is given twice", kind.attribute())
        } else {
            format!(
                "a function is one hook, and this one is under `#[{}]` already: write two functions",
                kind.attribute()
            )
        };
        errors.add(attribute, message);
        repeated.push(attribute.path().clone());
        false
    });
}

/// A method has no name of its own that could name the hook, and nobody to give it a `self`.
fn free_function(function: &Function, errors: &mut Errors) {
    if let Some(receiver) = function.signature.receiver() {
        errors.add(receiver, "a hook is a free function and can't take `self`: take `Dep<hook>` for what it needs");
    } else if function.is_associated() {
        errors.add(&function.signature.ident, "a hook is a free function: move it out of the `impl`");
    }
}

/// The runtime calls hooks, so they can't ask for more than a call.
fn plain_function(signature: &Signature, errors: &mut Errors) {
    let never = |what: &str| format!("a hook can't be `{what}`: the runtime calls it");
    if let Some(token) = &signature.constness {
        errors.add(token, never("const"));
    }
    if let Safety::Unsafe(token) = &signature.safety {
        errors.add(token, never("unsafe"));
    }
    if let Some(abi) = &signature.abi {
        errors.add(abi, never("extern"));
    }
    if let Some(variadic) = &signature.variadic {
        errors.add(variadic, never("variadic"));
    }
}

/// The runtime would not know what to fill in.
fn not_generic(function: &Function, errors: &mut Errors) {
    for parameter in &function.signature.generics.params {
        let what = match parameter {
            GenericParam::Lifetime(_) => "lifetime",
            GenericParam::Type(_) => "type",
            GenericParam::Const(_) => "const",
        };
        errors
            .add(parameter, format!("a hook can't have {what} parameters: the runtime would not know what to fill in"));
    }
    for ty in function.argument_types().filter(|ty| is_impl_trait(ty)) {
        errors.add(ty, "a hook can't take `impl Trait`: name the type, such as `Dep<hook>`");
    }
}

/// Arguments are made for the call.
fn arguments_by_value(function: &Function, errors: &mut Errors) {
    for ty in function.argument_types().filter(|ty| matches!(ty, Type::Reference(_))) {
        errors.add(ty, "a hook takes its arguments by value: `Dep<hook>` is cheap and dereferences to the value");
    }
}

/// A dependency that is there only sometimes would make two plans of one program.
fn arguments_unconditional(signature: &Signature, errors: &mut Errors) {
    for input in &signature.inputs {
        let (FnArg::Typed(PatType { attrs, .. }) | FnArg::Receiver(Receiver { attrs, .. })) = input;
        let condition = |attribute: &&Attribute| ["cfg", "cfg_attr"].iter().any(|name| attribute.path().is_ident(name));
        for attribute in attrs.iter().filter(condition) {
            errors.add(attribute, "a hook's argument can't be conditional: put the `cfg` on one of two functions");
        }
    }
}

/// Others share the value by its type, so it needs one that can be named.
fn returns_a_value(signature: &Signature, errors: &mut Errors) {
    let ReturnType::Type(_, output) = &signature.output else {
        return;
    };
    if is_impl_trait(output) {
        errors.add(output, "a hook can't return `impl Trait`: name the type, or return a `Box<dyn Trait>`");
    } else if let Type::Never(_) = **output {
        errors.add(output, "a hook has to return: the run waits for it");
    }
}

/// `impl Trait`, also as a part of the type.
fn is_impl_trait(ty: &Type) -> bool {
    mentions(ty.to_token_stream(), "impl")
}
