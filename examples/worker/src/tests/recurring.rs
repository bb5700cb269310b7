//! Health checks and the reload: their failures, and the readiness meanwhile.

use std::fs;
use std::time::Duration;

use lifecycle_runtime::hook::Hook;
use lifecycle_runtime::testing::{Moment, Signal};

use super::{FAULTS, Place, RECURRING};
use crate::settings::{Settings, reload, settings, tests::SHIPPED};
use crate::spool::spool_is_there;

#[lifecycle_runtime::test]
async fn a_check_that_fails_often_enough_is_told_until_it_passes() {
    for (hook, enough) in RECURRING.into_iter().filter(|(_, enough)| *enough > 0) {
        for (fault, how) in FAULTS {
            let place = Place::empty();
            let builder = (2..)
                .take(enough)
                .fold(place.at_rest(), |builder, n| builder.inject_into(hook, fault().on_run(n)));
            let app = builder.start().await;
            // The check has passed once, before the app was ready. For a check that never has, the
            // first failure would count.
            for n in 1..=enough {
                app.until(Moment::end_of(hook).times(n + 1)).await;
                let readiness = app.readiness();
                assert_eq!(
                    readiness.is_err(),
                    n == enough,
                    "{} {how}: {readiness:?} after {n}",
                    hook.name()
                );
            }
            let reason = app.readiness().expect_err("it fails");
            assert!(
                reason.starts_with(&format!("health check `{}` {how}", hook.name())),
                "{reason}"
            );
            app.until(Moment::end_of(hook).times(enough + 2)).await;
            assert_eq!(app.readiness(), Ok(()));
            let report = app.stop().await;
            report.assert_clean();
            let failed = report
                .recurring
                .iter()
                .find(|recurring| recurring.hook == hook)
                .expect("it ran")
                .failures;
            assert_eq!(failed, enough as u64);
        }
    }
}

#[lifecycle_runtime::test]
async fn a_spool_that_is_gone_is_told_until_it_is_back() {
    let place = Place::empty();
    let (spool, away) = (place.path().join("spool"), place.path().join("away"));
    let app = place.at_rest().start().await;
    for (n, present) in (1..).zip([true, false, true]) {
        if !present {
            fs::rename(&spool, &away).expect("it goes");
        } else if away.exists() {
            fs::rename(&away, &spool).expect("it comes back");
        }
        app.until(Moment::ends::<spool_is_there>().times(n)).await;
        assert_eq!(app.readiness().is_ok(), present, "{:?}", app.readiness());
    }
    app.stop().await.assert_clean();
}

#[lifecycle_runtime::test]
async fn a_reload_that_fails_keeps_the_settings_and_the_worker() {
    for (fault, how) in &FAULTS[..2] {
        let place = Place::empty();
        let app = place.at_rest().inject::<reload>(fault()).start().await;
        let before = app.get::<settings>().live.load_full();
        app.signal(Signal::SIGHUP);
        app.until(Moment::ends::<reload>()).await;
        assert_eq!((app.readiness(), app.get::<settings>().live.load_full()), (Ok(()), before));
        let report = app.stop().await;
        report.assert_clean().assert_failed::<reload>(how);
    }
}

#[lifecycle_runtime::test]
async fn a_reload_that_hangs_ends_with_the_stop() {
    let place = Place::empty();
    let app = place.at_rest().hang::<reload>().start().await;
    app.signal(Signal::SIGHUP);
    app.until(Moment::begins::<reload>()).await;
    // A minute of checks later it still hangs.
    app.until(Moment::ends::<spool_is_there>().times(30)).await;
    assert_eq!(app.readiness(), Ok(()));
    let report = app.stop().await;
    report
        .assert_stops_within(Duration::from_secs(25))
        .assert_order(&[reload::META, crate::store::close_db::META]);
}

#[lifecycle_runtime::test]
async fn sighup_reads_the_settings_anew_and_broken_ones_keep_the_old() {
    let place = Place::empty();
    let Settings { file, fixed, .. } = place.settings();
    let written = SHIPPED
        .replace("\"spool\"", &format!("{:?}", fixed.spool))
        .replace("\"worker.db\"", &format!("{:?}", fixed.database));
    let app = place.at_rest().start().await;
    for (n, batch_lines, in_use) in [(1, "7", 7), (2, "none", 7), (3, "8", 8)] {
        fs::write(
            &file,
            written.replace("batch_lines = 500", &format!("batch_lines = {batch_lines}")),
        )
        .expect("a file");
        app.signal(Signal::SIGHUP);
        app.until(Moment::ends::<reload>().times(n)).await;
        assert_eq!(app.get::<settings>().live.load().batch_lines.get(), in_use, "{batch_lines}");
    }
    let report = app.stop().await;
    report.assert_clean();
    let reloads =
        report.recurring.iter().find(|recurring| recurring.hook == reload::META).expect("it ran");
    assert_eq!((reloads.runs, reloads.failures), (3, 1), "{report}");
}
