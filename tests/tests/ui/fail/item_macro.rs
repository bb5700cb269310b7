//! On a macro call.

use lifecycle_runtime::on_startup;

#[on_startup]
thread_local! {
    static DB: u32 = 1;
}

fn main() {
    DB.with(|db| println!("{db}"));
}
