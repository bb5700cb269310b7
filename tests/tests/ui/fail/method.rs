//! A method.

use lifecycle_runtime::on_startup;

struct Store {
    size: u32,
}

impl Store {
    #[on_startup]
    async fn open(&mut self) -> u32 {
        self.size
    }
}

fn main() {
    drop(Store { size: 1 }.open());
}
