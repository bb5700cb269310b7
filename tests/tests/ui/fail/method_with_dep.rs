//! A method that takes more than itself.

use lifecycle_runtime::{Dep, on_startup};

#[on_startup]
async fn db() -> u32 {
    1
}

struct Store;

impl Store {
    #[on_startup(timeout = "5s")]
    pub async fn open(self, db: Dep<db>) -> u32 {
        *db
    }
}

fn main() {
    drop(Store.open(Dep::new(1)));
}
