//! A function of a type.

use lifecycle_runtime::on_startup;

struct Store;

impl Store {
    #[on_startup]
    async fn open() -> Self {
        Store
    }
}

fn main() {
    drop(Store::open());
}
