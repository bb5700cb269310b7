//! Keys of a service on other hooks, with values that would be wrong there as well.

use lifecycle_runtime::{on_shutdown, on_startup};

#[on_startup(stop_timeout = "..")]
async fn db() -> u32 {
    1
}

#[on_shutdown(of = db, restart = 5)]
fn close_db() {}

fn main() {
    drop(db());
    close_db();
}
