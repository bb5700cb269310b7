//! Search for the reason of a failure: the two steps whose order decides.

use std::collections::{HashMap, HashSet};

use crate::hook::{HookMeta, Kind};
use crate::plan::Plan;
use crate::testing::scheduler::action::{Action, HookStep};

/// Two steps whose order differs between a schedule that fails and one that passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Edge {
    /// Step that comes first where the test passes.
    pub(super) first: Action,
    pub(super) then: Action,
}

/// Finds the edge between an order that passes and one that fails. It goes from one to the other by
/// swaps of neighbours, and at one of these the test begins to fail. Each order on the way is as
/// legal as the two: it keeps what they agree on.
///
/// It calls `fails` for about as many orders as the logarithm of the number of swaps. `None` if the
/// orders are the same.
pub(super) fn edge<E>(
    passing: &[Action],
    failing: &[Action],
    mut fails: impl FnMut(&[Action]) -> Result<bool, E>,
) -> Result<Option<Edge>, E> {
    let (start, swaps) = swaps(passing, failing);
    let (mut low, mut high) = (0, swaps.len());
    if high == 0 {
        return Ok(None);
    }
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if fails(&after(&start, &swaps[..middle]))? { high = middle } else { low = middle }
    }
    let before = after(&start, &swaps[..low]);
    let at = swaps[low];
    // Time passes for the sake of the action after it, so that action is meant.
    let meant = |action| match action {
        Action::Time(_) => {
            let place = |order: &&[Action]| order.iter().position(|&other| other == action);
            let order = [passing, failing].into_iter().find(|order| place(order).is_some());
            order.and_then(|order| order.get(place(&order)? + 1)).copied().unwrap_or(action)
        }
        action => action,
    };
    Ok(Some(Edge { first: meant(before[at]), then: meant(before[at + 1]) }))
}

/// Returns the number of pairs on which the orders disagree.
pub(super) fn distance(passing: &[Action], failing: &[Action]) -> usize {
    swaps(passing, failing).1.len()
}

/// Returns the steps of both orders in the first order, and the positions of the swaps of
/// neighbours that lead to the other. Steps that only one order has, as a start that fails ends
/// early, would have come last in the other.
fn swaps(from: &[Action], to: &[Action]) -> (Vec<Action>, Vec<usize>) {
    let with_all_of = |order: &[Action], other: &[Action]| {
        let known: HashSet<_> = order.iter().copied().collect();
        let more = other.iter().copied().filter(|action| !known.contains(action));
        order.iter().copied().chain(more).collect::<Vec<_>>()
    };
    let (start, end) = (with_all_of(from, to), with_all_of(to, from));
    let rank: HashMap<_, _> =
        end.iter().enumerate().map(|(rank, &action)| (action, rank)).collect();
    let mut ranks: Vec<_> = start.iter().map(|action| rank[action]).collect();
    let mut swaps = Vec::new();
    for end in 1..ranks.len() {
        let mut at = end;
        while at > 0 && ranks[at - 1] > ranks[at] {
            ranks.swap(at - 1, at);
            swaps.push(at - 1);
            at -= 1;
        }
    }
    (start, swaps)
}

fn after(start: &[Action], swaps: &[usize]) -> Vec<Action> {
    let mut order = start.to_vec();
    for &at in swaps {
        order.swap(at, at + 1);
    }
    order
}

impl Edge {
    /// Returns a sentence that says which edge the plan lacks, and how to write it.
    pub(super) fn text(self, plan: &Plan) -> String {
        let Self { first, then } = self;
        let (Some(one), Some(other)) = (first.hook(plan), then.hook(plan)) else {
            return self.text_without_hooks(plan);
        };
        if one == other {
            return format!(
                "it depends on when `{}` ({}) goes on",
                one.display_name(),
                one.place()
            );
        }
        let late = match first {
            Action::Hook(_, HookStep::Drop) => {
                format!("the value of `{}` ({}) was dropped", one.display_name(), one.place())
            }
            Action::Hook(_, HookStep::GoOn(_)) => {
                format!("`{}` ({}) went on", one.display_name(), one.place())
            }
            _ => format!("`{}` ({}) ran", one.display_name(), one.place()),
        };
        let early = match then {
            Action::Hook(_, HookStep::Drop) => {
                format!("the value of `{}` ({}) was dropped", other.display_name(), other.place())
            }
            _ => format!("`{}` ({})", other.display_name(), other.place()),
        };
        format!("{late} after {early}; nothing orders them: {}", advice(first, one, then, other))
    }

    fn text_without_hooks(self, plan: &Plan) -> String {
        let name = |action: Action| match action.hook(plan) {
            Some(hook) => format!("`{}` ({})", hook.display_name(), hook.place()),
            None if action == Action::Test => "the test".to_owned(),
            None => "time".to_owned(),
        };
        let (first, then) = (name(self.first), name(self.then));
        match (self.first, self.then) {
            (Action::Test, _) | (_, Action::Test) => {
                format!(
                    "{first} went on after {then}; nothing orders them: wait in the test, by \
                     `app.until(…)`"
                )
            }
            _ => format!("it depends on whether {first} or {then} goes on first"),
        }
    }
}

