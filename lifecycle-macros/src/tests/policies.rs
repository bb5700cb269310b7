//! Tests of values that only some attributes take: words, backoffs, windows, signals. Each case is
//! a line.

use super::errors;
use crate::args::{Args, Setting};
use crate::check;
use crate::errors::Errors;
use crate::kind::Kind;

/// Returns the parsed arguments of an attribute as text, in the order in which its keys are
/// written.
fn understood(kind: Kind, text: &str) -> Result<String, Vec<String>> {
    let mut found = Errors::default();
    let args = Args::parse(&kind.syntax(), super::parse(text), &mut found);
    check::keys(kind, &args, &mut found);
    if !found.is_empty() {
        return Err(errors(found.tokens().collect()));
    }
    let setting = |setting: &Setting| match setting {
        Setting::Word(word) => format!("{}::{}", word.value.of, word.value.variant),
        Setting::Time(time) => time.value.to_string(),
        Setting::Number(number) => number.to_string(),
        Setting::Backoff(backoff) => match backoff.value.cap {
            Some(cap) => format!("{}..{cap}", backoff.value.first),
            None => backoff.value.first.to_string(),
        },
        Setting::RestartLimit(restarts) => match &restarts.value {
            Some(restarts) => format!("{} in {}", restarts.count, restarts.within),
            None => "unlimited".to_owned(),
        },
    };
    let mut all: Vec<_> = args.signal.into_iter().map(str::to_owned).collect();
    all.extend(args.policy.iter().map(|(key, value)| format!("{} {}", key.name(), setting(value))));
    all.extend(args.timeout.map(|timeout| format!("timeout {}", timeout.value)));
    Ok(all.join(", "))
}

/// Checks that each text is parsed into the expected one, or gives one mistake with the expected
/// words.
#[track_caller]
fn check_all(kind: Kind, cases: &[(&str, Result<&str, &str>)]) {
    for (text, expected) in cases {
        match (understood(kind, text), expected) {
            (Ok(understood), Ok(expected)) => assert_eq!(&understood, expected, "{text}"),
            (Err(errors), Err(part)) => {
                assert!(errors.len() == 1 && errors[0].contains(part), "{text}: {errors:?}");
            }
            (got, expected) => panic!("{text}: {got:?}, expected {expected:?}"),
        }
    }
}

