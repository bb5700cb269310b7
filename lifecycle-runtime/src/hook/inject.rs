//! How a hook's arguments come about.

use crate::hook::dep::Dep;
use crate::hook::error::BoxError;
use crate::hook::scope::Scope;
use crate::hook::service::Service;
use crate::hook::stop::{Stop, StopHandle};
use crate::hook::{Edges, Hook, HookMeta};

/// A type that a hook can take as an argument.
///
/// Implemented for [`Dep`], [`Stop`], [`StopHandle`] and, for services, [`Service`]. Implement it
/// for types of your own to bundle what many hooks take; name the hooks it uses in
/// [`USES`](Self::USES), so that the plan knows of them:
///
/// ```
/// use lifecycle_runtime::hook::{Hook, HookMeta, Scope};
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
///     const USES: &'static [&'static HookMeta] = &[db::EDGE, mailer::EDGE];
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
    note = "a hook takes `Dep<hook>`, `Stop`, `StopHandle`, a service `Service`, and types that implement `lifecycle_runtime::Inject`"
)]
pub trait Inject: Sized + Send + 'static {
    /// The hooks whose values this type takes, each as its [`EDGE`](Hook::EDGE). They run before
    /// the hook that takes it.
    const USES: &'static [&'static HookMeta] = &[];

    /// Takes the value out of the scope.
    ///
    /// # Errors
    ///
    /// Whatever the type needs is not there; the hook fails with this error.
    fn inject(scope: &Scope) -> Result<Self, BoxError>;
}

impl<H: Hook> Inject for Dep<H> {
    // As `H::EDGE`, but that would be one more constant for rustc to go down into.
    const USES: &'static [&'static HookMeta] = &[Edges::known(H::EDGES, H::META)];

    fn inject(scope: &Scope) -> Result<Self, BoxError> {
        Ok(scope.dep()?)
    }
}

impl Stop {
    /// Entry for the [`USES`](Inject::USES) of a type of your own that has the stop signal: a hook
    /// that takes the type has its time to end by itself when the start is given up.
    pub const EDGE: &'static HookMeta = &HookMeta::STOP_HANDLE;
}

impl Inject for Stop {
    const USES: &'static [&'static HookMeta] = &[Self::EDGE];

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
    /// The handle as something to depend on: in the [`USES`](Inject::USES) of a type of your own,
    /// it says that a service which takes the type says itself when it is ready.
    pub const EDGE: &'static HookMeta = &HookMeta::SERVICE_HANDLE;
}

impl Inject for Service {
    const USES: &'static [&'static HookMeta] = &[Self::EDGE];

    fn inject(scope: &Scope) -> Result<Self, BoxError> {
        Ok(scope.service().ok_or("only a service can take `Service`")?)
    }
}
