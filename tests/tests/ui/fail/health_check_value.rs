//! Health checks whose values nobody reads: of a plain function, within a `Result`, and behind an
//! alias of one.

use lifecycle_runtime::health_check;

type Checked<T> = Result<T, std::io::Error>;

#[health_check]
fn connections() -> Option<u32> {
    None
}

#[health_check]
async fn pool_ok() -> Result<bool, std::io::Error> {
    Ok(false)
}

#[health_check]
async fn disk_ok() -> Checked<bool> {
    Ok(false)
}

fn main() {}
