//! Functions and types that the attributes' expansions use. They are not part of the public
//! interface and change without notice.

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

/// Entry of the registry, which inventory collects.
pub struct Registered(pub &'static HookMeta);

inventory::collect!(Registered);

/// Expands to the module of the expansion and the origin of its crate, as cargo tells the compiler.
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

/// Module with a test under `#[lifecycle_runtime::test]`, which inventory collects.
#[cfg(feature = "testing")]
#[derive(Clone, Copy)]
pub struct TestModule {
    pub(crate) path: &'static str,
    pub(crate) file: &'static str,
    pub(crate) is_in_tests_folder: bool,
}

#[cfg(feature = "testing")]
impl TestModule {
    /// Makes the entry of a test's module. Only a program of the `tests/` folder has a folder for
    /// temporary files, so `folder` tells these programs from others.
    #[must_use]
    pub const fn new(path: &'static str, file: &'static str, folder: Option<&'static str>) -> Self {
        Self { path, file, is_in_tests_folder: folder.is_some() }
    }
}

#[cfg(feature = "testing")]
inventory::collect!(TestModule);

/// Makes the metadata of `H` before its keys. The caller's location becomes the hook's.
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
    meta.value_type = value_type::<H>;
    meta
}

/// Returns the policy of a health check; the bound requires that the hook returns what a health
/// check may.
#[must_use]
pub const fn of_check<H: Hook<Value: Verdict>>(policy: HealthCheckPolicy) -> HealthCheckPolicy {
    policy
}

/// Makes the task of an `async fn`; `call` injects the arguments.
pub fn future<H, F>(call: impl FnOnce() -> Result<F, BoxError> + Send + 'static) -> Task
where
    H: Hook,
    F: Future<Output = H::Returned> + Send + 'static,
{
    Task::future(async move { returned::<H::Output>(call()?.await) })
}

/// Makes the task of a plain `fn`; `call` injects the arguments.
pub fn blocking<H: Hook>(
    call: impl FnOnce() -> Result<H::Returned, BoxError> + Send + 'static,
) -> Task {
    Task::blocking(|| returned::<H::Output>(call()?))
}

const fn dependencies<H: Hook>() -> Dependencies {
    H::DEPENDENCIES
}

fn value_type<H: Hook>() -> &'static str {
    std::any::type_name::<H::Value>()
}
