//! Settings in force of a server, for its operators and for the manifests of its program.

use actix_web::http::KeepAlive;

use super::addresses::DEFAULT_ADDRESS;
use super::{BoundHttp, Http};
use crate::event::millis;
use crate::observe::view::ServerSettings;
use crate::plan::ProgramServer;
use crate::process::config::{Config, InForce};

impl BoundHttp {
    /// Returns the settings in force of the server that `config` may override.
    pub(crate) fn in_force(&self, config: &Config) -> ServerSettings {
        let Http { addresses, settings, .. } = &self.http;
        let is_default = addresses.iter().eq([DEFAULT_ADDRESS]);
        let setting =
            |name, value, is_set| InForce { value, from: config.origin_for_server(name, is_set) };
        let keep_alive = match settings.keep_alive() {
            KeepAlive::Timeout(kept) => Some(millis(kept)),
            _ => None,
        };
        ServerSettings {
            bind: setting("bind", addresses.clone().into(), !is_default),
            keep_alive: setting("keep_alive", keep_alive.into(), settings.keep_alive.is_some()),
            workers: setting("workers", settings.workers().into(), settings.workers.is_some()),
        }
    }
}

impl Http {
    /// Returns the server as manifests describe it, with the settings that the environment
    /// overrides: those of a program's only server include its addresses.
    pub(crate) fn described(&self, config: &Config, is_only: bool) -> ProgramServer {
        let overriding = config.bind.as_ref().filter(|_| is_only);
        let mut addresses = overriding.unwrap_or(&self.addresses).clone();
        if addresses.is_empty() {
            addresses.push(DEFAULT_ADDRESS.to_owned());
        }
        let keep_alive = match config.keep_alive.map(KeepAlive::from) {
            Some(overriding) => overriding,
            None => self.settings.keep_alive(),
        };
        let keep_alive = match keep_alive {
            KeepAlive::Timeout(kept) => Some(kept),
            _ => None,
        };
        ProgramServer { addresses, is_tls: self.protocol.scheme() == "https", keep_alive }
    }
}
