//! A hook that does not name a hook it depends on.

use std::cell::RefCell;
use std::{fs, io};

use lifecycle_runtime::testing::{Explore, TestApp};
use lifecycle_runtime::{Dep, on_shutdown};

use super::{folder, in_folder};
use crate::config::config;
use crate::runs::{backup, run};
use crate::service;
use crate::store::{close_db, db, migrations};

/// Copies the backup elsewhere, as a user might add it. Its module is named after a test, so that
/// no other test sees it.
///
/// It reads the file that `backup` leaves, but may run at the same time: `after = [backup]` is
/// missing.
#[on_shutdown(order = 10)]
fn upload(config: Dep<config>) -> io::Result<u64> {
    let Some(copy) = &config.backup else { return Ok(0) };
    fs::copy(copy, copy.with_extension("uploaded"))
}

#[test]
#[should_panic(expected = "add `after = [backup]` to `upload`")]
fn exploration_finds_the_after_that_upload_lacks() {
    let folders = RefCell::new(Vec::new());
    let setup = || {
        let folder = folder();
        let builder = TestApp::of(service()).replace::<config>(in_folder(folder.path()));
        folders.borrow_mut().push(folder);
        let builder = builder.only::<upload>().only::<backup>().only::<migrations>();
        builder
            .real_io::<db>()
            .real_io::<migrations>()
            .real_io::<run>()
            .real_io::<backup>()
            .real_io::<close_db>()
    };
    Explore::new().setup(setup).run(async |app: TestApp| {
        app.stop().await.assert_clean();
    });
}
