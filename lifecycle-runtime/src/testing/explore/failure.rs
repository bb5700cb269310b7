//! Message about a schedule under which a test fails.

use super::blame::{Edge, distance, edge};
use super::seed::Seed;
use super::trial::{ExploredTest, Trial};
use crate::event::readable;
use crate::process::config::SEED;
use crate::testing::app::TestApp;
use crate::testing::scheduler::action::Action;
use crate::testing::scheduler::strategy::Strategy;

/// Number of random schedules to try for one that passes, if none has passed yet.
const TRIES: u64 = 50;

/// Test that fails under one schedule, with what is needed to find the reason.
pub(super) struct FailedSchedule<'e, 't, Test> {
    pub(super) test: &'e ExploredTest<'t, Test>,
    pub(super) trial: Trial,
    pub(super) seed: Seed,
    /// Orders under which the test has passed.
    pub(super) passed: Vec<Vec<Action>>,
    pub(super) is_replay: bool,
}

/// Reason for which a test fails under a schedule.
enum FailureReason {
    Edge(Edge),
    /// Injected fault or signal: without it, the same order passes.
    Injected(Action),
    /// No order that passes, after so many others were tried.
    NoOrder(u64),
    /// Chance: run again, the test does not fail.
    Chance,
}

impl<Test: Fn(TestApp) -> F, F: Future<Output = ()>> FailedSchedule<'_, '_, Test> {
    /// Returns the whole message.
    pub(super) fn text(&self) -> String {
        let Self { trial, seed, passed, test, .. } = self;
        let failure = trial.failure.as_deref().unwrap_or_default();
        let happened = trial.report.as_ref().map(ToString::to_string).unwrap_or_default();
        let mut text = match (self.is_replay, passed.len()) {
            (true, _) | (_, 0) => format!("the test failed under schedule {seed}"),
            (_, 1) => {
                format!("the test failed under schedule {seed}, and passed under another one")
            }
            (_, others) => {
                format!("the test failed under schedule {seed}, and passed under {others} others")
            }
        };
        text += &format!("\n\n{}\n", indented(failure));
        text += &match self.reason() {
            Ok(FailureReason::Edge(edge)) => format!(
                "\nwhat decides: \
                {}\n",
                edge.text(&trial.plan)
            ),
            Ok(FailureReason::Injected(what)) => {
                let what = what.text(&trial.plan, &test.injections.signals);
                format!("\nwhat decides: \"{what}\"; without that, the same order passes\n")
            }
            Ok(FailureReason::NoOrder(0)) => "\nthere is no other order: it isn't the \
                order\n"
                .to_owned(),
            Ok(FailureReason::NoOrder(tried)) => format!(
                "\nit failed under {tried} other \
                schedules, too: it isn't the order\n"
            ),
            Ok(FailureReason::Chance) => {
                "\nrun again in the same order it passes: something in it depends on more than the \
                 order, as threads, real \
                 time or what runs before it leave behind\n"
                    .to_owned()
            }
            Err(error) => format!("\nrun again in another order, it can't begin: {error}\n"),
        };
        text += "\nthe schedule:\n\n";
        for (at, action) in &trial.trace.steps {
            let action = action.text(&trial.plan, &test.injections.signals);
            text += &format!("{:>10}  {action}\n", readable(*at));
        }
        if !failure.contains(&happened) {
            text += &format!("\nwhat happened:\n\n{happened}\n");
        }
        let name = std::thread::current()
            .name()
            .filter(|name| *name != "main")
            .map(|name| format!(" {name}"));
        text + &format!("\nagain: {SEED}={seed} cargo test{}\n", name.unwrap_or_default())
    }

    fn reason(&self) -> Result<FailureReason, String> {
        let fails = |order: &[Action]| {
            Ok::<_, String>(self.run(Strategy::ranked(order))?.failure.is_some())
        };
        let mut failing = self.trial.order();
        if let Some(injected) = self.trial.trace.injected {
            let same = self.run(Strategy::ranked(&without(&failing, injected)))?;
            if same.failure.is_none() {
                return Ok(FailureReason::Injected(injected));
            }
            failing = same.order();
        } else if !fails(&failing)? {
            return Ok(FailureReason::Chance);
        }
        let nearest = self.passed.iter().min_by_key(|passing| distance(passing, &failing)).cloned();
        let passing = match nearest {
            Some(passing) => passing,
            None => match self.find_passing(&failing)? {
                Ok(passing) => passing,
                Err(tried) => return Ok(FailureReason::NoOrder(tried)),
            },
        };
        Ok(edge(&passing, &failing, fails)?.map_or(FailureReason::Chance, FailureReason::Edge))
    }

    /// Returns an order under which the test passes, or else the number of other orders that were
    /// tried.
    fn find_passing(&self, failing: &[Action]) -> Result<Result<Vec<Action>, u64>, String> {
        let reversed: Vec<_> = failing.iter().rev().copied().collect();
        let random = (0..TRIES).map(Strategy::random_without_injections);
        let mut tried = std::collections::HashSet::from([failing.to_vec()]);
        for strategy in std::iter::once(Strategy::ranked(&reversed)).chain(random) {
            let trial = self.run(strategy)?;
            if trial.failure.is_none() {
                return Ok(Ok(trial.order()));
            }
            tried.insert(trial.order());
        }
        Ok(Err(tried.len() as u64 - 1))
    }

    fn run(&self, strategy: Strategy) -> Result<Trial, String> {
        self.test.run(strategy)
    }
}

/// Returns the order without the injected action, and otherwise the same.
fn without(order: &[Action], injected: Action) -> Vec<Action> {
    let instead = |action| match action {
        Action::Fault(at, what, _) => Some(Action::Hook(at, what)),
        _ => None,
    };
    order
        .iter()
        .filter_map(|&action| if action == injected { instead(action) } else { Some(action) })
        .collect()
}

fn indented(text: &str) -> String {
    text.lines()
        .map(|line| if line.is_empty() { String::new() } else { format!("    {line}") })
        .collect::<Vec<_>>()
        .join("\n")
}
