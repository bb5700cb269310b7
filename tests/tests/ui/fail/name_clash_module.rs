//! A hook and a module of one name.

use lifecycle_runtime::on_startup;

mod db {}

#[on_startup]
async fn db() -> u32 {
    1
}

fn main() {}
