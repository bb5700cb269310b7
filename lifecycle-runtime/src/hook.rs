//! Hooks: their type, their metadata and their identity.

pub(crate) mod dep;
mod dependencies;
pub(crate) mod error;
pub(crate) mod id;
pub(crate) mod inject;
mod kind;
mod label;
mod message;
pub(crate) mod outcome;
pub(crate) mod output;
pub(crate) mod phase;
pub(crate) mod policy;
pub(crate) mod rules;
pub(crate) mod runtime;
pub(crate) mod scope;
pub(crate) mod service;
pub(crate) mod state;
pub(crate) mod stop;
pub(crate) mod task;
#[cfg(test)]
mod tests;

use std::any::type_name;
use std::fmt;
use std::panic::Location;
use std::time::Duration;

pub use dep::MissingValue;
pub use dependencies::Dependency;
#[doc(hidden)]
pub use dependencies::{Dependencies, DependencySource};
pub use id::HookId;
pub use kind::Kind;
pub use output::{HookError, HookValue};
pub(crate) use phase::Phase;
pub use scope::Scope;

pub(crate) use policy::{
    Backoff, CheckKind, HealthCheckPolicy, OnExit, Policy, Restart, RestartLimit, ServicePolicy,
    StopOn,
};

use crate::hook::output::HookOutput;
use crate::hook::task::Task;

/// A function that an attribute turned into a lifecycle hook.
///
/// `#[on_startup] fn db` adds an empty type `db` beside the function and implements this trait for
/// it. The type is how other code names the hook: `Dep<db>`, `after = [db]`, `of = db`.
///
/// Implement it through the attributes only.
///
/// ```
/// use lifecycle_runtime::hook::Hook;
/// use lifecycle_runtime::on_startup;
///
/// #[on_startup]
/// async fn answer() -> Result<u32, std::io::Error> { Ok(42) }
///
/// fn value_of<H: Hook>(value: H::Value) -> H::Value { value }
/// assert_eq!(value_of::<answer>(42), 42);
/// assert_eq!(answer::META.name(), "answer");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a lifecycle hook",
    label = "not a lifecycle hook",
    note = "a hook is a function under an attribute such as `#[on_startup]`; name it by its path, \
            as in `Dep<crate::store::db>`"
)]
pub trait Hook: Sized + Send + Sync + 'static {
    /// Type of the value that the function returns, without the `Result` around it. `Dep<Self>`
    /// dereferences to it.
    // It has to be a `HookValue`, too. The compiler checks that where the function returns the
    // value: once, and at the user's own token.
    type Value: 'static;

    /// The function's return type.
    #[doc(hidden)]
    type Returned;

    /// The function's return type, taken apart into value and error.
    #[doc(hidden)]
    type Output: HookOutput<Returned = Self::Returned, Value: HookValue, Error: HookError>;

    /// Metadata of the function, as its attribute states it.
    const META: &'static HookMeta;

    /// The hooks that the attribute and the arguments name.
    #[doc(hidden)]
    const DEPENDENCIES: Dependencies = Dependencies::NONE;

    /// The hook as a dependency of another, for
    /// [`Inject::DEPENDENCIES`](crate::Inject::DEPENDENCIES). The compiler evaluates the hook's own
    /// dependencies before it, so that a cycle is a compile error.
    const DEPENDENCY: Dependency = Dependency::on(Self::META, Self::DEPENDENCIES);
}

