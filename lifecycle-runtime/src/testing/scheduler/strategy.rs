//! Who chooses what is next.

use std::collections::HashMap;

use fastrand::Rng;

use super::action::Action;

/// One choice: which, and of how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::testing) struct Choice {
    pub(in crate::testing) taken: u32,
    pub(in crate::testing) of: u32,
}

/// Chooses one of what could be next.
pub(in crate::testing) enum Strategy {
    /// By these numbers, and then always the first.
    Given(Vec<u32>),
    Random {
        rng: Rng,
        /// From this step on, what is not the run's own doing comes as soon as it can.
        injects_at: usize,
    },
    /// What ranks lowest. Nothing is injected.
    Ranked(HashMap<Action, usize>),
}

impl Strategy {
    /// At random: the same with each run for one seed.
    pub(in crate::testing) fn random(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        // Short runs are as likely to be hit as long ones.
        let longest = 1 << rng.u32(0..9);
        let injects_at = rng.usize(0..longest);
        Self::Random { rng, injects_at }
    }

    /// The same, and nothing is injected.
    pub(in crate::testing) fn random_without_injections(seed: u64) -> Self {
        Self::Random { rng: Rng::with_seed(seed), injects_at: usize::MAX }
    }

    /// As close to this order as can be.
    pub(in crate::testing) fn ranked(order: &[Action]) -> Self {
        Self::Ranked(order.iter().enumerate().map(|(rank, &action)| (action, rank)).collect())
    }

    /// The number of one of these, which are at least two, after so many choices and so many steps.
    /// `None` if there is none of the number that was given.
    pub(in crate::testing) fn choose(
        &mut self,
        options: &[Action],
        choices: usize,
        steps: usize,
    ) -> Option<usize> {
        let injected =
            options.iter().position(|option| option.is_injected()).unwrap_or(options.len());
        Some(match self {
            Self::Given(given) => {
                let number = given.get(choices).map_or(0, |&number| number as usize);
                return (number < options.len()).then_some(number);
            }
            Self::Random { rng, injects_at }
                if steps >= *injects_at && injected < options.len() =>
            {
                rng.usize(injected..options.len())
            }
            Self::Random { rng, .. } => rng.usize(0..injected),
            Self::Ranked(ranks) => {
                let rank = |at: &usize| ranks.get(&options[*at]).copied().unwrap_or(usize::MAX);
                (0..injected).min_by_key(rank)?
            }
        })
    }
}