/// Returns advice about how to make the first step come before the other.
fn advice(first: Action, one: &HookMeta, then: Action, other: &HookMeta) -> String {
    let (one_name, other_name) = (one.display_name(), other.display_name());
    // Whatever uses the value of a hook has to end before the value is dropped.
    let used = match then {
        Action::Hook(_, HookStep::Drop) => Some(other),
        _ => other.of(),
    };
    match used {
        Some(used) if used != one => {
            let used = used.display_name();
            return format!(
                "take `Dep<{used}>` as an argument of `{one_name}`, or add `after = [{used}]` to it"
            );
        }
        _ => {}
    }
    if let Action::Hook(_, HookStep::Drop) = first {
        return format!("give `{one_name}` a teardown, and add `after = [that]` to `{other_name}`");
    }
    match (one.kind(), other.kind()) {
        (Kind::Startup, Kind::Startup | Kind::Service) => {
            format!(
                "add `after = [{one_name}]` to `{other_name}`, or take `Dep<{one_name}>` as an \
                 argument of it"
            )
        }
        (_, Kind::Shutdown) => {
            format!(
                "add `after = [{one_name}]` to `{other_name}`, or `before = [{other_name}]` to \
                 `{one_name}`"
            )
        }
        _ => format!("add `after = [{one_name}]` to `{other_name}`"),
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::plan::sample;

    fn hooks(places: &[usize]) -> Vec<Action> {
        places.iter().map(|&at| Action::Hook(at, HookStep::Begin)).collect()
    }

    #[test]
    fn the_edge_is_found_among_many_in_few_runs() {
        let (passing, failing): (Vec<_>, Vec<_>) = ((0..40).collect(), (0..40).rev().collect());
        for (first, then) in [(0, 39), (3, 4), (17, 30), (38, 39)] {
            let mut runs = 0;
            let found = edge(&hooks(&passing), &hooks(&failing), |order| {
                runs += 1;
                let place = |hook| {
                    order.iter().position(|&action| action == Action::Hook(hook, HookStep::Begin))
                };
                Ok::<_, Infallible>(place(then) < place(first))
            });
            let Ok(found) = found;
            let action = |at| Action::Hook(at, HookStep::Begin);
            assert_eq!(found, Some(Edge { first: action(first), then: action(then) }));
            assert!(runs <= 10, "{runs}");
        }
    }

    #[test]
    fn every_order_on_the_way_keeps_what_both_agree_on() {
        let (passing, failing) = (hooks(&[0, 1, 2, 3, 4, 5]), hooks(&[3, 0, 5, 1, 2, 4]));
        let (start, swaps) = swaps(&passing, &failing);
        assert_eq!(after(&start, &swaps), failing);
        for number in 0..=swaps.len() {
            let order = after(&start, &swaps[..number]);
            let place = |hook| {
                order.iter().position(|&action| action == Action::Hook(hook, HookStep::Begin))
            };
            for (before, behind) in [(0, 1), (1, 2), (0, 4), (3, 4), (2, 4)] {
                assert!(place(before) < place(behind), "{order:?}");
            }
        }
    }

    #[test]
    fn orders_that_are_the_same_have_no_edge() {
        let order = hooks(&[0, 1]);
        assert_eq!(edge(&order, &order, |_| Ok::<_, Infallible>(true)), Ok(None));
    }

    fn check(plan: &str, first: (&str, HookStep), then: (&str, HookStep), expected: &str) {
        let plan = sample::plan(plan).expect("a valid plan");
        let at = |name| {
            plan.hooks().iter().position(|hook| hook.display_name() == name).expect("a hook")
        };
        let action = |(name, what)| Action::Hook(at(name), what);
        assert_eq!(Edge { first: action(first), then: action(then) }.text(&plan), expected);
    }

    #[test]
    fn the_edge_is_said_as_it_would_be_written() {
        check(
            "start db; stop close_db of db; stop flush",
            ("flush", HookStep::Begin),
            ("close_db", HookStep::Begin),
            "`flush` (app.rs:3) ran after `close_db` (app.rs:2); nothing orders them: take \
             `Dep<db>` as an argument of \
             `flush`, or add `after = [db]` to it",
        );
        check(
            "start db; stop flush",
            ("flush", HookStep::GoOn(1)),
            ("db", HookStep::Drop),
            "`flush` (app.rs:2) went on after the value of `db` (app.rs:1) was dropped; nothing \
             orders them: take \
             `Dep<db>` as an argument of `flush`, or add `after = [db]` to it",
        );
        check(
            "start a; start b",
            ("b", HookStep::Begin),
            ("a", HookStep::Begin),
            "`b` (app.rs:2) ran after `a` (app.rs:1); nothing orders them: add `after = [b]` to \
             `a`, or take `Dep<b>` as \
             an argument of it",
        );
        check(
            "stop a; stop b",
            ("b", HookStep::Begin),
            ("a", HookStep::Begin),
            "`b` (app.rs:2) ran after `a` (app.rs:1); nothing orders them: add `after = [b]` to \
             `a`, or `before = [a]` to \
             `b`",
        );
        check(
            "ready a; ready b",
            ("a", HookStep::Begin),
            ("b", HookStep::GoOn(2)),
            "`a` (app.rs:1) ran after `b` (app.rs:2); nothing orders them: add `after = [a]` to \
             `b`",
        );
    }
}
