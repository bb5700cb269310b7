//! On functions of an `impl` and of a trait, by themselves and from a macro.

use lifecycle_runtime::{Dep, on_shutdown, on_startup, service};

struct Store;

impl Store {
    const SIZE: usize = 1;

    #[on_startup]
    async fn open() -> u32 {
        1
    }

    /// What it was.
    #[on_shutdown(of = db, timeout = "5s")]
    fn close(db: Dep<db>) {
        drop(db);
    }

    // A function in a function is free.
    fn nested() {
        #[on_startup]
        async fn free() -> impl_hook::Trait {
            impl_hook::Trait
        }
    }
}

mod impl_hook {
    pub struct Trait;

    #[lifecycle_runtime::on_ready]
    fn within_a_module() {}
}

#[on_startup]
async fn db() -> u32 {
    1
}

pub(crate) trait Follow {
    #[service]
    async fn follow() {}
}

impl<const N: usize> Follow for [u8; N]
where
    [u8; N]: Copy,
{
    #[service] async fn follow() {}
}

macro_rules! hooked {
    ($ty:ty) => {
        impl $ty {
            #[on_startup]
            fn of_a_macro() {}
        }
    };
}
hooked!(Store);

#[cfg(test)]
impl Store {
    #[lifecycle_runtime::test]
    async fn not_compiled() {}
}

impl Store {
    #[lifecycle_runtime::test]
    async fn starts() {}
}

fn main() {
    let _ = (Store::SIZE, Store::nested);
}
