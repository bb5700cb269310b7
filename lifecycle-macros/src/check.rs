//! Checks of a function under an attribute, and of keys that depend on each other: one named check
//! for each rule, with its reason.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{Attribute, FnArg, GenericParam, PatType, Receiver, ReturnType, Safety, Signature, Type};

use crate::args::{Args, Setting};
use crate::errors::Errors;
use crate::kind::{Key, Kind, Syntax};
use crate::signature::{Function, mentions};
use crate::value::Given;

/// Runs every check of the keys. They report nothing if a value was wrong already, as its key looks
/// as if it had not been given.
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
    reserve_fits_the_timeout(kind, args, errors);
}

/// Checks that the reserve is not longer than the timeout: nobody could use the rest of that time.
fn reserve_fits_the_timeout(kind: Kind, args: &Args, errors: &mut Errors) {
    let (Some(reserve), Some(timeout)) = (args.reserve, args.timeout) else { return };
    if reserve.value > timeout.value {
        let limit = if kind == Kind::Service { "stop_timeout" } else { "timeout" };
        let message =
            format!("the reserve is longer than `{limit}`: shorten it, or raise `{limit}`");
        errors.push(syn::Error::new(reserve.span, message));
    }
}

/// Default interval and timeout of a health check in milliseconds, the same as in the runtime.
const INTERVAL: u64 = 10_000;
const TIMEOUT: u64 = 1_000;

/// Checks that the interval is not shorter than the timeout: a health check never runs beside
/// itself, so it has to be over before the next begins.
fn interval_holds_the_timeout(args: &Args, errors: &mut Errors) {
    let interval = match args.setting(Key::Interval) {
        Some(Setting::Time(interval)) => Some(interval),
        _ => None,
    };
    let (longest, needed) = (
        interval.map_or(INTERVAL, |given| given.value),
        args.timeout.map_or(TIMEOUT, |given| given.value),
    );
    if needed <= longest {
        return;
    }
    match (interval, args.timeout) {
        (Some(interval), Some(_)) => errors.push(syn::Error::new(
            interval.span,
            "the interval is shorter than the timeout: a check has to be over before the next \
             begins",
        )),
        (Some(interval), None) => errors.push(syn::Error::new(
            interval.span,
            "the interval is shorter than the timeout, which is 1s unless it is given: add a \
             `timeout` that fits in",
        )),
        (None, Some(timeout)) => errors.push(syn::Error::new(
            timeout.span,
            "the timeout is longer than the interval, which is 10s unless it is given: add an \
             `interval` that holds it",
        )),
        (None, None) => {}
    }
}

/// Checks that a service with restart settings is restarted: otherwise they mean nothing. The
/// mistake is one, whatever the number of these settings, and stands at the first.
fn restarts_happen(args: &Args, errors: &mut Errors) {
    let restart = args.setting(Key::Restart);
    if let Some(Setting::Word(word)) = restart
        && word.value.variant != "Never"
    {
        return;
    }
    let meaningless = args.policy.iter().filter_map(|(key, setting)| match setting {
        Setting::Backoff(Given { span, .. }) | Setting::RestartLimit(Given { span, .. }) => {
            Some((format!("`{}`", key.name()), *span))
        }
        _ => None,
    });
    let (keys, spans): (Vec<_>, Vec<_>) = meaningless.unzip();
    let Some(span) = spans.first() else { return };
    let (mean, them) = if keys.len() > 1 { ("mean", "them") } else { ("means", "it") };
    let advice = if restart.is_some() {
        format!("take {them} off, or change `restart`")
    } else {
        "add `restart = \"on_failure\"`".to_owned()
    };
    let message = format!(
        "{} {mean} nothing to a service that is never restarted: {advice}",
        keys.join(" and ")
    );
    errors.push(syn::Error::new(*span, message));
}

/// Runs every check of a hook's function, and returns the first mistake that they found, if any.
pub fn hook(kind: Kind, function: &mut Function, errors: &mut Errors) -> Option<TokenStream> {
    let known = errors.count();
    called_by_the_runtime(&kind.syntax(), function, errors);
    returns_a_value(&function.signature, errors);
    errors.tokens().nth(known)
}

/// Runs every check of a test's function.
pub fn test(function: &mut Function, errors: &mut Errors) {
    called_by_the_runtime(&Syntax::TEST, function, errors);
    is_async(function, errors);
    returns_an_outcome(&function.signature, errors);
}

/// Runs the checks of every function that the runtime calls.
fn called_by_the_runtime(syntax: &Syntax, function: &mut Function, errors: &mut Errors) {
    let what = syntax.makes;
    one_attribute(syntax, function, errors);
    free_function(what, function, errors);
    plain_function(what, &function.signature, errors);
    not_generic(what, function, errors);
    arguments_by_value(what, function, errors);
    arguments_unconditional(what, &function.signature, errors);
}

