//! Hooks of every visibility, in nested modules, in functions, and of names that are keywords.

#![deny(warnings)]

use std::process::ExitCode;

use lifecycle_runtime::hook::Hook;
use lifecycle_runtime::{Dep, Lifecycle, on_shutdown, on_startup};

pub mod store {
    use lifecycle_runtime::{Dep, on_startup};

    #[on_startup]
    pub(crate) async fn connection() -> &'static str {
        "connection"
    }

    pub mod tables {
        #[lifecycle_runtime::on_startup]
        pub(in crate::store) fn names(connection: lifecycle_runtime::Dep<super::connection>) -> usize {
            connection.len()
        }

        pub mod deep {
            use lifecycle_runtime as renamed;

            #[renamed::on_startup(after = [super::names, crate::store::connection], timeout = "1m30s",)]
            pub fn index() -> u8 {
                1
            }
        }
    }

    // A function's own names are apart from those of the hooks it uses.
    #[on_startup]
    async fn connection_again(connection: Dep<connection>, names: Dep<tables::names>) -> usize {
        connection.len() + *names
    }

    pub mod again {
        pub(crate) use super::connection as link;
    }

    pub fn is_private() -> &'static str {
        use lifecycle_runtime::hook::Hook;
        connection_again::META.name()
    }
}

#[on_startup]
pub async fn r#type(r#loop: Dep<r#loop>) -> u32 {
    *r#loop
}

#[on_startup]
fn r#loop() -> u32 {
    3
}

#[on_shutdown(of = r#type, before = [r#move])]
fn r#match(r#type: Dep<r#type>) {
    assert_eq!(*r#type, 3);
}

#[on_shutdown(order = 4_000_000_000, after = [r#match])]
async fn r#move() {}

// What the expansion calls by name is not what has that name here.
#[allow(dead_code, non_camel_case_types)]
mod misleading {
    mod core {}
    mod std {}
    mod lifecycle_runtime {}
    struct Option;
    struct Result;
    struct Send;
    trait Hook {}
    type u32 = u8;

    #[::lifecycle_runtime::on_startup(order = 0, timeout = "1h")]
    pub(super) async fn meta(link: ::lifecycle_runtime::Dep<super::store::again::link>) -> usize {
        link.len()
    }

    #[::lifecycle_runtime::on_startup]
    fn future(meta: ::lifecycle_runtime::Dep<meta>) -> u32 {
        u32::try_from(*meta).unwrap_or_default()
    }

    #[::lifecycle_runtime::on_shutdown(of = future)]
    fn inventory() {}
}

#[on_startup(crate = lifecycle_runtime, order = 0x10)]
async fn by_path() {}

#[path = "../start_and_stop.rs"]
mod start_and_stop;

fn main() -> ExitCode {
    #[on_startup]
    async fn within(index: Dep<store::tables::deep::index>) -> u8 {
        *index
    }

    fn deeper() -> &'static str {
        #[on_shutdown(of = deep_within)]
        fn close(deep_within: Dep<deep_within>) {
            assert_eq!(*deep_within, 1);
        }
        #[on_startup]
        async fn deep_within() -> u8 {
            1
        }
        close::META.path().leak()
    }

    assert_eq!(deeper().rsplit("::").next(), Some("close"));
    assert_eq!(store::is_private(), "connection_again");
    assert_eq!(r#type::META.path(), concat!(module_path!(), "::type"));
    assert!(store::tables::deep::index::META.path().ends_with("::store::tables::deep::index"));
    assert!(r#type::META.place().ends_with("places.rs:51"), "{}", r#type::META.place());
    assert!(store::connection::META.place().ends_with("places.rs:14"), "{}", store::connection::META.place());

    assert_eq!(Lifecycle::new().plan().map(|plan| plan.hooks().len()).ok(), Some(15));
    start_and_stop::start_and_stop()
}
