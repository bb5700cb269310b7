//! On an enum.

use lifecycle_runtime::on_startup;

#[on_startup]
#[derive(Debug)]
enum Db {
    Open,
}

fn main() {
    println!("{:?}", Db::Open);
}
