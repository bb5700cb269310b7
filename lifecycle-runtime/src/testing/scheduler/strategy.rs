//! Strategies that choose the next action.

use std::collections::HashMap;

use fastrand::Rng;

use super::action::Action;

/// Choice among the actions that could be next: the number taken, and the number of actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::testing) struct Choice {
    pub(in crate::testing) taken: u32,
    pub(in crate::testing) of: u32,
}

/// Strategy that chooses one of the actions that could be next.
pub(in crate::testing) enum Strategy {
    /// Given numbers, and then always the first action.
    Given(Vec<u32>),
    Random {
        rng: Rng,
        /// Step from which on a fault or signal is chosen as soon as there is one.
        injects_at: usize,
    },
    /// Lowest rank first. Nothing is injected.
    Ranked(HashMap<Action, usize>),
}

impl Strategy {
    /// Returns a random strategy, which chooses the same each time for one seed.
    pub(in crate::testing) fn random(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        // So injections hit short runs as often as long ones.
        let longest = 1 << rng.u32(0..9);
        let injects_at = rng.usize(0..longest);
        Self::Random { rng, injects_at }
    }

    /// Returns a random strategy for this seed that injects nothing.
    pub(in crate::testing) fn random_without_injections(seed: u64) -> Self {
        Self::Random { rng: Rng::with_seed(seed), injects_at: usize::MAX }
    }

    /// Returns a strategy that stays as close to this order as it can.
    pub(in crate::testing) fn ranked(order: &[Action]) -> Self {
        Self::Ranked(order.iter().enumerate().map(|(rank, &action)| (action, rank)).collect())
    }

    /// Returns the index of the chosen option. There are at least two options, and so many choices
    /// and steps have come before. `None` if the given number is out of range.
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
