//! Guides and reference: the pages of `docs/`.
//!
//! | page | about |
//! |---|---|
//! | [`getting_started`] | the steps after the first hook |
//! | [`hooks`] | the attributes, their keys, and what a hook takes and returns |
//! | [`values`] | `Dep`: sharing, changing, optional and owned values |
//! | [`services`] | what runs in the background |
//! | [`run`] | what happens from the first hook to the exit code |
//! | [`clients`] | what each client sees in a stop |
//! | [`probes`] | `/livez`, `/readyz`, `/startupz` and health checks |
//! | [`settings`] | environment variables and builder methods |
//! | [`logging`] | `tracing` and the console |
//! | [`databases`] | pools, migrations, and SQLite in tests |
//! | [`compile_errors`] | what rustc says about mistakes, and how to read it |
//! | [`deploying`] | Kubernetes, Docker, systemd |
//! | [`balancers`] | keep-alive times and health checks in front |
//! | [`coming_from`], [`from_fastapi`] | for those who know another framework |
//!
//! The page about tests comes with the feature `testing`: `testing::guide`.

#![allow(clippy::doc_markdown, reason = "pages name products, such as HAProxy")]

/// Includes pages. Each ends with definitions of its links to other pages as files; the definitions
/// here come first, so that rustdoc links to modules.
///
/// The code of the pages is tested in the package `lifecycle-tests`, which has what it depends on.
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
    probes "probes.md"
    run "run.md"
    services "services.md"
    settings "settings.md"
    values "values.md"
}
