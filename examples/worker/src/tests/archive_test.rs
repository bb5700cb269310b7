//! A hook that does not name a hook it depends on.

use std::cell::RefCell;
use std::fs;
use std::io;

use lifecycle_runtime::testing::{Explore, TestApp, real_io};
use lifecycle_runtime::{Dep, on_shutdown};

use super::{Place, lines_in};
use crate::settings::settings;
use crate::store::tests::piece;
use crate::store::{close_db, db, migrations, write};
use crate::worker;

/// Copies the database, as a user might to keep each day's lines. Its module is named after a test,
/// so that no other test sees it.
///
/// The last writes stand beside the database, in its write-ahead log, until `close_db` closes it:
/// `after = [close_db]` is missing.
#[on_shutdown]
pub fn archive(settings: Dep<settings>) -> io::Result<u64> {
    let database = &settings.fixed.database;
    fs::copy(database, database.with_extension("copy"))
}

#[test]
#[should_panic(expected = "add `after = [close_db]` to `archive`")]
fn exploration_finds_the_after_that_archive_lacks() {
    let places = RefCell::new(Vec::new());
    let setup = || {
        let place = Place::empty();
        let builder = TestApp::of(worker())
            .only::<archive>()
            .only::<migrations>()
            .replace::<settings>(place.settings());
        places.borrow_mut().push(place);
        builder.real_io::<db>().real_io::<migrations>().real_io::<close_db>()
    };
    Explore::new().setup(setup).run(async |app: TestApp| {
        let database = app.get::<settings>().fixed.database.clone();
        real_io(write(&app.get::<db>(), &[piece(1, 0, 2, "a")])).await.expect("a database");
        app.stop().await.assert_clean();
        assert_eq!(lines_in(&database).await, ["a"]);
        assert_eq!(lines_in(&database.with_extension("copy")).await, ["a"], "the archive");
    });
}
