//! Hooks that a macro of the user writes: a name from here, a type from there.

use std::process::ExitCode;

use lifecycle_runtime::{Dep, Stop, on_shutdown, on_startup};

#[on_startup]
async fn db() -> u32 {
    1
}

macro_rules! named {
    ($($name:ident)*) => {
        $(
            #[on_startup]
            async fn $name(db: Dep<db>, _stop: Stop) -> u32 {
                *db
            }
        )*
    };
}
named! { cache mail }

macro_rules! typed {
    ($name:ident: $dep:ty, of $of:path, after $after:path) => {
        #[on_shutdown(of = $of, after = [$after], timeout = "5s")]
        fn $name(dep: $dep) {
            assert_eq!(*dep, 1);
        }
    };
}
typed! { close_cache: Dep<cache>, of cache, after flush }

macro_rules! whole {
    ($function:item) => {
        #[on_shutdown]
        $function
    };
}
whole! { async fn flush(mail: Dep<mail>) { assert_eq!(*mail, 1); } }

#[path = "../start_and_stop.rs"]
mod start_and_stop;

fn main() -> ExitCode {
    start_and_stop::start_and_stop()
}
