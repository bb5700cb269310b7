//! What can be next in a run whose order is somebody's choice.

use crate::hook::HookMeta;
use crate::plan::Plan;
use crate::testing::faults::Fault;
use crate::testing::moment::Signal;

/// Something that can be next. Sorted as the plan has the hooks: the first is what is chosen if
/// nobody minds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::testing) enum Action {
    /// Something of the hook at this place of the plan.
    Hook(usize, HookStep),
    /// The test itself.
    Test,
    /// Nothing, until a hook that waits for something else goes on: for the how manieth time.
    Time(u32),
    /// The hook at this place begins or goes on, and goes wrong.
    Fault(usize, HookStep, InjectedFault),
    /// The signal at this place of those that are sent.
    Signal(usize),
}

/// What of a hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::testing) enum HookStep {
    Begin,
    /// What it has waited for is there: for the how manieth time.
    GoOn(u32),
    /// Its value is dropped.
    Drop,
}

/// How a hook goes wrong.
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
    /// Returns whether it is nothing that a run does by itself.
    pub(in crate::testing) fn is_injected(self) -> bool {
        matches!(self, Self::Fault(..) | Self::Signal(_))
    }

    pub(in crate::testing) fn hook(self, plan: &Plan) -> Option<&'static HookMeta> {
        match self {
            Self::Hook(at, _) | Self::Fault(at, ..) => plan.hooks().get(at).copied(),
            Self::Test | Self::Time(_) | Self::Signal(_) => None,
        }
    }

    /// For people.
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
