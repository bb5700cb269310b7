//! Search for a schedule that fails. It runs all schedules if there are no more than the bound;
//! otherwise those nearest to the plan's own order, and then some at random.
//!
//! The nearest are those with the fewest choices other than the first: most mistakes show when a
//! single hook is early or late (Emmi, Qadeer, Rakamarić: "Delay-bounded scheduling", POPL 2011).
//! Signals and faults are choices too, so each is injected into the plan's own order at each of its
//! steps.

use std::collections::VecDeque;

use super::seed::Seed;
use crate::testing::scheduler::strategy::Choice;

/// First seed of the random schedules: the same each time, so that what passes today passes
/// tomorrow.
const FIRST_RANDOM: u64 = 7421;

/// Search over schedules, which gives the next one to run.
pub(super) struct Search {
    bound: usize,
    begun: usize,
    random: usize,
    /// Schedules that have been run, but not yet all of their neighbours.
    open: VecDeque<Branches>,
    /// Number of neighbours that have not been run.
    neighbours: usize,
}

/// Schedule with its neighbours: those that differ from it at one choice more.
struct Branches {
    choices: Vec<Choice>,
    /// Index of the choice at which the next neighbour differs; `by` is the option that it takes.
    at: usize,
    by: u32,
}

impl Search {
    pub(super) fn new(bound: usize) -> Self {
        Self { bound, begun: 0, random: 0, open: VecDeque::new(), neighbours: 0 }
    }

    /// Returns the next schedule to run. [`ran`](Self::ran) has to be called for the one before.
    pub(super) fn next(&mut self) -> Option<Seed> {
        if self.begun == self.bound {
            return None;
        }
        let all_may_fit = self.begun + self.neighbours <= self.bound;
        let next = match self.begun {
            0 => Some(Seed::Choices(Vec::new())),
            begun if all_may_fit || begun < self.bound.div_ceil(2) => self.neighbour(),
            _ => {
                self.random += 1;
                Some(Seed::Random(FIRST_RANDOM + self.random as u64 - 1))
            }
        };
        self.begun += usize::from(next.is_some());
        next
    }

    /// Records the choices of the schedule that was run by this seed.
    pub(super) fn ran(&mut self, seed: &Seed, choices: &[Choice]) {
        if let Seed::Choices(given) = seed {
            let branches = Branches { choices: choices.to_vec(), at: given.len(), by: 1 };
            self.neighbours += choices[given.len().min(choices.len())..]
                .iter()
                .map(|c| c.of as usize - 1)
                .sum::<usize>();
            self.open.push_back(branches);
        }
    }

    /// Returns the number of schedules that were run, and how many of them were random.
    pub(super) fn count(&self) -> (usize, usize) {
        (self.begun, self.random)
    }

    /// Returns whether there is no other schedule.
    pub(super) fn is_exhausted(&self) -> bool {
        self.begun > 0 && self.neighbours == 0
    }

    fn neighbour(&mut self) -> Option<Seed> {
        loop {
            let Branches { choices, at, by } = self.open.front_mut()?;
            match choices.get(*at) {
                None => drop(self.open.pop_front()),
                Some(choice) if *by == choice.of => (*at, *by) = (*at + 1, 1),
                Some(_) => {
                    let before = choices[..*at].iter().map(|choice| choice.taken);
                    let seed = Seed::Choices(before.chain([*by]).collect());
                    *by += 1;
                    self.neighbours -= 1;
                    return Some(seed);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// Runs a search in which `of` says how many options the next choice has after the choices
    /// before.
    fn search(bound: usize, of: impl Fn(&[u32]) -> u32) -> (Vec<Vec<u32>>, Search) {
        let (mut search, mut ran) = (Search::new(bound), Vec::new());
        while let Some(seed) = search.next() {
            let given = match &seed {
                Seed::Choices(given) => given.clone(),
                Seed::Random(_) => Vec::new(),
            };
            let (mut taken, mut choices) = (Vec::new(), Vec::new());
            while let number @ 1.. = of(&taken) {
                let next = given.get(taken.len()).copied().unwrap_or(0);
                choices.push(Choice { taken: next, of: number });
                taken.push(next);
            }
            search.ran(&seed, &choices);
            if let Seed::Choices(_) = seed {
                ran.push(taken);
            }
        }
        (ran, search)
    }

    /// Returns the number of options when so many hooks run one after the other, in any order.
    fn permutations(of: u32) -> impl Fn(&[u32]) -> u32 {
        move |taken| of - u32::try_from(taken.len()).expect("a few")
    }

    #[test]
    fn each_schedule_is_run_once_if_all_fit() {
        for (hooks, number) in [(1, 1), (2, 2), (3, 6), (4, 24), (5, 120)] {
            let (ran, search) = search(120, permutations(hooks));
            assert_eq!(ran.iter().collect::<HashSet<_>>().len(), number, "{hooks}");
            assert_eq!(search.count(), (number, 0));
            assert!(search.is_exhausted());
        }
    }

    #[test]
    fn what_does_not_fit_is_run_half_by_nearness_and_half_at_random() {
        let (ran, search) = search(119, permutations(5));
        assert_eq!(search.count().0, 119);
        assert!(!search.is_exhausted());
        let random = search.count().1;
        assert!((1..60).contains(&random), "{random}");
        assert_eq!(ran.iter().collect::<HashSet<_>>().len(), 119 - random);

        let (_, search) = self::search(101, permutations(20));
        assert_eq!(search.count(), (101, 50));
    }

    #[test]
    fn the_nearest_come_first() {
        let (ran, _) = search(120, permutations(5));
        let distances: Vec<_> =
            ran.iter().map(|taken| taken.iter().filter(|&&choice| choice > 0).count()).collect();
        assert!(distances.is_sorted(), "{distances:?}");
        assert_eq!(distances[0], 0);
    }

    #[test]
    fn choices_may_depend_on_those_before() {
        let (ran, search) = search(10, |taken| match taken {
            [] => 2,
            [1] => 3,
            _ => 0,
        });
        assert_eq!(ran, [vec![0], vec![1, 0], vec![1, 1], vec![1, 2]]);
        assert!(search.is_exhausted());
    }
}
