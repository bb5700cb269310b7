//! A hook and a type of one name.

use lifecycle_runtime::on_startup;

#[allow(non_camel_case_types)]
struct db {}

#[on_startup]
async fn db() -> u32 {
    1
}

fn main() {
    drop(db());
    drop(db {});
}
