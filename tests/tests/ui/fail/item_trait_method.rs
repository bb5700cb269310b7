//! On a method without a body.

use lifecycle_runtime::on_startup;

trait Store {
    #[on_startup]
    async fn open() -> u32;
}

fn main() {}
