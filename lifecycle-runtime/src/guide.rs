//! Guides and reference: the pages of `docs/`.
//!
//! | page | about |
//! |---|---|
//! | [`getting_started`] | the steps after the first hook |
//! | [`hooks`] | the attributes, their keys, and the arguments and results of hooks |
//! | [`values`] | `Dep`: sharing, changing, optional and owned values |
//! | [`services`] | hooks that run in the background |
//! | [`run`] | the order of a run, from the first hook to the exit code |
//! | [`clients`] | the view of each client during a stop |
//! | [`probes`] | `/livez`, `/readyz`, `/startupz` and health checks |
//! | [`admin`] | the listener for operators: what goes on, on a page, as JSON and as events |
//! | [`metrics`] | the run in numbers, for Prometheus and other exporters |
//! | [`settings`] | environment variables and builder methods |
//! | [`logging`] | `tracing` and the console |
//! | [`databases`] | pools, migrations, and SQLite in tests |
//! | [`compile_errors`] | rustc's messages about mistakes, and their meaning |
//! | [`deploying`] | restarts behind balancers that lose nothing; Kubernetes, Docker, systemd |
//! | [`balancers`] | keep-alive times, panics and stops, as a balancer sees them |
//! | [`coming_from`], [`from_fastapi`] | guides for users of other frameworks |
//!
//! The page about tests comes with the feature `testing`: `testing::guide`.

#![allow(clippy::doc_markdown, reason = "pages name products, such as HAProxy")]

/// Includes pages as modules. Each page ends with definitions of its links, which lead to other
/// pages as files. The definitions of `links.md` come first, so that rustdoc links to modules.
///
/// The package `lifecycle-tests` tests the code of the pages, as it has the dependencies of that
/// code.
macro_rules! pages {
    ($($name:ident $file:literal)*) => {
        $(
            #[cfg_attr(not(doctest), doc = include_str!("guide/links.md"))]
            #[cfg_attr(not(doctest), doc = include_str!(concat!("../docs/", $file)))]
            #[cfg_attr(doctest, doc = "")]
            pub mod $name {}
        )*
    };
}

pages! {
    admin "admin.md"
    balancers "balancers.md"
    clients "clients.md"
    coming_from "coming-from.md"
    compile_errors "compile-errors.md"
    databases "databases.md"
    deploying "deploying.md"
    from_fastapi "from-fastapi.md"
    getting_started "getting-started.md"
    hooks "hooks.md"
    logging "logging.md"
    metrics "metrics.md"
    probes "probes.md"
    run "run.md"
    services "services.md"
    settings "settings.md"
    values "values.md"
}
