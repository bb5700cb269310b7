//! Code of the page about databases: it compiles and runs.

/// Page about databases.
#[cfg(doctest)]
#[doc = include_str!("../../../../lifecycle-runtime/docs/databases.md")]
pub struct Databases;
