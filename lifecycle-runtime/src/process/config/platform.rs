//! Platform that the process runs on: some defaults depend on it.

use std::env;
use std::path::Path;
use std::time::Duration;

use super::{Config, SettingOrigin};
use crate::event::readable;

/// Time for which new connections still come after the signal in Kubernetes: it updates endpoints
/// and sends the signal at the same time (kubernetes.io, "Pod Lifecycle", "Termination of Pods").
/// A connection that comes even later, as in an overloaded cluster, finds the listener closed.
const ENDPOINTS_UPDATE: Duration = Duration::from_secs(5);

/// Part of the grace period that the drain delay in Kubernetes is at most.
const DELAY_PART: u32 = 5;

/// Time that `docker stop` and `podman stop` leave, 10 s, without a second for the rest of the
/// container and for the signal's delay on a busy machine.
pub(crate) const CONTAINER_STOP: Duration = Duration::from_secs(9);

/// Variable that the kubelet sets in every container.
const KUBERNETES: &str = "KUBERNETES_SERVICE_HOST";

/// Files that Docker and Podman create in every container.
const CONTAINER_FILES: [&str; 2] = ["/.dockerenv", "/run/.containerenv"];

/// Platform that a process runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Platform {
    Kubernetes,
    /// A container of Docker, Podman or the like.
    Container,
    Other,
}

impl Platform {
    /// Returns the platform of this process.
    pub(crate) fn current() -> Self {
        if env::var_os(KUBERNETES).is_some_and(|value| !value.is_empty()) {
            Self::Kubernetes
        } else if CONTAINER_FILES.iter().any(|file| Path::new(file).exists()) {
            Self::Container
        } else {
            Self::Other
        }
    }
}

/// Returns the drain delay that a server has in Kubernetes by default, with this grace period.
pub(crate) fn delay_in_kubernetes(grace: Duration) -> Duration {
    ENDPOINTS_UPDATE.min(grace / DELAY_PART)
}

impl Config {
    /// Gives settings that nobody has set the defaults of a platform. Returns a line about the
    /// setting that this changes, if any.
    pub(crate) fn adapt_to(&mut self, platform: Platform, serves: bool) -> Option<String> {
        match platform {
            Platform::Kubernetes if serves && !self.origins.is_set("drain_delay") => {
                self.origins.note("drain_delay", SettingOrigin::Platform);
                self.drain_delay = delay_in_kubernetes(self.grace);
                Some(format!(
                    "in Kubernetes: drain_delay is {}, as new connections come for a while after \
                     the signal; \
                     `drain_delay` and LIFECYCLE_DRAIN_DELAY set it",
                    readable(self.drain_delay)
                ))
            }
            Platform::Container if !self.origins.is_set("grace") => {
                self.origins.note("grace", SettingOrigin::Platform);
                self.grace = CONTAINER_STOP;
                Some(format!(
                    "in a container: grace is {}, as `docker stop` kills after 10 s; `grace` and \
                     LIFECYCLE_GRACE set it",
                    readable(self.grace)
                ))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the delay, the grace period, and whether a line tells of them.
    fn adapted(mut config: Config, platform: Platform, serves: bool) -> (u64, u64, bool) {
        let line = config.adapt_to(platform, serves);
        (config.drain_delay.as_secs(), config.grace.as_secs(), line.is_some())
    }

    #[test]
    fn a_server_in_kubernetes_waits_for_the_endpoints_unless_its_delay_is_set() {
        assert_eq!(adapted(Config::default(), Platform::Kubernetes, true), (5, 25, true));
        assert_eq!(adapted(Config::default(), Platform::Kubernetes, false), (0, 25, false));
        // Requests need some of a short grace period, too.
        let short = Config { grace: Duration::from_secs(10), ..Config::default() };
        assert_eq!(adapted(short, Platform::Kubernetes, true), (2, 10, true));
        let zero = [("LIFECYCLE_DRAIN_DELAY".to_owned(), "0s".to_owned())];
        let zero = Config::default().with(zero).expect("valid");
        assert_eq!(adapted(zero, Platform::Kubernetes, true), (0, 25, false));
    }

    #[test]
    fn a_container_has_the_time_of_docker_stop_unless_its_grace_is_set() {
        assert_eq!(adapted(Config::default(), Platform::Container, true), (0, 9, true));
        assert_eq!(adapted(Config::default(), Platform::Container, false), (0, 9, true));
        let own = [("LIFECYCLE_GRACE".to_owned(), "25s".to_owned())];
        let own = Config::default().with(own).expect("valid");
        assert_eq!(adapted(own, Platform::Container, true), (0, 25, false));
        assert_eq!(adapted(Config::default(), Platform::Other, true), (0, 25, false));
    }
}
