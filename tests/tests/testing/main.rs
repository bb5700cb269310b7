//! Apps inside tests, as users write them: what a test sees of starts, stops and faults, and the
//! messages about its own mistakes.

mod apps;
mod assertions;
mod attribute;
mod faults;
mod hooks;
mod mistakes;
mod modules;
mod places;
mod programs;
mod real;
mod selection;
mod signals;
mod snapshots;
mod workers;