/// Metadata of a hook, as its attribute states it, known at compile time.
///
/// The plan, the console, the report and the tests all describe hooks by it. The attributes write
/// its fields; read it through its methods.
///
/// ```
/// use lifecycle_runtime::hook::{Hook, Kind};
/// use lifecycle_runtime::{on_shutdown, on_startup};
/// use std::time::Duration;
///
/// #[on_startup]
/// async fn db() {}
/// #[on_shutdown(of = db, timeout = "5s")]
/// async fn close_db() {}
///
/// let meta = close_db::META;
/// assert_eq!(meta.kind(), Kind::Shutdown);
/// assert_eq!(meta.of(), Some(db::META));
/// assert_eq!(meta.timeout(), Some(Duration::from_secs(5)));
/// assert!(meta.path().ends_with("::close_db"));
/// ```
pub struct HookMeta {
    #[doc(hidden)]
    pub id: HookId,
    #[doc(hidden)]
    pub kind: Kind,
    #[doc(hidden)]
    pub name: &'static str,
    #[doc(hidden)]
    pub display_name: &'static str,
    #[doc(hidden)]
    pub module: &'static str,
    #[doc(hidden)]
    pub origin: Origin,
    #[doc(hidden)]
    pub file: &'static str,
    #[doc(hidden)]
    pub line: u32,
    #[doc(hidden)]
    pub order: Option<u32>,
    #[doc(hidden)]
    pub timeout: Option<Duration>,
    #[doc(hidden)]
    pub reserve: Option<Duration>,
    #[doc(hidden)]
    pub dependencies: DependencySource,
    #[doc(hidden)]
    pub is_teardown: bool,
    #[doc(hidden)]
    pub is_exclusive: bool,
    #[doc(hidden)]
    pub policy: Policy,
    /// Name of the type of the value. A function gives it, as no constant can.
    #[doc(hidden)]
    pub value_type: fn() -> &'static str,
    #[doc(hidden)]
    pub run: fn(Scope) -> Task,
}

/// Crate that a hook was compiled into, as far as cargo told the compiler.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[doc(hidden)]
pub struct Origin {
    /// Name of the package.
    pub package: Option<&'static str>,
    /// Version of the package.
    pub version: Option<&'static str>,
    /// Name of the binary or example. `None` in a library, and in a test.
    pub binary: Option<&'static str>,
}

impl Origin {
    /// Origin of hooks that are made of data.
    pub const UNKNOWN: Self = Self { package: None, version: None, binary: None };
}

impl HookMeta {
    /// Returns the metadata that every hook begins with; the attribute fills in the rest. The
    /// caller's place becomes the hook's.
    #[doc(hidden)]
    #[must_use]
    #[track_caller]
    pub const fn new(
        id: HookId,
        kind: Kind,
        name: &'static str,
        module: &'static str,
        run: fn(Scope) -> Task,
    ) -> Self {
        let place = Location::caller();
        Self {
            id,
            kind,
            name,
            display_name: name,
            module,
            origin: Origin::UNKNOWN,
            file: place.file(),
            line: place.line(),
            order: None,
            timeout: None,
            reserve: None,
            dependencies: DependencySource::Data(Dependencies::NONE),
            is_teardown: false,
            is_exclusive: false,
            policy: Policy::None,
            value_type: type_name::<()>,
            run,
        }
    }

