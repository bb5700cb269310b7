//! Settings of the listener for operators that the environment can't give.

use std::sync::Arc;

use super::Lifecycle;
use crate::process::info::Info;
use crate::server::ServiceConfig;

impl Lifecycle {
    /// Describes the program, for `/info` on the listener of [`admin`](Self::admin).
    pub fn info(mut self, info: Info) -> Self {
        self.info = Some(info);
        self
    }

    /// Adds routes of the program's own to the listener of [`admin`](Self::admin), under the same
    /// rules of access: a heap profile, the level of a log. Several calls add up. Without that
    /// listener there are no such routes.
    ///
    /// Handlers take [`Dep`](crate::Dep) and the other arguments of request handlers. The listener
    /// answers before the first hook has begun: until a hook has its value, and again once that is
    /// torn down, handlers that take it are answered by 503, with the reason. A teardown doesn't
    /// wait for them.
    ///
    /// One thread answers all clients of the listener, probes included. A handler that blocks it
    /// makes probes late: put such work into `web::block`. A path of the framework, such as
    /// `/livez`, can't be replaced.
    ///
    /// ```
    /// use actix_web::web;
    /// use lifecycle_runtime::{Dep, Lifecycle, on_startup};
    ///
    /// #[on_startup]
    /// async fn cache() -> Vec<String> { Vec::new() }
    ///
    /// async fn cached(cache: Dep<cache>) -> String { cache.len().to_string() }
    ///
    /// let lifecycle = Lifecycle::new().admin("127.0.0.1:9000").admin_routes(|config| {
    ///     config.route("/cached", web::get().to(cached));
    /// });
    /// ```
    pub fn admin_routes(
        mut self,
        routes: impl Fn(&mut ServiceConfig) + Send + Sync + 'static,
    ) -> Self {
        self.admin_routes.push(Arc::new(routes));
        self
    }
}
