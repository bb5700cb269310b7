//! On a static.

use lifecycle_runtime::on_startup;

#[on_startup]
static DB: u32 = 1;

fn main() {
    println!("{DB}");
}
