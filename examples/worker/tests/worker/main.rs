//! The worker as a process of its own: real files, real signals, real kills.
#![cfg(unix)]

mod collector;
mod files;
mod forward;
mod kill;
mod place;
mod process;
mod reload;
