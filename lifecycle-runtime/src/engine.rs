//! Engine that runs the hooks of a plan in their order, supervises services, and repeats health
//! checks.

pub(crate) mod executor;
pub(crate) mod recurring;
pub(crate) mod services;
