//! A hook may be more public than those that it depends on.

#![deny(warnings)]

use lifecycle_runtime::hook::Scope;
use lifecycle_runtime::{BoxError, Dep, Inject, on_shutdown, on_startup};

#[on_startup]
async fn private() -> u32 {
    1
}

struct Argument;

impl Inject for Argument {
    fn inject(_: &Scope) -> Result<Self, BoxError> {
        Ok(Self)
    }
}

#[on_startup]
pub async fn public(private: Dep<private>, _: Argument) -> Result<u32, String> {
    Ok(*private)
}

#[on_shutdown]
pub fn close(private: Dep<private>, public: Dep<public>) {
    assert_eq!(*private, *public);
}

#[path = "../start_and_stop.rs"]
mod start_and_stop;

fn main() -> std::process::ExitCode {
    start_and_stop::start_and_stop()
}
