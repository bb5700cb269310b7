//! Injection of the arguments of hooks.

use crate::hook::dep::Dep;
use crate::hook::error::BoxError;
use crate::hook::scope::Scope;
use crate::hook::service::Service;
use crate::hook::stop::{Stop, StopHandle};
use crate::hook::{Dependency, Hook};

/// A type that a hook can take as an argument.
///
/// Implemented for [`Dep`], [`Stop`], [`StopHandle`] and, for services, [`Service`]. Implement it
/// for types of your own to bundle what many hooks take; name the hooks whose values they have in
/// [`DEPENDENCIES`](Self::DEPENDENCIES), so that the plan knows of them:
///
/// ```
/// use lifecycle_runtime::hook::{Dependency, Hook, Scope};
/// use lifecycle_runtime::{BoxError, Dep, Inject, on_startup};
///
/// #[on_startup]
/// async fn db() -> String { "a pool".into() }
/// #[on_startup]
/// async fn mailer() -> u32 { 25 }
///
/// struct Backend { db: Dep<db>, mailer: Dep<mailer> }
///
/// impl Inject for Backend {
///     const DEPENDENCIES: &'static [Dependency] = &[db::DEPENDENCY, mailer::DEPENDENCY];
///     fn inject(scope: &Scope) -> Result<Self, BoxError> {
///         Ok(Self { db: scope.dep()?, mailer: scope.dep()? })
///     }
/// }
///
/// #[on_startup]
/// async fn import(backend: Backend) {
///     println!("{} {}", *backend.db, *backend.mailer);
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be injected into a hook",
    label = "not injectable",
    note = "a hook takes `Dep<hook>`, `Stop`, `StopHandle`, a service `Service`, and types that \
            implement `lifecycle_runtime::Inject`"
)]
pub trait Inject: Sized + Send + 'static {
    /// Hooks whose values this type has, each as its [`DEPENDENCY`](Hook::DEPENDENCY). They run
    /// before the hook that takes the type. Empty by default.
    const DEPENDENCIES: &'static [Dependency] = &[];

    /// Takes the value out of the scope.
    ///
    /// # Errors
    ///
    /// Something that the type needs is not there. The hook fails with this error.
    fn inject(scope: &Scope) -> Result<Self, BoxError>;
}

impl<H: Hook> Inject for Dep<H> {
    // The same as `H::DEPENDENCY`, which would be one more constant for rustc to go down into.
    const DEPENDENCIES: &'static [Dependency] = &[Dependency::on(H::META, H::DEPENDENCIES)];

    fn inject(scope: &Scope) -> Result<Self, BoxError> {
        Ok(scope.dep()?)
    }
}

impl Stop {
    /// Entry for the [`DEPENDENCIES`](Inject::DEPENDENCIES) of a type of your own that has the stop
    /// signal. If the start is given up, a hook that takes the type has its time to end by itself.
    pub const DEPENDENCY: Dependency = Dependency::StopHandle;
}

impl Inject for Stop {
    const DEPENDENCIES: &'static [Dependency] = &[Self::DEPENDENCY];

    fn inject(scope: &Scope) -> Result<Self, BoxError> {
        Ok(scope.stop())
    }
}

impl Inject for StopHandle {
    fn inject(scope: &Scope) -> Result<Self, BoxError> {
        Ok(scope.stop_handle())
    }
}

impl Service {
    /// Entry for the [`DEPENDENCIES`](Inject::DEPENDENCIES) of a type of your own that has the
    /// handle. A service that takes the type says by itself when it is ready.
    pub const DEPENDENCY: Dependency = Dependency::ServiceHandle;
}

impl Inject for Service {
    const DEPENDENCIES: &'static [Dependency] = &[Self::DEPENDENCY];

    fn inject(scope: &Scope) -> Result<Self, BoxError> {
        Ok(scope.service().ok_or("only a service can take `Service`")?)
    }
}
