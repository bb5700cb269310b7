//! Actions that a scheduler can permit next.

use crate::hook::HookMeta;
use crate::plan::Plan;
use crate::testing::faults::Fault;
use crate::testing::moment::Signal;

/// Action that can be next in a run. Sorted as the plan sorts hooks: the first action is the
/// default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::testing) enum Action {
    /// Step of the hook at this position in the plan.
    Hook(usize, HookStep),
    /// The test itself.
    Test,
    /// Passing of time, until a hook that waits for something else goes on. Numbered within the
    /// run.
    Time(u32),
    /// Step of the hook at this position in the plan, with a fault.
    Fault(usize, HookStep, InjectedFault),
    /// Signal at this position in the list of those that may be sent.
    Signal(usize),
}

/// Step of a hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::testing) enum HookStep {
    Begin,
    /// End of a wait for something other than a permit. Numbered within the hook.
    GoOn(u32),
    /// Drop of the hook's value.
    Drop,
}

/// Fault that the exploration injects into a hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::testing) enum InjectedFault {
    Fail,
    Panic,
    Hang,
}

impl InjectedFault {
    pub(in crate::testing) const ALL: [Self; 3] = [Self::Fail, Self::Panic, Self::Hang];

    pub(in crate::testing) fn fault(self) -> Fault {
        match self {
            Self::Fail => Fault::fail("injected by the exploration"),
            Self::Panic => Fault::panic(),
            Self::Hang => Fault::hang(),
        }
    }
}

impl Action {
    /// Returns whether the exploration injects this action, which no run takes by itself.
    pub(in crate::testing) fn is_injected(self) -> bool {
        matches!(self, Self::Fault(..) | Self::Signal(_))
    }

    pub(in crate::testing) fn hook(self, plan: &Plan) -> Option<&'static HookMeta> {
        match self {
            Self::Hook(at, _) | Self::Fault(at, ..) => plan.hooks().get(at).copied(),
            Self::Test | Self::Time(_) | Self::Signal(_) => None,
        }
    }

    /// Returns the action as text for the report of a failure.
    pub(in crate::testing) fn text(self, plan: &Plan, signals: &[Signal]) -> String {
        let name = self.hook(plan).map(HookMeta::name).unwrap_or_default();
        match self {
            Self::Hook(_, HookStep::Begin) => format!("{name} begins"),
            Self::Hook(_, HookStep::GoOn(_)) => format!("{name} goes on"),
            Self::Hook(_, HookStep::Drop) => format!("the value of {name} is dropped"),
            Self::Test => "the test runs".to_owned(),
            Self::Time(_) => "time passes".to_owned(),
            Self::Fault(_, what, fault) => {
                let begins = if matches!(what, HookStep::GoOn(_)) { "goes on" } else { "begins" };
                let fails = match fault {
                    InjectedFault::Fail => "fails",
                    InjectedFault::Panic => "panics",
                    InjectedFault::Hang => "hangs",
                };
                format!("{name} {begins}, and {fails}")
            }
            Self::Signal(at) => format!("{} arrives", signals[at]),
        }
    }
}
