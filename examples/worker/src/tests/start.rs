//! Starts: one that succeeds, those in which a hook fails, and those that a signal ends.

use std::time::Duration;

use lifecycle_runtime::hook::{Hook, HookMeta};
use lifecycle_runtime::testing::{Moment, Signal};

use super::{FAULTS, Place, SERVICES, STARTS, assert_ended, has_started, written_by};
use crate::batches::{batches, queue, written};
use crate::forward::forward;
use crate::settings::settings;
use crate::spool::spool;
use crate::store::{close_db, db, migrations, positions};
use crate::tail::tail;

#[lifecycle_runtime::test]
async fn it_starts_writes_what_is_there_and_what_comes_and_goes_on_where_it_was() {
    let place = Place::empty();
    place.append("a");
    let app = place.worker().start().await;
    written_by(&app, 1).await;
    place.append("b");
    written_by(&app, 2).await;
    let report = app.stop().await;
    report.assert_clean();
    report.assert_order(&[settings::META, db::META, migrations::META, positions::META, tail::META]);
    report
        .assert_order(&[migrations::META, batches::META, tail::META])
        .assert_before::<spool, tail>();
    report
        .assert_before::<queue, batches>()
        .assert_before::<written, batches>()
        .assert_before::<batches, forward>();

    place.append("c");
    assert_eq!(place.caught_up().await, ["a", "b", "c"]);
}

/// Fails each hook that `tail` depends on: `tail` must not begin, and the hooks that began must
/// end.
#[lifecycle_runtime::test]
async fn a_start_that_fails_closes_what_it_opened_and_reads_no_line() {
    let place = Place::new().await;
    for ((hook, limit), (fault, how)) in
        STARTS.into_iter().flat_map(|start| FAULTS.map(|fault| (start, fault)))
    {
        let report = place.at_rest().inject_into(hook, fault()).run().await;
        report.assert_exit_code(1).assert_not_run::<tail>();
        assert_ended(&report, hook, how);
        assert!(report.start_took <= Duration::from_secs(limit), "{report}");
        assert_eq!(report.ran(close_db::META), has_started(&report, db::META), "{report}");
        for (service, _) in SERVICES.into_iter().filter(|(service, _)| report.ran(service)) {
            assert!(has_started(&report, service), "{report}");
        }
        assert_eq!(report.failures().count(), 1, "{report}");
    }
    assert_eq!(place.lines().await, ["old"]);
    assert_eq!(place.caught_up().await, ["old", "new"]);
}

#[lifecycle_runtime::test]
async fn a_signal_at_any_point_of_the_start_leaves_lines_that_the_next_run_completes() {
    let place = Place::new().await;
    let ready = [Moment::ready::<batches>(), Moment::ready::<forward>(), Moment::ready::<tail>()];
    let starts = STARTS.iter().flat_map(|(hook, _)| [Moment::begin_of(hook), Moment::end_of(hook)]);
    for moment in starts.chain(ready) {
        let report = place.worker().signal_at(moment.clone(), Signal::SIGTERM).run().await;
        assert_eq!(
            report.ran(close_db::META),
            has_started(&report, db::META),
            "{moment}\n\n{report}"
        );
        assert_eq!(report.failures().count(), 0, "{moment}\n\n{report}");
        let lines = place.lines().await;
        assert!(
            ["old", "new"].iter().zip(&lines).all(|(one, other)| one == other) && lines.len() <= 2,
            "{lines:?}"
        );
    }
    assert_eq!(place.caught_up().await, ["old", "new"]);
}

#[lifecycle_runtime::test]
async fn a_slow_disk_is_waited_for() {
    let slow = |hook: &HookMeta| Duration::from_secs(if hook == close_db::META { 4 } else { 20 });
    let place = Place::empty();
    let builder =
        place.at_rest().delay::<db>(slow(db::META)).delay::<migrations>(slow(migrations::META));
    let report = builder.delay::<close_db>(slow(close_db::META)).run().await;
    report.assert_clean();
    assert_eq!(
        (report.start_took, report.stop_took),
        (Duration::from_secs(40), Duration::from_secs(4))
    );
}
