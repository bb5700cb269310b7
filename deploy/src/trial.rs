//! Rolling restarts of the copies behind a balancer, under load.

use std::collections::BTreeSet;
use std::fmt;

use lifecycle_runtime::testing::process::Output;

use crate::balancer::Balancer;
use crate::copies::{COPIES, Copies, Setting};
use crate::load::{Load, MIXED, Mix, Outcome};
use crate::network::Network;
use crate::program::Program;

/// Settings of the service that the page gives for all balancers.
pub const DOCUMENTED: &[Setting] = &[("LIFECYCLE_DRAIN_DELAY", "2s")];

/// Number of answers between the restarts of two copies.
pub const ANSWERS: usize = 500;

/// Rolling restarts, while clients send requests to the balancer.
#[derive(Clone, Copy)]
pub struct Trial {
    /// Balancer in front.
    pub balancer: Balancer,
    /// Change of its files.
    pub change: fn(&str) -> String,
    /// Service of which copies run.
    pub program: Program,
    /// Settings of the service.
    pub settings: &'static [Setting],
    /// Clients.
    pub mix: Mix,
    /// Number of rolling restarts, each of all copies, one after the other.
    pub restarts: usize,
}

/// Results of a trial.
#[derive(Debug)]
pub struct Tried {
    /// Counts of the clients.
    pub outcome: Outcome,
    /// Labels of the clocks that the service said to have written, and that it does not have.
    pub unwritten: BTreeSet<String>,
    /// Ends of the copies that were restarted.
    pub ended: Vec<Output>,
}

impl Trial {
    /// Makes a trial with the files and settings as the page has them.
    #[must_use]
    pub fn documented(balancer: Balancer, restarts: usize) -> Self {
        Self {
            balancer,
            change: str::to_owned,
            program: Program::Worldclock,
            settings: DOCUMENTED,
            mix: MIXED,
            restarts,
        }
    }

    /// Runs the trial.
    ///
    /// # Errors
    ///
    /// The balancer can't be started here.
    ///
    /// # Panics
    ///
    /// The balancer or the service doesn't start or end.
    pub fn run(&self) -> Result<Tried, String> {
        if let Some(reason) = self.balancer.unavailable() {
            return Err(reason);
        }
        let network = Network::new();
        let mut copies = Copies::start(self.program, &network, self.settings);
        let front = self.balancer.start(&network, self.change);
        let load = Load::start(&network.front(), self.mix);
        let mut ended = Vec::new();
        load.wait_for(ANSWERS);
        for number in 0..self.restarts * COPIES {
            ended.push(copies.restart(number % COPIES));
            load.wait_for(ANSWERS);
        }
        let outcome = load.end();
        drop(front);
        let unwritten = match self.program {
            Program::Worldclock => outcome.written.difference(&copies.labels()).cloned().collect(),
            Program::Bare => BTreeSet::new(),
        };
        Ok(Tried { outcome, unwritten, ended })
    }
}

impl Tried {
    /// Asserts that no request was lost, that what was acknowledged has been written, and that each
    /// copy has ended with exit code 0.
    ///
    /// # Panics
    ///
    /// Panics if a request was lost, a write is missing, or a copy has ended with another code.
    #[track_caller]
    pub fn expect_nothing_lost(&self) {
        assert!(self.outcome.lost == 0 && self.unwritten.is_empty(), "{self}");
        for ended in &self.ended {
            ended.assert_exit_code(0);
        }
    }
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let restarts = self.ended.len();
        write!(f, "{restarts} restarts of a copy: {}", self.outcome)?;
        if !self.unwritten.is_empty() {
            write!(f, "\n  acknowledged, and not written: {:?}", self.unwritten)?;
        }
        Ok(())
    }
}
