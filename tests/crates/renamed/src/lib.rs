//! Runtime under another name, which each attribute is told.

use lc::{Dep, on_shutdown};

/// Returns a value. Cargo.toml calls the runtime `lc`.
#[lc::on_startup(crate = lc)]
pub async fn db() -> u32 {
    1
}

/// Tears `db` down.
#[on_shutdown(of = db, crate = ::lc)]
pub async fn close_db(db: Dep<db>) -> Result<(), String> {
    if *db == 1 { Ok(()) } else { Err("another db".to_owned()) }
}

/// Module in which the path of the runtime is one of this crate.
pub mod nested {
    /// Runtime, under this crate's name for it.
    pub use lc as runtime;

    /// Runs after a hook of another module.
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
