//! `async fn` and `fn`, and whatever they may return.

#![deny(warnings)]

use std::io;
use std::process::ExitCode;

use lifecycle_runtime::{BoxError, Dep, Stop, StopHandle, on_shutdown, on_startup};

type Fallible<T> = Result<T, io::Error>;
type Size = Result<u32, io::Error>;

#[on_startup]
fn nothing() {}

#[on_startup]
async fn value() -> u32 {
    1
}

#[on_startup]
fn result() -> Result<u32, io::Error> {
    Ok(2)
}

#[on_startup]
async fn result_of_nothing() -> Result<(), String> {
    Ok(())
}

#[on_startup]
fn alias_of_std() -> io::Result<u32> {
    Ok(3)
}

#[on_startup]
async fn alias_with_argument() -> Fallible<u32> {
    Ok(4)
}

#[on_startup]
async fn alias_without_argument() -> Size {
    Ok(5)
}

#[on_startup]
async fn boxed_error() -> Result<u32, BoxError> {
    Ok(6)
}

#[on_startup]
async fn static_error() -> Result<u32, &'static str> {
    Ok(7)
}

/// Not a mistake of the start: there may be none.
#[on_startup]
async fn option() -> Option<u32> {
    None
}

#[on_startup]
async fn tuple() -> (u32, &'static str) {
    (8, "eight")
}

#[on_startup]
fn function() -> fn(u32) -> u32 {
    |number| number + 1
}

#[on_startup]
fn object() -> Box<dyn Fn(u32) -> u32 + Send + Sync> {
    Box::new(|number| number + 2)
}

#[on_startup]
async fn result_in_an_option() -> Option<Result<u32, io::Error>> {
    Some(Ok(9))
}

#[on_startup]
async fn all(
    value: Dep<value>,
    result: Dep<result>,
    alias_of_std: Dep<alias_of_std>,
    alias_with_argument: Dep<alias_with_argument>,
    alias_without_argument: Dep<alias_without_argument>,
    boxed_error: Dep<boxed_error>,
    static_error: Dep<static_error>,
    option: Dep<option>,
    stop: Stop,
    _handle: StopHandle,
) {
    let sum: u32 = *value
        + *result
        + *alias_of_std
        + *alias_with_argument
        + *alias_without_argument
        + *boxed_error
        + *static_error;
    assert_eq!((sum, *option), (28, None));
    assert!(!stop.is_requested());
}

#[on_startup]
fn all_sync(
    nothing: Dep<nothing>,
    result_of_nothing: Dep<result_of_nothing>,
    tuple: Dep<tuple>,
    function: Dep<function>,
    mut object: Dep<object>,
    result_in_an_option: Dep<result_in_an_option>,
) -> u32 {
    let ((), ()) = (*nothing, *result_of_nothing);
    let (eight, _) = *tuple;
    let nine: &Option<Result<u32, io::Error>> = &result_in_an_option;
    assert!(matches!(nine, Some(Ok(9))));
    object = object.clone();
    function(eight) + object(eight)
}

#[on_shutdown(of = all_sync)]
fn end(sum: Dep<all_sync>) {
    assert_eq!(*sum, 19);
}

impl lifecycle_runtime::Inject for Pair {
    fn inject(_: &lifecycle_runtime::hook::Scope) -> Result<Self, BoxError> {
        Ok(Self)
    }
}

struct Pair;

#[on_shutdown]
async fn pair(Pair: Pair) {}

#[path = "../start_and_stop.rs"]
mod start_and_stop;

fn main() -> ExitCode {
    start_and_stop::start_and_stop()
}
