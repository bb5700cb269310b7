//! Dependencies of a hook, known at compile time.

use super::HookMeta;

/// Something that a hook depends on: another hook, or a handle.
///
/// There are three: `db::DEPENDENCY` of a hook `db`, [`Stop::DEPENDENCY`](crate::Stop::DEPENDENCY)
/// and [`Service::DEPENDENCY`](crate::Service::DEPENDENCY). An
/// [`Inject::DEPENDENCIES`](crate::Inject::DEPENDENCIES) lists them.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Dependency {
    /// Another hook.
    Hook(&'static HookMeta),
    /// The handle by which a service says that it is ready.
    ServiceHandle,
    /// The handle by which a hook learns that it should end.
    StopHandle,
}

impl Dependency {
    /// Returns a hook as a dependency. Its own dependencies are an argument so that they are
    /// evaluated first.
    pub(crate) const fn on(hook: &'static HookMeta, _: Dependencies) -> Self {
        Self::Hook(hook)
    }

    pub(crate) fn hook(self) -> Option<&'static HookMeta> {
        match self {
            Self::Hook(hook) => Some(hook),
            Self::ServiceHandle | Self::StopHandle => None,
        }
    }
}

/// Dependencies that an attribute and the arguments under it name.
#[derive(Debug, Clone, Copy)]
pub struct Dependencies {
    /// Dependencies of the arguments, one list per argument.
    pub arguments: &'static [&'static [Dependency]],
    /// Dependencies that the key `after` names.
    pub after: &'static [Dependency],
    /// Hooks that the key `before` names.
    pub before: &'static [&'static HookMeta],
    /// Dependency that the key `of` names.
    pub of: Option<Dependency>,
}

impl Dependencies {
    /// Dependencies of a hook that names nothing.
    pub const NONE: Self = Self { arguments: &[], after: &[], before: &[], of: None };
}

/// Source of a hook's dependencies.
#[derive(Debug, Clone, Copy)]
pub enum DependencySource {
    /// The type that names the hook. A function stands between, as rustc follows each reference in
    /// a constant: it would go through everything that a hook depends on, however indirectly, once
    /// for each hook.
    Type(fn() -> Dependencies),
    /// The data that the hook is made of, as in tests and benchmarks.
    Data(Dependencies),
}
