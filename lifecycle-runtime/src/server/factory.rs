//! Closures that build an app, with the same arguments as hooks.

use actix_web::App;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};

use super::AppContext;
use crate::hook::error::BoxError;
use crate::hook::inject::Inject;
use crate::hook::scope::Scope;
use crate::hook::{Dependency, HookMeta};
use crate::process::stalls::StallTracker;

/// Bound on the type parameter of actix-web's `App`, as `HttpServer` has it.
pub trait AppFactory<B>:
    ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<B>,
        Error = actix_web::Error,
        InitError = (),
    >
{
}

impl<T, B> AppFactory<B> for T where
    T: ServiceFactory<
            ServiceRequest,
            Config = (),
            Response = ServiceResponse<B>,
            Error = actix_web::Error,
            InitError = (),
        >
{
}

/// Closure that builds an app, as [`Lifecycle::http`](crate::Lifecycle::http) and
/// [`Http::new`](crate::Http::new) take it.
///
/// Implemented for closures of up to eight arguments, each of a type that a hook can take as well.
/// The closure must be `Clone` and `Send`, as each worker has one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not build an app",
    label = "not a closure that returns an `App`, of arguments that can be injected",
    note = "an app is built by a closure like `|settings: Dep<settings>| App::new()`, \
            which is `Clone`, `Send` and `'static`"
)]
pub trait BuildApp<Args>: Clone + Send + 'static {
    /// Type parameter of the `App`.
    type Endpoint;

    /// Returns the hooks whose values the closure takes.
    fn dependencies() -> Vec<&'static HookMeta>;

    /// Builds an app for one worker.
    ///
    /// # Errors
    ///
    /// The error of an argument that can't be injected.
    fn build(&self, scope: &Scope) -> Result<App<Self::Endpoint>, BoxError>;
}

macro_rules! closures {
    ($($argument:ident)*) => {
        impl<F, T, $($argument: Inject),*> BuildApp<($($argument,)*)> for F
        where
            F: Fn($($argument),*) -> App<T> + Clone + Send + 'static,
        {
            type Endpoint = T;

            fn dependencies() -> Vec<&'static HookMeta> {
                let dependencies: &[&[Dependency]] = &[$($argument::DEPENDENCIES),*];
                // A handle is no hook. If an app can't have one, it gets an error when it asks.
                dependencies.iter().copied().flatten().filter_map(|needed| needed.hook()).collect()
            }

            fn build(&self, _scope: &Scope) -> Result<App<T>, BoxError> {
                Ok(self($($argument::inject(_scope)?),*))
            }
        }
    };
}

closures!();
closures!(A);
closures!(A B);
closures!(A B C);
closures!(A B C D);
closures!(A B C D E);
closures!(A B C D E G);
closures!(A B C D E G H);
closures!(A B C D E G H I);

impl AppContext {
    /// Returns the same parts for an app whose workers nobody watches for stalls.
    pub(crate) fn unwatched(&self) -> Self {
        let stalls = StallTracker::new(self.stalls.limits());
        Self { stalls, ..self.clone() }
    }

    /// Builds the app, and adds the parts of the run to its data.
    pub(super) fn app<F: BuildApp<Args>, Args>(
        &self,
        factory: &F,
    ) -> Result<App<F::Endpoint>, BoxError>
    where
        F::Endpoint:
            ServiceFactory<ServiceRequest, Config = (), Error = actix_web::Error, InitError = ()>,
    {
        Ok(self.with_data(factory.build(&self.scope)?))
    }

    /// Adds the parts of the run to an app's data.
    pub(super) fn with_data<T>(&self, app: App<T>) -> App<T>
    where
        T: ServiceFactory<ServiceRequest, Config = (), Error = actix_web::Error, InitError = ()>,
    {
        app.app_data(self.scope.clone()).app_data(self.health.clone()).app_data(self.tasks.clone())
    }
}