    /// Returns the attribute that made the hook.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns the function's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the name that console lines, probes, spans, reports and the plan show.
    ///
    /// It is the function's name. If other hooks of the [`Plan`](crate::plan::Plan) have the same
    /// name, as much of the module's path stands before it as tells them apart. The hooks of a
    /// plan, of events and of reports have this name. The `META` of a hook's type belongs to no
    /// plan, and shows the function's name.
    ///
    /// ```
    /// use lifecycle_runtime::hook::Hook;
    /// use lifecycle_runtime::plan::Plan;
    ///
    /// mod store {
    ///     #[lifecycle_runtime::on_startup]
    ///     pub async fn db() {}
    /// }
    /// mod cache {
    ///     #[lifecycle_runtime::on_startup]
    ///     pub async fn db() {}
    /// }
    ///
    /// let plan = Plan::new([store::db::META, cache::db::META])?;
    /// let shown: Vec<_> = plan.hooks().iter().map(|hook| hook.display_name()).collect();
    /// assert_eq!(shown, ["cache::db", "store::db"]);
    /// assert_eq!(plan.hooks()[1].name(), "db");
    /// # Ok::<(), lifecycle_runtime::plan::PlanError>(())
    /// ```
    #[must_use]
    pub const fn display_name(&self) -> &'static str {
        self.display_name
    }

    /// Returns the path of the module that the function stands in.
    #[must_use]
    pub const fn module(&self) -> &'static str {
        self.module
    }

    /// Returns the function's path: module and name.
    #[must_use]
    pub fn path(&self) -> String {
        format!("{}::{}", self.module, self.name)
    }

    /// Returns the place of the function in the source, as `file:line`.
    #[must_use]
    pub fn place(&self) -> String {
        format!("{}:{}", self.file, self.line)
    }

    /// Returns the name of the type of the hook's value; `None` if it has none.
    pub(crate) fn value_type(&self) -> Option<&'static str> {
        let name = (self.value_type)();
        (name != type_name::<()>()).then_some(name)
    }

    /// Returns the `order` that the hook runs in: 0 unless the attribute says otherwise. `None` for
    /// hooks outside of the barriers between orders: services, health checks, signal hooks, and a
    /// teardown without an `order` of its own.
    #[must_use]
    pub const fn order(&self) -> Option<u32> {
        match self.order {
            None if self.is_teardown || !self.kind.is_ordered() => None,
            None => Some(0),
            order => order,
        }
    }

    /// Returns the hook's own `timeout`, if it has one. For a service this is its `stop_timeout`.
    /// For a health check it is a second unless the attribute says otherwise.
    #[must_use]
    pub const fn timeout(&self) -> Option<Duration> {
        match (self.timeout, self.kind) {
            (None, Kind::HealthCheck) => Some(HealthCheckPolicy::TIMEOUT),
            (timeout, _) => timeout,
        }
    }

    /// Returns the policy of a health check; `None` for another hook.
    pub(crate) const fn health_check(&self) -> Option<HealthCheckPolicy> {
        match self.policy {
            Policy::HealthCheck(policy) => Some(policy),
            _ => None,
        }
    }

    /// Returns the name of the signal that a signal hook is for; `None` for another hook.
    pub(crate) const fn signal(&self) -> Option<&'static str> {
        match self.policy {
            Policy::Signal(name) => Some(name),
            _ => None,
        }
    }

    /// Returns the policy by which a service is kept running; `None` for another hook.
    pub(crate) const fn service(&self) -> Option<ServicePolicy> {
        match self.policy {
            Policy::Service(policy) => Some(policy),
            _ => None,
        }
    }

    /// Returns whether the hook is a service that the process can do without.
    pub(crate) fn is_dispensable(&self) -> bool {
        self.service().is_some_and(|policy| policy.on_exit == OnExit::Ignore)
    }

    /// Returns the hook that this one is the teardown of.
    #[must_use]
    pub fn of(&self) -> Option<&'static HookMeta> {
        self.dependencies().of.and_then(Dependency::hook)
    }

    /// Returns the hooks that this one needs before it can run: those of its arguments and of
    /// `after`.
    pub fn needs(&self) -> impl Iterator<Item = &'static HookMeta> {
        let Dependencies { arguments, after, .. } = self.dependencies();
        arguments.iter().copied().flatten().chain(after).filter_map(|needed| needed.hook())
    }

    /// Returns whether the hook is a service that says by itself when it is ready.
    pub(crate) fn takes_service_handle(&self) -> bool {
        self.takes(|needed| matches!(needed, Dependency::ServiceHandle))
    }

    /// Returns whether the hook takes the stop signal, from which it learns that it should end.
    /// Such a hook has its time to end by itself.
    pub(crate) fn takes_stop(&self) -> bool {
        self.takes(|needed| matches!(needed, Dependency::StopHandle))
    }

    /// Returns whether the hook is a service that is told to stop at the beginning of the drain.
    pub(crate) fn stops_with_drain(&self) -> bool {
        self.service().is_some_and(|policy| policy.stop_on == StopOn::Drain)
    }

    fn takes(&self, is_it: impl Fn(&Dependency) -> bool) -> bool {
        self.dependencies().arguments.iter().copied().flatten().any(is_it)
    }

    /// Returns the hooks that its `before` names.
    pub fn before(&self) -> impl Iterator<Item = &'static HookMeta> {
        self.dependencies().before.iter().copied()
    }

    pub(crate) fn dependencies(&self) -> Dependencies {
        match self.dependencies {
            DependencySource::Type(dependencies) => dependencies(),
            DependencySource::Data(dependencies) => dependencies,
        }
    }
}

impl PartialEq for HookMeta {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for HookMeta {}

impl fmt::Debug for HookMeta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#[{}] {} ({})", self.kind, self.path(), self.place())
    }
}
