//! On an import.

use lifecycle_runtime::on_startup;

#[on_startup]
use std::fmt::Debug;

fn main() {
    let _: &dyn Debug = &1;
}
