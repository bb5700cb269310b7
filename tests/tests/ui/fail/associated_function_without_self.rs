//! A function of a type that nothing in its signature tells from a free one.

use lifecycle_runtime::on_startup;

struct Store;

impl Store {
    #[on_startup(timeout = "5s")]
    async fn size() -> u32 {
        1
    }
}

fn main() {
    drop(Store::size());
    let _ = Store;
}
