//! What the attributes' expansions call. Not part of the public interface: it changes without
//! notice.

pub use crate::__lifecycle_origin as origin;
pub use crate::hook::id::HookId;
pub use crate::hook::inject::Inject;
pub use crate::hook::output::{HookOutput, Parts, PlainOutput, ReturnType, Verdict};
pub use crate::hook::policy::{
    Backoff, CheckKind, HealthCheckPolicy, OnExit, Policy, Restart, RestartLimit, ServicePolicy,
    StopOn,
};
pub use crate::hook::scope::Scope;
pub use crate::hook::task::{Task, returned};
pub use crate::hook::{Dependencies, DependencySource, Hook, HookMeta, Kind, Origin};
pub use inventory;
pub use std::option::Option::{None, Some};
pub use std::result::Result::Ok;
pub use std::time::Duration;

use crate::hook::error::BoxError;

/// What inventory collects.
pub struct Registered(pub &'static HookMeta);

inventory::collect!(Registered);

/// The module of the expansion and the origin of its crate, as cargo tells the compiler.
#[doc(hidden)]
#[macro_export]
macro_rules! __lifecycle_origin {
    () => {
        (
            ::core::module_path!(),
            $crate::__private::Origin {
                package: ::core::option_env!("CARGO_PKG_NAME"),
                version: ::core::option_env!("CARGO_PKG_VERSION"),
                binary: ::core::option_env!("CARGO_BIN_NAME"),
            },
        )
    };
}

/// A module with a test under `#[lifecycle_runtime::test]`: what inventory collects of tests.
#[cfg(feature = "testing")]
#[derive(Clone, Copy)]
pub struct TestModule {
    pub(crate) path: &'static str,
    pub(crate) file: &'static str,
    pub(crate) is_in_tests_folder: bool,
}

#[cfg(feature = "testing")]
impl TestModule {
    /// Names the module of a test; only a program of the `tests/` folder is given a folder for
    /// temporary files.
    #[must_use]
    pub const fn new(path: &'static str, file: &'static str, folder: Option<&'static str>) -> Self {
        Self { path, file, is_in_tests_folder: folder.is_some() }
    }
}

#[cfg(feature = "testing")]
inventory::collect!(TestModule);

/// The metadata of `H` before its keys; the caller's place becomes the hook's.
#[must_use]
#[track_caller]
pub const fn meta<H: Hook>(
    kind: Kind,
    name: &'static str,
    (module, origin): (&'static str, Origin),
    run: fn(Scope) -> Task,
) -> HookMeta {
    let mut meta = HookMeta::new(HookId::of::<H>(), kind, name, module, run);
    meta.origin = origin;
    meta.dependencies = DependencySource::Type(dependencies::<H>);
    meta
}

/// The policy of a health check, which has to return what a health check may.
#[must_use]
pub const fn of_check<H: Hook<Value: Verdict>>(policy: HealthCheckPolicy) -> HealthCheckPolicy {
    policy
}

/// The task of an `async fn`; `call` injects the arguments.
pub fn future<H, F>(call: impl FnOnce() -> Result<F, BoxError> + Send + 'static) -> Task
where
    H: Hook,
    F: Future<Output = H::Returned> + Send + 'static,
{
    Task::future(async move { returned::<H::Output>(call()?.await) })
}

/// The task of a plain `fn`; `call` injects the arguments.
pub fn blocking<H: Hook>(
    call: impl FnOnce() -> Result<H::Returned, BoxError> + Send + 'static,
) -> Task {
    Task::blocking(|| returned::<H::Output>(call()?))
}

const fn dependencies<H: Hook>() -> Dependencies {
    H::DEPENDENCIES
}
