//! What the fixture programs of the end-to-end tests have in common.
//!
//! Hooks say on stdout that they run, and do what the program's arguments tell them to: `db=fail` lets the hook `db`
//! return an error. What waits, waits for a line on stdin.

pub mod act;
pub mod store;

/// The code in the README compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
