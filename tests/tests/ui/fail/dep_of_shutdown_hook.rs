//! `Dep` of a shutdown hook, which provides no value.

use lifecycle_runtime::{Dep, on_shutdown};

#[on_shutdown]
async fn flush() -> u32 {
    1
}

#[on_shutdown]
async fn report(flush: Dep<flush>) {
    println!("{}", *flush);
}

#[on_shutdown(after = [report])]
async fn last_words() {}

fn main() {}
