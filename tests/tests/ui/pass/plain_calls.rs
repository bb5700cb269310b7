//! A hook is still a plain function: a unit test calls it with values of its own.

#![deny(warnings)]

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use lifecycle_runtime::{Dep, Stop, on_shutdown, on_startup};

#[derive(Debug)]
struct Pool {
    size: u32,
}

#[on_startup]
async fn db() -> std::io::Result<Pool> {
    Err(std::io::ErrorKind::NotFound.into())
}

#[on_startup]
fn double(db: Dep<db>) -> u32 {
    2 * db.size
}

#[on_shutdown(of = db, timeout = "250ms")]
async fn close(db: Dep<db>, stop: Stop) -> Result<u32, String> {
    if stop.is_requested() { Err("too late".to_owned()) } else { Ok(db.size) }
}

fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("nothing here waits"),
    }
}

fn main() {
    let fake: Dep<db> = Dep::new(Pool { size: 4 });
    assert_eq!(double(fake.clone()), 8);
    assert_eq!(now(close(fake, Stop::never())), Ok(4));
    assert!(now(db()).is_err());
    let function: fn(Dep<db>) -> u32 = double;
    assert_eq!(function(Dep::new(Pool { size: 1 })), 2);
}
