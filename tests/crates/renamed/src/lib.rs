//! The runtime under another name, which each attribute is told.

use lc::{Dep, on_shutdown};

/// A startup hook; `lc` is what Cargo.toml calls the runtime.
#[lc::on_startup(crate = lc)]
pub async fn db() -> u32 {
    1
}

/// A teardown.
#[on_shutdown(of = db, crate = ::lc)]
pub async fn close_db(db: Dep<db>) -> Result<(), String> {
    if *db == 1 { Ok(()) } else { Err("another db".to_owned()) }
}

/// Where the path of the runtime is one of this crate's.
pub mod nested {
    /// What this crate calls the runtime.
    pub use lc as runtime;

    /// A hook that depends on one of another module.
    #[runtime::on_startup(crate = crate::nested::runtime, after = [super::db])]
    pub fn table() -> u8 {
        2
    }
}

#[cfg(test)]
mod tests {
    use lc::Lifecycle;
    use lc::hook::Hook;

    #[test]
    fn hooks_know_the_runtime_by_the_key() {
        let plan = Lifecycle::new().plan().expect("no contradictions");
        assert_eq!(plan.hooks().len(), 3);
        assert_eq!(super::close_db::META.of(), Some(super::db::META));
    }
}
