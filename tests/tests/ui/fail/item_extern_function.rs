//! On a function of a foreign library.

use lifecycle_runtime::on_startup;

unsafe extern "C" {
    #[on_startup]
    safe fn abs(number: i32) -> i32;
}

fn main() {
    println!("{}", abs(-1));
}
