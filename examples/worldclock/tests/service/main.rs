//! The service as a process of its own: real requests, real signals, real files.
#![cfg(unix)]

mod input;
mod page;
mod process;
mod start;
mod stop;
