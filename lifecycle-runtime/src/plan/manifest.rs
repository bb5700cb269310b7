//! Manifests: files by which a program is deployed in Kubernetes, Docker or systemd, with the
//! values of its settings.

mod addresses;
mod compose;
mod dockerfile;
#[cfg(feature = "testing")]
mod fits;
mod kubernetes;
mod names;
mod program;
mod quoting;
mod systemd;
#[cfg(test)]
mod tests;

use super::Plan;
use crate::hook::{HookMeta, Kind};
pub(crate) use program::{Program, ProgramServer};

impl Plan {
    /// Describes the program that the plan is of.
    pub(crate) fn of(self, program: Program) -> Self {
        Self { program: Some(program), ..self }
    }

    pub(super) fn kubernetes(&self) -> String {
        kubernetes::manifest(&self.program())
    }

    pub(super) fn compose(&self) -> String {
        compose::manifest(&self.program())
    }

    pub(super) fn systemd(&self) -> String {
        let mut signals = self.of_kind(Kind::Signal).filter_map(HookMeta::signal);
        systemd::manifest(&self.program(), signals.any(|signal| signal == "SIGHUP"))
    }

    pub(super) fn dockerfile(&self) -> String {
        dockerfile::manifest(&self.program())
    }

    /// Returns the program, or for a plan of nothing but hooks one with the default settings.
    fn program(&self) -> Program {
        self.program.clone().unwrap_or_else(Program::of_executable)
    }
}
