//! Lines about settings that do nothing, or something else than they seem to.

use crate::event::readable;
use crate::process::config::{Config, Platform};

/// Returns a line about panics that end the process; `None` if a panic is caught, as the
/// documentation says.
pub(super) fn isolation(aborts: bool) -> Option<&'static str> {
    aborts.then_some(
        "built with panic = \"abort\": a panic in a hook or a handler ends the \
                      process at once, and nothing is torn down",
    )
}

/// Returns a line about settings for servers that were given to a program without one; `None` if
/// there are no such settings.
pub(super) fn ignored(config: &Config) -> Option<String> {
    let settings = [
        ("LIFECYCLE_BIND", config.bind.is_some()),
        ("LIFECYCLE_WORKERS", config.workers.is_some()),
        ("LIFECYCLE_KEEP_ALIVE", config.keep_alive.is_some()),
        ("drain_timeout", config.drain_timeout.is_some()),
        ("quiet_window", config.quiet_window != Config::default().quiet_window),
    ];
    let given: Vec<_> =
        settings.into_iter().filter(|(_, given)| *given).map(|(name, _)| name).collect();
    let (verb, names) = (if given.len() == 1 { "is" } else { "are" }, given.join(" and "));
    (!given.is_empty()).then(|| format!("{names} {verb} ignored: this program has no HTTP server"))
}

/// Returns a line about a drain delay in which no balancer hears of the stop, as `/readyz` does not
/// tell of it. In Kubernetes endpoints are removed however ready their pod is.
pub(super) fn unheard(config: &Config, platform: Platform) -> Option<String> {
    let is_unheard = config.ready_while_draining && !config.drain_delay.is_zero();
    (is_unheard && platform != Platform::Kubernetes).then(|| {
        format!(
            "ready_while_draining makes the drain_delay of {} useless behind a balancer that asks \
             /readyz: it sends new connections until the listener closes; leave one of the two out",
            readable(config.drain_delay)
        )
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn that_panics_are_not_kept_apart_is_said_where_it_is_so() {
        assert_eq!(isolation(false), None);
        assert!(isolation(true).is_some_and(|line| line.contains("ends the process at once")));
    }

    #[test]
    fn settings_that_are_ignored_are_named() {
        let set = |bind: bool, keep_alive: bool| Config {
            bind: bind.then(Vec::new),
            keep_alive: keep_alive.then_some(Duration::ZERO),
            ..Config::default()
        };
        assert_eq!(ignored(&set(false, false)), None);
        let line = |bind, keep_alive| ignored(&set(bind, keep_alive)).expect("a line");
        assert_eq!(line(true, false), "LIFECYCLE_BIND is ignored: this program has no HTTP server");
        let both =
            "LIFECYCLE_BIND and LIFECYCLE_KEEP_ALIVE are ignored: this program has no HTTP server";
        assert_eq!(line(true, true), both);
        let timed = Config { drain_timeout: Some(Duration::ZERO), ..Config::default() };
        assert!(ignored(&timed).is_some_and(|line| line.starts_with("drain_timeout is ignored")));
        let quiet = Config { quiet_window: Duration::ZERO, ..Config::default() };
        assert!(ignored(&quiet).is_some_and(|line| line.starts_with("quiet_window is ignored")));
    }

    #[test]
    fn a_drain_delay_that_readiness_does_not_tell_of_is_said_to_be_useless() {
        let is_said = |ready_while_draining, delay, platform| {
            let drain_delay = Duration::from_secs(delay);
            let config = Config { drain_delay, ready_while_draining, ..Config::default() };
            let line = unheard(&config, platform);
            assert!(line.iter().all(|line| line.contains("the drain_delay of 2 s useless")));
            line.is_some()
        };
        assert!(is_said(true, 2, Platform::Other));
        assert!(is_said(true, 2, Platform::Container));
        assert!(!is_said(true, 0, Platform::Other));
        assert!(!is_said(false, 2, Platform::Other));
        // Endpoints are removed all the same.
        assert!(!is_said(true, 5, Platform::Kubernetes));
    }
}
