//! Runtime under another name, with one line for the whole crate.

extern crate lc as lifecycle_runtime;

use std::process::ExitCode;

use lc::{Dep, Lifecycle, on_shutdown, on_startup};

#[on_startup]
async fn db() -> u32 {
    1
}

mod nested {
    #[lc::on_startup]
    pub(crate) fn table(db: lc::Dep<super::db>) -> u32 {
        *db
    }
}

#[on_shutdown(of = nested::table)]
fn close(table: Dep<nested::table>) {
    assert_eq!(*table, 1);
}

#[path = "../../../tests/ui/start_and_stop.rs"]
mod start_and_stop;

#[test]
fn hooks_know_the_runtime_by_its_own_name() {
    assert_eq!(Lifecycle::new().plan().expect("no contradictions").hooks().len(), 3);
    let code = start_and_stop::start_and_stop();
    assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::SUCCESS));
}
