//! On a module.

use lifecycle_runtime::on_startup;

#[on_startup]
mod db {}

fn main() {}