/// Checks that a function has one attribute: the name of a hook can name only one hook. A second
/// attribute is removed, as it would only repeat the error. If it is a hook's, its name stays in
/// the output, as otherwise rustc would call its import unused.
fn one_attribute(syntax: &Syntax, function: &mut Function, errors: &mut Errors) {
    let Syntax { attribute: own, makes, .. } = syntax;
    let (attributes, repeated) = (&mut function.attributes, &mut function.repeated);
    attributes.retain(|attribute| {
        let name = attribute
            .path()
            .segments
            .last()
            .map(|segment| segment.ident.to_string())
            .unwrap_or_default();
        let (is_hook, is_test) = (Kind::of_attribute(&name).is_some(), name == "test");
        let message = match syntax.makes {
            _ if !is_hook && !is_test => return true,
            "test" if is_test => format!(
                "`#[{own}]` makes a test already: take this attribute \
                off"
            ),
            _ if name == *own => format!("`#[{own}]` is given twice"),
            _ => format!(
                "a function is one {makes}, and this one is under `#[{own}]` already: \
                          write two functions"
            ),
        };
        errors.add(attribute, message);
        if is_hook {
            repeated.push(attribute.path().clone());
        }
        false
    });
}

/// Checks that the function is not a method: a method has no name of its own that could name the
/// hook, and nobody could give it a `self`.
fn free_function(what: &str, function: &Function, errors: &mut Errors) {
    if let Some(receiver) = function.signature.receiver() {
        let message = format!(
            "a {what} is a free function and can't take `self`: move it out of the `impl` or \
             trait, and take \
             `Dep<hook>` for what it needs"
        );
        errors.add(receiver, message);
    } else if function.is_associated {
        let message = format!("a {what} is a free function: move it out of the `impl` or trait");
        errors.add(&function.signature.ident, message);
    }
}

/// Checks that a plain call is enough to call the function, as the runtime calls hooks and tests.
fn plain_function(what: &str, signature: &Signature, errors: &mut Errors) {
    let never = |word: &str| format!("a {what} can't be `{word}`: the runtime calls it");
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

/// Checks that the function has no generic parameters: the runtime would not know what to fill in.
fn not_generic(what: &str, function: &Function, errors: &mut Errors) {
    for parameter in &function.signature.generics.params {
        let kind = match parameter {
            GenericParam::Lifetime(_) => "lifetime",
            GenericParam::Type(_) => "type",
            GenericParam::Const(_) => "const",
        };
        let message = format!(
            "a {what} can't have {kind} parameters: the runtime would not know what to fill in"
        );
        errors.add(parameter, message);
    }
    for ty in function.argument_types().filter(|ty| is_impl_trait(ty)) {
        errors.add(
            ty,
            format!("a {what} can't take `impl Trait`: name the type, such as `Dep<hook>`"),
        );
    }
}

/// Checks that arguments are taken by value, as the runtime makes them for the call.
fn arguments_by_value(what: &str, function: &Function, errors: &mut Errors) {
    for ty in function.argument_types().filter(|ty| matches!(bare(ty), Type::Reference(_))) {
        let message = format!(
            "a {what} takes its arguments by value: `Dep<hook>` is cheap and dereferences to the \
             value"
        );
        errors.add(ty, message);
    }
}

/// Checks that arguments have no `cfg`: an optional dependency would give one program two plans.
fn arguments_unconditional(what: &str, signature: &Signature, errors: &mut Errors) {
    for input in &signature.inputs {
        let (FnArg::Typed(PatType { attrs, .. }) | FnArg::Receiver(Receiver { attrs, .. })) = input;
        let condition = |attribute: &&Attribute| {
            ["cfg", "cfg_attr"].iter().any(|name| attribute.path().is_ident(name))
        };
        for attribute in attrs.iter().filter(condition) {
            let message = format!(
                "a {what}'s argument can't be conditional: put the `cfg` on one of two functions"
            );
            errors.add(attribute, message);
        }
    }
}

/// Checks that the return type can be named, as others share the value by its type.
fn returns_a_value(signature: &Signature, errors: &mut Errors) {
    let ReturnType::Type(_, output) = &signature.output else {
        return;
    };
    if is_impl_trait(output) {
        errors.add(
            output,
            "a hook can't return `impl Trait`: name the type, or return a `Box<dyn Trait>`",
        );
    } else if let Type::Never(_) = bare(output) {
        errors.add(output, "a hook has to return: the run waits for it");
    }
}

/// Checks that the test is an `async fn`: the test and its app are awaited.
fn is_async(function: &Function, errors: &mut Errors) {
    let Signature { asyncness, fn_token, .. } = &function.signature;
    if asyncness.is_none() {
        let message = "a test under `#[lifecycle_runtime::test]` is an `async fn`; for a plain \
                       `fn`, where a `use` has taken \
                       the name `test`, write `#[core::prelude::v1::test]`";
        errors.add(fn_token, message);
    }
}

/// Checks that the return type can be named: the runner asks the value for the outcome of the test.
fn returns_an_outcome(signature: &Signature, errors: &mut Errors) {
    let ReturnType::Type(_, output) = &signature.output else {
        return;
    };
    if is_impl_trait(output) || matches!(bare(output), Type::Never(_)) {
        errors.add(output, "a test returns `()` or a `Result`");
    }
}

/// Returns the type without parentheses, and without the group into which a `macro_rules!` puts it.
fn bare(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => bare(&group.elem),
        Type::Paren(paren) => bare(&paren.elem),
        ty => ty,
    }
}

/// Returns whether the type is `impl Trait`, or contains it.
fn is_impl_trait(ty: &Type) -> bool {
    mentions(ty.to_token_stream(), "impl")
}
