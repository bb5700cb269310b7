//! The stop: its order, and the lines that are written when a hook fails in it or a signal hurries
//! it.

use std::time::Duration;

use lifecycle_runtime::event::State;
use lifecycle_runtime::hook::Hook;
use lifecycle_runtime::testing::{Fault, Moment, Signal};

use super::{FAULTS, Place, assert_ended, send_two, worker_with};
use crate::batches::batches;
use crate::forward::forward;
use crate::settings::tests::in_folder;
use crate::store::close_db;
use crate::tail::tail;

#[lifecycle_runtime::test]
async fn what_was_sent_is_written_once_who_sends_has_ended() {
    let place = Place::empty();
    let app = worker_with(in_folder(place.path())).replace::<tail>(()).start().await;
    send_two(&app).await;
    let report = app.stop().await;
    // A batch that is not full would wait, and time stands still here.
    assert_eq!(place.lines().await, ["a", "b"]);
    report
        .assert_clean()
        .assert_stopped_before::<tail, batches>()
        .assert_before::<batches, close_db>();
}

#[lifecycle_runtime::test]
async fn who_uses_the_queue_and_who_reads_what_was_written_end_before_who_writes() {
    let report = Place::empty().at_rest().run().await;
    report
        .assert_clean()
        .assert_stopped_before::<tail, batches>()
        .assert_stopped_before::<forward, batches>();
    report.assert_overlapped::<tail, forward>().assert_order(&[batches::META, close_db::META]);
}

#[lifecycle_runtime::test]
async fn a_database_that_does_not_close_has_all_lines() {
    for (fault, how) in FAULTS {
        let place = Place::empty();
        let app = place.worker().replace::<tail>(()).inject::<close_db>(fault()).start().await;
        send_two(&app).await;
        let report = app.stop().await;
        report.assert_exit_code(3).assert_stops_within(Duration::from_secs(5));
        assert_ended(&report, close_db::META, how);
        assert_eq!(place.lines().await, ["a", "b"]);
    }
}

#[lifecycle_runtime::test]
async fn a_service_that_hangs_keeps_no_other_from_its_end() {
    for (hook, limit) in super::SERVICES {
        let report = Place::empty().at_rest().inject_into(hook, Fault::hang()).run().await;
        report.assert_exit_code(3).assert_ran_once::<close_db>();
        assert_ended(&report, hook, "ran into its timeout");
        assert_eq!(
            (report.failures().count(), report.stop_took),
            (1, Duration::from_secs(limit)),
            "{report}"
        );
        report.assert_stopped_before::<tail, batches>().assert_stopped_before::<forward, batches>();
        report.assert_before::<batches, close_db>();
    }
}

#[lifecycle_runtime::test]
async fn all_that_can_hang_fits_into_the_grace_period() {
    let place = Place::empty();
    let report = place
        .worker()
        .hang::<tail>()
        .hang::<forward>()
        .hang::<batches>()
        .hang::<close_db>()
        .run()
        .await;
    report.assert_exit_code(3).assert_order(&[tail::META, close_db::META]);
    assert_eq!(
        (report.failures().count(), report.stop_took),
        (4, Duration::from_secs(5 + 10 + 5)),
        "{report}"
    );
}

#[lifecycle_runtime::test]
async fn what_a_batch_that_hangs_has_not_written_is_read_again() {
    let place = Place::new().await;
    let app = place.worker().hang::<batches>().start().await;
    app.stop().await.assert_exit_code(3).assert_failed::<batches>("ran into its timeout");
    assert_eq!(place.lines().await, ["old"]);
    assert_eq!(place.caught_up().await, ["old", "new"]);
}

#[lifecycle_runtime::test]
async fn a_second_signal_at_any_point_of_the_stop_closes_the_database_and_loses_no_line() {
    let place = Place::new().await;
    let states = [State::Draining, State::Stopping].map(Moment::state);
    let ends = [tail::META, forward::META, batches::META].map(Moment::end_of);
    for (n, moment) in
        (0..).zip(states.into_iter().chain(ends).chain([Moment::begins::<close_db>()]))
    {
        place.append(&n.to_string());
        let app = place
            .worker()
            .replace::<forward>(())
            .signal_at(moment.clone(), Signal::SIGINT)
            .start()
            .await;
        app.signal(Signal::SIGTERM);
        let report = app.end().await;
        assert!(report.hurried, "{moment}\n\n{report}");
        report.assert_ran_once::<close_db>().assert_before::<batches, close_db>();
    }
    assert_eq!(place.caught_up().await, ["old", "new", "0", "1", "2", "3", "4", "5"]);
}
