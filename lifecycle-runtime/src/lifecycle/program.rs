//! Program of a lifecycle, as its manifests describe it.

use super::Lifecycle;
use crate::plan::Program;
use crate::process::config::Config;
use crate::process::info::Info;

impl Lifecycle {
    /// Describes the program with these settings.
    pub(super) fn program(&self, config: &Config) -> Program {
        let info = self.info.clone().unwrap_or_else(Info::of_executable);
        let is_only = self.servers.len() == 1;
        let servers = self.servers.iter().map(|server| server.described(config, is_only));
        Program::new(&info, config, servers.collect())
    }
}
