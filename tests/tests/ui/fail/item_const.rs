//! On a constant.

use lifecycle_runtime::on_startup;

#[on_startup]
const DB: u32 = 1;

fn main() {
    println!("{DB}");
}
