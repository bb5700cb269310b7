//! The service as a process of its own, with real requests, real signals and real files.
#![cfg(unix)]

mod accounts;
mod around;
mod browser;
mod client;
mod disk;
mod feed;
mod fuzz;
mod kills;
mod mail;
mod orders;
mod postgres;
mod process;
mod readme;
mod receiver;
mod security;
mod start;
