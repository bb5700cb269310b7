//! Tests of the tasks of a set: awaited, cut off and counted.

use std::time::Duration;

use super::*;
use actix_web::{App, HttpResponse, post, test};

#[post("/orders")]
async fn order(tasks: BackgroundTasks, millis: String) -> HttpResponse {
    tasks.spawn(async move {
        let millis = millis.parse().expect("a number");
        sleep(Duration::from_millis(millis)).await;
    });
    HttpResponse::Accepted().finish()
}

/// Returns a set with one task for each number, which is how many milliseconds the task takes.
async fn tasks(millis: &[&'static str]) -> TaskSet {
    let tasks = BackgroundTasks::detached();
    let set = tasks.set.clone();
    let app = test::init_service(App::new().app_data(tasks).service(order)).await;
    for millis in millis {
        let request =
            test::TestRequest::post().uri("/orders?key=secret").set_payload(*millis).to_request();
        assert!(test::call_service(&app, request).await.status().is_success());
    }
    set
}

#[tokio::test(start_paused = true)]
async fn tasks_are_awaited_and_those_that_do_not_end_are_cut_off_and_named() {
    let set = tasks(&["10", "20", "3000"]).await;
    assert!(
        set.now().is_some_and(|wait| wait.to_string().starts_with("3 tasks: of POST /orders ")),
        "{:?}",
        set.now()
    );
    set.finish(async {}, sleep(Duration::from_secs(1))).await;
    let counts = set.counts();
    assert_eq!((counts.finished, counts.cut.len(), counts.panicked), (2, 1, 0));
    assert!(counts.cut[0].to_string().starts_with("POST /orders "), "{:?}", counts.cut);
    assert_eq!(*set.0.alive.borrow(), 0);
    assert!(set.now().is_none(), "{:?}", set.now());
}

#[tokio::test(start_paused = true)]
async fn a_panic_ends_one_task() {
    let set = tasks(&["soon", "10"]).await;
    set.finish(async {}, pending()).await;
    let counts = set.counts();
    assert_eq!((counts.finished, counts.cut.len(), counts.panicked), (1, 0, 1));
    let last_panic = counts.last_panic.expect("a panic").to_string();
    assert!(last_panic.starts_with("POST /orders "), "{last_panic}");
}

#[tokio::test(start_paused = true)]
async fn a_task_that_begins_when_all_are_cut_off_is_cut_off() {
    let set = tasks(&[]).await;
    set.cut();
    let late =
        BackgroundTasks { set: set.clone(), request: Request { method: Method::GET, path: None } };
    late.spawn(std::future::pending());
    set.none_left().await;
    assert_eq!(set.counts().cut.len(), 1);
}
