//! On an impl.

use lifecycle_runtime::on_startup;

struct Db;

#[on_startup]
impl Db {
    fn open() {}
}

fn main() {
    Db::open();
    let _ = Db;
}
