//! Tests of durations and of arguments, with one case per line.

use super::{errors, expand, expand_test};
use crate::args::Args;
use crate::duration;
use crate::errors::Errors;
use crate::kind::{Kind, Syntax};

#[test]
fn durations() {
    let table = include_str!("../../../tests/durations.txt");
    for line in table.lines().filter(|line| line.starts_with('"')) {
        let (text, expected) = line[1..].rsplit_once("\" ").expect("a text and what comes of it");
        match (duration::parse(text, "so"), expected.split_at(2)) {
            (Err(message), ("= ", "0")) => {
                assert_eq!(message, "the duration is zero: so", "{line}");
            }
            (Ok(millis), ("= ", expected)) => assert_eq!(millis.to_string(), expected, "{line}"),
            (Err(message), ("! ", part)) => assert!(message.contains(part), "{line}: {message}"),
            (got, _) => panic!("{line}: {got:?}"),
        }
    }
    let empty = duration::parse("", "so").expect_err("nothing");
    assert!(empty.starts_with("the duration is empty"), "{empty}");
}

/// Returns the parsed arguments as text: `order timeout after before of crate`.
fn understood(kind: Kind, text: &str) -> Result<String, Vec<String>> {
    let mut errors = Errors::default();
    let args = Args::parse(&kind.syntax(), super::parse(text), &mut errors);
    if !errors.is_empty() {
        return Err(super::errors(errors.tokens().collect()));
    }
    let paths = |paths: &[syn::Path]| {
        let paths: Vec<_> =
            paths.iter().map(|path| quote::quote!(#path).to_string().replace(' ', "")).collect();
        paths.join(" ")
    };
    let of: Vec<_> = args.of.into_iter().collect();
    let number = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
    let runtime = args.runtime.to_string().replace(' ', "");
    let order = number(args.order.map(u64::from));
    let timeout = number(args.timeout.map(|timeout| timeout.value));
    Ok(format!(
        "{order}|{timeout}|{}|{}|{}|{runtime}",
        paths(&args.after),
        paths(&args.before),
        paths(&of)
    ))
}

#[test]
fn what_is_right_is_understood() {
    let cases = [
        ("", "|||||::lifecycle_runtime"),
        (",", "expected a key"),
        ("order = 1", "1|||||::lifecycle_runtime"),
        ("order = 0xff,", "255|||||::lifecycle_runtime"),
        ("order = 4_294_967_295", "4294967295|||||::lifecycle_runtime"),
        ("timeout = \"1m\"", "|60000||||::lifecycle_runtime"),
        ("timeout = r\"5s\"", "|5000||||::lifecycle_runtime"),
        ("after = []", "|||||::lifecycle_runtime"),
        ("after = [a]", "||a|||::lifecycle_runtime"),
        (
            "after = [a, crate::b::c, super::d, ::e::f,]",
            "||a crate::b::c super::d ::e::f|||::lifecycle_runtime",
        ),
        (
            "after = [r#type], before = [self::r#match]",
            "||r#type|self::r#match||::lifecycle_runtime",
        ),
        ("of = crate::db", "||||crate::db|::lifecycle_runtime"),
        ("crate = lc", "|||||lc"),
        ("crate = ::a::lc, order = 2", "2|||||::a::lc"),
        (
            "timeout = \"5s\", of = db, crate = lc, before = [b], after = [a], order = 3",
            "3|5000|a|b|db|lc",
        ),
    ];
    for (text, expected) in cases {
        match understood(Kind::Shutdown, text) {
            Ok(args) => assert_eq!(args, expected, "{text:?}"),
            Err(errors) => {
                assert!(errors.len() == 1 && errors[0].contains(expected), "{text:?}: {errors:?}");
            }
        }
    }
}

#[test]
fn every_mistake_is_named() {
    let cases: [(&str, &[&str]); 26] = [
        ("odrer = 1", &["unknown key `odrer`, did you mean `order`?"]),
        ("orders = 1", &["did you mean `order`?"]),
        ("timout", &["did you mean `timeout`?"]),
        (
            "afterwards = []",
            &["unknown key `afterwards`; `#[on_startup]` takes `order`, `after`, `timeout`, \
                 `exclusive`, `crate`"],
        ),
        ("before = [a]", &["`before` is a key of `#[on_shutdown]`"]),
        ("r#order = 1", &["unknown key"]),
        ("order", &["`order` needs a value: a whole number: `order = 10`"]),
        ("order =", &["`order` needs a value"]),
        ("order(1)", &["`order` needs a value"]),
        ("order == 1", &["expected a whole number"]),
        ("order = -1", &["can't be negative"]),
        ("order = 4294967296", &["at most 4294967295"]),
        ("order = \"1\"", &["expected a whole number"]),
        ("order = 1 + 1", &["expected a whole number"]),
        ("order = 1u32", &["expected a whole number"]),
        ("order = 1 1", &["unexpected after the value of `order`"]),
        ("order = 1, order = 1", &["`order` is given twice"]),
        ("order = 1, order, order = x", &["`order` is given twice"]),
        ("after = a", &["expected a list of hooks"]),
        ("after = [a b]", &["expected a list of hooks"]),
        ("after = [a,,b]", &["expected a list of hooks"]),
        ("after = (a)", &["expected a list of hooks"]),
        ("1, 2", &["expected a key"]),
        ("timeout = 5", &["expected a duration in quotes"]),
        (
            "timeout = \"5\", order = x, after = 1, what",
            &["not a duration", "whole number", "list", "unknown key"],
        ),
        ("crate = \"lc\"", &["expected the path of the runtime crate"]),
    ];
    for (text, expected) in cases {
        let errors = understood(Kind::Startup, text).expect_err(text);
        assert!(
            errors.iter().zip(expected).all(|(error, part)| error.contains(part)),
            "{text:?}: {errors:?}"
        );
        // The same error text twice counts as one.
        assert_eq!(errors.len(), expected.len(), "{text:?}: {errors:?}");
    }
}

#[test]
fn each_attribute_takes_its_own_keys() {
    let cases = [
        (
            Kind::Ready,
            "of = db",
            "`of` is a key of `#[on_shutdown]`; `#[on_ready]` takes `order`, `after`, `timeout`, \
             `crate`",
        ),
        (
            Kind::Startup,
            "reserve = \"5s\"",
            "`reserve` is a key of `#[service]` and `#[on_shutdown]`; `#[on_startup]` takes",
        ),
        (Kind::Ready, "before = [a]", "`before` is a key of `#[on_shutdown]`; `#[on_ready]` takes"),
        (
            Kind::Drain,
            "of = db",
            "`of` is a key of `#[on_shutdown]`; `#[on_drain]` takes `order`, `after`, `timeout`, \
             `crate`",
        ),
        (Kind::Drain, "timout = \"1s\"", "did you mean `timeout`? `#[on_drain]` takes"),
        (
            Kind::Service,
            "timeout = \"1s\"",
            "unknown key `timeout`, did you mean `stop_timeout`? `#[service]` takes",
        ),
        (
            Kind::Service,
            "order = 1",
            "`order` is a key of `#[on_startup]`; `#[service]` takes `after`, `restart`,",
        ),
        (
            Kind::HealthCheck,
            "restart = \"never\"",
            "`restart` is a key of `#[service]`; `#[health_check]` takes",
        ),
        (
            Kind::Signal,
            "SIGHUP, order = 1",
            "`order` is a key of `#[on_startup]`; `#[on_signal]` takes the name of a signal, \
             `after`, `timeout`, `crate`",
        ),
    ];
    for (kind, text, expected) in cases {
        let errors = understood(kind, text).expect_err(text);
        assert!(errors.len() == 1 && errors[0].contains(expected), "{text:?}: {errors:?}");
    }
    for kind in [Kind::Startup, Kind::Ready, Kind::Drain, Kind::Shutdown] {
        assert_eq!(
            understood(kind, "order = 3, timeout = \"5s\", after = [a]").as_deref(),
            Ok("3|5000|a|||::lifecycle_runtime")
        );
    }
}

#[test]
fn mistakes_of_the_attribute_and_of_the_function_are_all_named() {
    let item = "unsafe fn db<T>(self, name: &str) -> impl Sized {}";
    let errors = errors(expand(Kind::Startup, "order = -1, of = x", item));
    let parts = [
        "negative",
        "a key of `#[on_shutdown]`",
        "`self`",
        "`unsafe`",
        "type parameters",
        "by value",
        "`impl Trait`",
    ];
    assert_eq!(errors.len(), parts.len(), "{errors:?}");
    assert!(errors.iter().zip(parts).all(|(error, part)| error.contains(part)), "{errors:?}");
}

#[test]
fn messages_say_what_to_do_in_one_line_of_lower_case_without_a_full_stop() {
    let args = [
        "odr = 1, order = -1, timeout = \"x\", after = 1",
        "of, of = 1, before = \"\"",
        "1",
        "order = 1 2",
        "crate = 1",
        "setup = 1, start_paused = 1",
        "restart = \"\", backoff = \"\", max_restarts = 5, on_exit = 1, kind = x, interval = 1, \
         failures = 0",
        "kind = \"\", backoff = \"0s\", max_restarts = \"0 in 1m\", interval = \"0s\", failures = \
         -1",
        "timeout = \"20s\"",
        "backoff = \"1s\"",
        "SIGTERM",
        "SIGKILL, SIGHUP",
        "SIGSEGV",
        "SIG",
    ];
    let items = [
        "struct A;",
        "const unsafe extern \"C\" fn a<'a, T, const N: u8>(self, #[cfg(a)] b: &u8, c: impl B) -> \
         ! {}",
    ];
    for (args, item) in args.into_iter().flat_map(|args| items.map(|item| (args, item))) {
        let hooks = Kind::ALL.into_iter().flat_map(|kind| errors(expand(kind, args, item)));
        for error in hooks.chain(errors(expand_test(args, item))) {
            let first = error.chars().next().unwrap_or('.');
            assert!(first.is_lowercase() || "`".contains(first), "{error}");
            assert!(!error.ends_with('.') && !error.contains('\n'), "{error}");
        }
    }
}

#[test]
fn a_test_takes_keys_of_its_own() {
    let is_async = "a test under `#[lifecycle_runtime::test]` is an `async fn`";
    let cases: [(&str, &str, &[&str]); 13] = [
        ("", "async fn a() {}", &[]),
        (
            "setup = b::c, start_paused = true, crate = lc",
            "async fn a(b: B) -> Result<(), E> {}",
            &[],
        ),
        (
            "order = 1",
            "async fn a() {}",
            &["`order` is a key of `#[on_startup]`; `#[lifecycle_runtime::test]` takes"],
        ),
        (
            "start_pause = true",
            "async fn a() {}",
            &["unknown key `start_pause`, did you mean `start_paused`?"],
        ),
        ("setup = a, setup = b", "async fn a() {}", &["`setup` is given twice"]),
        ("setup", "async fn a() {}", &["`setup` needs a value: the path of a function"]),
        (
            "setup = \"b\"",
            "async fn a() {}",
            &["expected the path of a function that returns a `TestAppBuilder`"],
        ),
        ("setup = b()", "async fn a() {}", &["unexpected after the value of `setup`"]),
        (
            "start_paused = 1",
            "async fn a() {}",
            &["expected `start_paused = true` or `start_paused = false`"],
        ),
        ("", "fn a() {}", &[is_async]),
        ("", "async fn a() -> ! {}", &["a test returns `()` or a `Result`"]),
        (
            "",
            "#[tokio::test] async fn a() {}",
            &["`#[lifecycle_runtime::test]` makes a test already"],
        ),
        (
            "x = 1",
            "fn a<T>(&self) {}",
            &["unknown key `x`", "a test is a free", "a test can't have type", is_async],
        ),
    ];
    for (args, item, expected) in cases {
        let errors = errors(expand_test(args, item));
        assert_eq!(errors.len(), expected.len(), "{args}: {item}: {errors:?}");
        for (error, part) in errors.iter().zip(expected) {
            assert!(error.contains(part), "{args}: {item}: {error}");
        }
    }
    let hook = errors(expand(Kind::Startup, "setup = a", "#[test] async fn b() {}"));
    assert!(
        hook[0]
            .starts_with("a function is one hook, and this one is under `#[on_startup]` already"),
        "{hook:?}"
    );
    assert!(
        hook[1]
            .starts_with("`setup` is a key of `#[lifecycle_runtime::test]`; `#[on_startup]` takes"),
        "{hook:?}"
    );
}

#[test]
fn a_key_of_another_attribute_is_one_mistake_whose_message_lists_the_own_keys() {
    let all: Vec<_> = Kind::ALL
        .into_iter()
        .flat_map(|kind| kind.syntax().keys)
        .chain(Syntax::TEST.keys)
        .collect();
    for kind in Kind::ALL {
        let Syntax { attribute, keys: own, takes_signal, .. } = kind.syntax();
        let signal = if takes_signal { "SIGHUP, " } else { "" };
        for key in all.iter().filter(|key| !own.contains(key)) {
            // The value would be a mistake, too.
            let text = format!("{signal}{} = ?", key.name());
            let errors = understood(kind, &text).expect_err(&text);
            assert_eq!(errors.len(), 1, "#[{attribute}({text})]: {errors:?}");
            assert!(
                errors[0].contains(&format!("`#[{attribute}]` takes ")),
                "#[{attribute}({text})]: {errors:?}"
            );
            let listed = own.iter().all(|own| errors[0].contains(&format!("`{}`", own.name())));
            assert!(listed, "#[{attribute}({text})]: {errors:?}");
        }
    }
}