#[test]
fn words_are_one_of_those_that_the_key_knows() {
    check_all(
        Kind::Service,
        &[
            ("", Ok("")),
            (r#"restart = "never""#, Ok("restart Restart::Never")),
            (r#"restart = "on_failure""#, Ok("restart Restart::OnFailure")),
            (r#"restart = "always""#, Ok("restart Restart::Always")),
            (r#"restart = r"always""#, Ok("restart Restart::Always")),
            (r#"on_exit = "stop""#, Ok("on_exit OnExit::Stop")),
            (r#"on_exit = "ignore""#, Ok("on_exit OnExit::Ignore")),
            (
                r#"restart = "sometimes""#,
                Err("unknown value `sometimes`; write `restart = \"never\"`, \
                     `restart = \"on_failure\"` or `restart = \"always\"`"),
            ),
            (
                r#"restart = "on-failure""#,
                Err("unknown value `on-failure`, did you mean `on_failure`? write"),
            ),
            (r#"restart = "OnFailure""#, Err("did you mean `on_failure`?")),
            (r#"restart = "Never""#, Err("did you mean `never`?")),
            (r#"restart = "failure""#, Err("did you mean `on_failure`?")),
            (r#"restart = """#, Err("unknown value ``; write")),
            (
                "restart = always",
                Err("expected `restart = \"never\"`, `restart = \"on_failure\"` or"),
            ),
            ("restart = true", Err("expected `restart = ")),
            ("restart", Err("`restart` needs a value: `restart = \"never\"`, ")),
            (
                r#"on_exit = "exit""#,
                Err(r#"unknown value `exit`; write `on_exit = "stop"` or `on_exit = "ignore"`"#),
            ),
        ],
    );
    check_all(
        Kind::HealthCheck,
        &[
            (r#"kind = "readiness""#, Ok("kind CheckKind::Readiness")),
            (r#"kind = "liveness""#, Ok("kind CheckKind::Liveness")),
            (r#"kind = "startup""#, Ok("kind CheckKind::Startup")),
            (r#"kind = "liveliness""#, Err("did you mean `liveness`?")),
            (r#"kind = "ready""#, Err("unknown value `ready`; write `kind = \"readiness\"`, ")),
        ],
    );
}

#[test]
fn a_backoff_has_a_first_time_and_a_longest() {
    let cases = [
        (r#""100ms..30s""#, Ok("backoff 100..30000, restart Restart::Always")),
        (r#""1m30s..1h""#, Ok("backoff 90000..3600000, restart Restart::Always")),
        (r#""1s..1s""#, Ok("backoff 1000..1000, restart Restart::Always")),
        (r#""100ms""#, Ok("backoff 100, restart Restart::Always")),
        (r#""30s""#, Ok("backoff 30000, restart Restart::Always")),
        (
            r#""0s""#,
            Err("the duration is zero: a service that fails at once would be restarted without a \
                 rest"),
        ),
        (r#""0s..30s""#, Err("the duration is zero: a service that fails")),
        (r#""1s..0s""#, Err("the duration is zero: a service that fails")),
        (r#""30s..100ms""#, Err("the first backoff, 30s, is longer than the longest, 100ms")),
        (
            r#""31s""#,
            Err("the first backoff, 31s, is longer than the longest, which is 30s unless it is \
                 given"),
        ),
        (r#""100ms..""#, Err("the longest backoff is missing: write `100ms` or `100ms..30s`")),
        (r#""1m..""#, Err("the longest backoff is missing: write `1m..1m`")),
        (r#""..1s""#, Err("the first backoff is missing: expected the first and the longest")),
        (r#""..""#, Err("the first backoff is missing: expected the first and the longest")),
        (r#""1s..=5s""#, Err("`=5s` is not a duration")),
        (r#""1s...5s""#, Err("`.5s` is not a duration")),
        (r#""1s..5s..9s""#, Err("`5s..9s` is not a duration")),
        (r#""1s .. 5s""#, Err("`1s ` is not a duration")),
        (r#""1s-5s""#, Err("`1s-5s` is not a duration")),
        (r#""fast""#, Err("`fast` is not a duration")),
        (r#""""#, Err("the duration is empty")),
        (
            "100",
            Err("expected the first and the longest time in quotes: `backoff = \"100ms..30s\"`"),
        ),
        (r#""1s".."5s""#, Err("unexpected after the value of `backoff`")),
    ];
    let written: Vec<_> =
        cases.map(|(value, _)| format!("backoff = {value}, restart = \"always\"")).into();
    let cases: Vec<_> =
        written.iter().map(String::as_str).zip(cases.map(|(_, expected)| expected)).collect();
    check_all(Kind::Service, &cases);
}

/// Message for a service that is to be restarted no times.
const NO_RESTARTS: &str = "`max_restarts` is at least 1: for a service without restarts, take \
                           `max_restarts` off, and write `restart = \"never\"`";

#[test]
fn restarts_are_counted_within_a_window() {
    let cases = [
        (r#""5 in 1m""#, Ok("max_restarts 5 in 60000, restart Restart::Always")),
        (r#""1 in 1ms""#, Ok("max_restarts 1 in 1, restart Restart::Always")),
        (
            r#""4294967295 in 1h30m""#,
            Ok("max_restarts 4294967295 in 5400000, restart Restart::Always"),
        ),
        (r#""unlimited""#, Ok("max_restarts unlimited, restart Restart::Always")),
        (r#""unlimited in 1m""#, Err("or `max_restarts = \"unlimited\"`")),
        ("5", Err("`max_restarts` needs a window: `max_restarts = \"5 in 1m\"`")),
        (r#""7""#, Err("`max_restarts` needs a window: `max_restarts = \"7 in 1m\"`")),
        (
            r#""5 in""#,
            Err("expected a number and a window in quotes: `max_restarts = \"5 in 1m\"`"),
        ),
        (r#""5 in ""#, Err("the duration is empty")),
        (r#"" in 1m""#, Err("expected a number and a window")),
        (r#""-5 in 1m""#, Err("expected a number and a window")),
        (r#""+5 in 1m""#, Err("expected a number and a window")),
        (r#""five in 1m""#, Err("expected a number and a window")),
        (r#""5 per 1m""#, Err("expected a number and a window")),
        (r#""5in1m""#, Err("expected a number and a window")),
        (r#""5 in 1 m""#, Err("`1 m` is not a duration")),
        (r#""5 in 60""#, Err("`60` is not a duration")),
        ("0", Err(NO_RESTARTS)),
        (r#""0""#, Err(NO_RESTARTS)),
        (r#""0 in 1m""#, Err(NO_RESTARTS)),
        (r#""00 in soon""#, Err(NO_RESTARTS)),
        (r#""5 in 0s""#, Err("the duration is zero: no restart falls into a window of no time")),
        (r#""4294967296 in 1m""#, Err("`max_restarts` is at most 4294967295")),
        ("-5", Err("expected a number and a window")),
        ("true", Err("expected a number and a window")),
    ];
    let written: Vec<_> =
        cases.map(|(value, _)| format!("max_restarts = {value}, restart = \"always\"")).into();
    let cases: Vec<_> =
        written.iter().map(String::as_str).zip(cases.map(|(_, expected)| expected)).collect();
    check_all(Kind::Service, &cases);
}

#[test]
fn how_to_restart_is_for_services_that_are_restarted() {
    check_all(
        Kind::Service,
        &[
            (
                r#"backoff = "1s""#,
                Err("`backoff` means nothing to a service that is never restarted: add `restart \
                     = \"on_failure\"`"),
            ),
            (
                r#"max_restarts = "5 in 1m", restart = "never""#,
                Err("`max_restarts` means nothing to a service that is never restarted: take it \
                     off, or change `restart`"),
            ),
            // One mistake is one message.
            (
                r#"max_restarts = "5 in 1m", backoff = "1s""#,
                Err("`max_restarts` and `backoff` mean nothing to a service that is never \
                     restarted: add `restart = \"on_failure\"`"),
            ),
            (
                r#"restart = "never", backoff = "1s", max_restarts = "5 in 1m""#,
                Err("`backoff` and `max_restarts` mean nothing to a service that is never \
                     restarted: take them off, or change `restart`"),
            ),
            (
                r#"backoff = "1s", restart = "on_failure""#,
                Ok("backoff 1000, restart Restart::OnFailure"),
            ),
            // A mistake in one key does not cause a second one in another.
            (r#"backoff = "1s", restart = "sometimes""#, Err("unknown value `sometimes`")),
            (
                r#"stop_timeout = "10s", on_exit = "ignore""#,
                Ok("on_exit OnExit::Ignore, timeout 10000"),
            ),
        ],
    );
}

#[test]
fn a_health_check_is_over_before_the_next_begins() {
    check_all(
        Kind::HealthCheck,
        &[
            ("", Ok("")),
            (r#"interval = "5s", timeout = "5s""#, Ok("interval 5000, timeout 5000")),
            (r#"interval = "1s""#, Ok("interval 1000")),
            (r#"timeout = "10s""#, Ok("timeout 10000")),
            (r#"timeout = "11s", interval = "11s""#, Ok("interval 11000, timeout 11000")),
            (
                r#"interval = "5s", timeout = "5001ms""#,
                Err("the interval is shorter than the timeout: a check has to"),
            ),
            (
                r#"interval = "999ms""#,
                Err("the interval is shorter than the timeout, which is 1s unless it is given"),
            ),
            (
                r#"timeout = "10001ms""#,
                Err("the timeout is longer than the interval, which is 10s unless it is given"),
            ),
            (r#"interval = "0s""#, Err("the duration is zero: the check would never rest")),
            ("interval = 10", Err("expected a duration in quotes: `interval = \"10s\"`")),
            (r#"interval = "soon", timeout = "11s""#, Err("`soon` is not a duration")),
            (
                r#"interval = "500ms", timeout = 1"#,
                Err("expected a duration in quotes: `timeout = \"5s\"`"),
            ),
            ("failures = 1", Ok("failures 1")),
            ("failures = 0", Err("`failures` is at least 1")),
            ("failures = -1", Err("`failures` is at least 1")),
            ("failures = 4294967296", Err("`failures` is at most 4294967295")),
            (r#"failures = "3""#, Err("expected a whole number: `failures = 3`")),
        ],
    );
}

#[test]
fn a_hook_hears_one_signal_that_is_free() {
    check_all(
        Kind::Signal,
        &[
            ("SIGHUP", Ok("SIGHUP")),
            ("SIGUSR1,", Ok("SIGUSR1")),
            (r#"SIGWINCH, timeout = "5s""#, Ok("SIGWINCH, timeout 5000")),
            ("", Err("`#[on_signal]` needs the name of a signal: `#[on_signal(SIGHUP)]`")),
            ("after = [a]", Err("`#[on_signal]` needs the name of a signal")),
            ("timeout", Err("unknown signal `timeout`; a hook can hear `SIGHUP`, `SIGUSR1`, ")),
            ("after = [a], SIGHUP", Err("the signal comes before the keys")),
            ("after = [a], SIGTERM", Err("the framework itself uses `SIGTERM`")),
            ("SIGHUP, SIGUSR1", Err("a hook hears one signal: write a second function")),
            ("SIGHUP, SIGHUP", Err("a hook hears one signal")),
            ("SIGHUP SIGUSR1", Err("unexpected after `SIGHUP`: expected `,`")),
            ("SIGHUP = 1", Err("unexpected after `SIGHUP`: expected `,`")),
            (r#""SIGHUP""#, Err("expected the name of a signal: `#[on_signal(SIGHUP)]`")),
            ("1", Err("expected the name of a signal")),
            ("libc::SIGHUP", Err("expected the name of a signal")),
            ("SIGHUPP", Err("unknown signal `SIGHUPP`, did you mean `SIGHUP`? a hook can hear")),
            ("sighup", Err("unknown signal `sighup`, did you mean `SIGHUP`?")),
            ("HUP", Err("unknown signal `HUP`, did you mean `SIGHUP`?")),
            ("TERM", Err("unknown signal `TERM`, did you mean `SIGTERM`?")),
            ("SIGNALLED", Err("unknown signal `SIGNALLED`; a hook can hear")),
            ("SIGTERM", Err("the framework itself uses `SIGTERM`: it begins the stop")),
            ("SIGINT", Err("the framework itself uses `SIGINT`")),
            ("SIGQUIT", Err("the framework itself uses `SIGQUIT`")),
            ("SIGKILL", Err("`SIGKILL` can't be caught")),
            ("SIGSTOP", Err("`SIGSTOP` can't be caught")),
            ("SIGSEGV", Err("`SIGSEGV` is not for hooks")),
            ("SIGABRT", Err("`SIGABRT` is not for hooks")),
        ],
    );
}

#[test]
fn a_reserve_is_no_longer_than_the_timeout() {
    check_all(
        Kind::Shutdown,
        &[
            (r#"timeout = "5s", reserve = "5s""#, Ok("timeout 5000")),
            (r#"reserve = "5s""#, Ok("")),
            (
                r#"timeout = "5s", reserve = "5001ms""#,
                Err("the reserve is longer than `timeout`: shorten it, or raise `timeout`"),
            ),
        ],
    );
    check_all(
        Kind::Service,
        &[(
            r#"stop_timeout = "5s", reserve = "6s""#,
            Err("the reserve is longer than `stop_timeout`: shorten it, or raise `stop_timeout`"),
        )],
    );
}
