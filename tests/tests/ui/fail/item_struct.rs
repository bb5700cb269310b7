//! On a struct.

use lifecycle_runtime::on_startup;

/// A comment.
#[on_startup]
pub struct Db {
    pub size: u32,
}

fn main() {
    let _ = Db { size: 1 };
}
