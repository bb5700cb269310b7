//! Seeds: schedules as text.

use std::fmt;
use std::str::FromStr;

use crate::testing::scheduler::strategy::Strategy;

/// Seed that reproduces a schedule: its choices, or the number that they were drawn with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seed {
    /// Choices, written as `0.2.1`. Missing ones at the end are 0. At least two are written, so
    /// that a single number is not taken for one.
    Choices(Vec<u32>),
    /// Seed of a random schedule, written as `7421`.
    Random(u64),
}

impl Seed {
    pub(super) fn strategy(&self) -> Strategy {
        match self {
            Self::Choices(choices) => Strategy::Given(choices.clone()),
            Self::Random(number) => Strategy::random(*number),
        }
    }

    /// Returns the misfit between the seed and a run with so many choices; `None` if it fits.
    pub(super) fn misfit(&self, choices: usize) -> Option<String> {
        match self {
            Self::Choices(given) if length(given) > choices => {
                Some(format!("there is no choice {}", choices + 1))
            }
            _ => None,
        }
    }
}

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Choices(choices) => {
                let choice = |at| choices.get(at).copied().unwrap_or(0).to_string();
                f.write_str(&(0..length(choices).max(2)).map(choice).collect::<Vec<_>>().join("."))
            }
            Self::Random(number) => number.fmt(f),
        }
    }
}

impl FromStr for Seed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_number =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let text = text.trim();
        let seed = if !text.split('.').all(is_number) {
            None
        } else if text.contains('.') {
            let choices = text.split('.').map(|choice| choice.parse().ok());
            choices.collect::<Option<_>>().map(Self::Choices)
        } else {
            text.parse().ok().map(Self::Random)
        };
        seed.ok_or_else(|| {
            format!(
                "`{text}` is no seed: expected the choices of a schedule, such as 0.2.1, or a \
                     number, such as 7421"
            )
        })
    }
}

/// Returns the number of choices up to the last that is not 0.
fn length(choices: &[u32]) -> usize {
    choices.iter().rposition(|&choice| choice > 0).map_or(0, |last| last + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_read_as_it_was_written() {
        for (seed, text) in [
            (Seed::Choices(vec![0, 2, 1]), "0.2.1"),
            (Seed::Choices(vec![]), "0.0"),
            (Seed::Choices(vec![2]), "2.0"),
            (Seed::Choices(vec![0, 0, 3, 0, 0]), "0.0.3"),
            (Seed::Random(7421), "7421"),
        ] {
            assert_eq!(seed.to_string(), text);
            let read = text.parse::<Seed>().expect("a seed");
            assert_eq!(read.to_string(), text);
            assert_eq!(matches!(seed, Seed::Random(_)), matches!(read, Seed::Random(_)));
        }
    }

    #[test]
    fn what_is_no_seed_is_refused_and_says_what_is() {
        for text in
            ["", "x", "0.", ".1", "1..2", "-3", "+3", "0.x", "99999999999999999999", "4294967296.0"]
        {
            let error = text.parse::<Seed>().expect_err(text);
            assert!(error.starts_with(&format!("`{text}` is no seed: ")), "{error}");
            assert!(error.ends_with("such as 0.2.1, or a number, such as 7421"), "{error}");
        }
    }
}
