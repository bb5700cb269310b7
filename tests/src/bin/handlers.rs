//! Server whose handlers leave work behind, and programs that end by themselves. The first argument
//! chooses: `serve`, `job` (a service, and no server), `ready` (a ready hook that stops the run),
//! `quits` (a service that does), `before` (a stop before the run), `observer` (an observer that
//! fails the run at the end).

use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::{App, HttpResponse, Responder, web};
use lifecycle_runtime::event::{Event, State};
use lifecycle_runtime::hook::{Hook, HookMeta};
use lifecycle_runtime::{
    BackgroundTasks, Dep, Lifecycle, Stop, StopHandle, health_check, on_drain, on_ready,
    on_shutdown, on_startup, service,
};
use lifecycle_tests::act::{SaysDropped, end_with_stdin, has_heard, heard, say, told_to};

#[on_startup]
async fn db(handle: StopHandle) -> &'static str {
    say("db");
    if told_to("db") == "report" {
        handle.fail("the disk is on fire");
        std::future::pending::<()>().await;
    }
    "a row"
}

#[on_shutdown(of = db)]
async fn close_db(_db: Dep<db>) {
    say("close_db");
}

#[on_shutdown]
async fn flush(_db: Dep<db>) {
    say("flush");
}

/// Runs with a generous limit.
#[on_shutdown(timeout = "3s")]
async fn limited() {
    say("limited");
}

#[on_shutdown(reserve = "8s")]
async fn reserved() {
    say("reserved");
}

/// Takes more time than it has without a reserve, beside a request that never ends.
#[on_shutdown(reserve = "5s")]
async fn kept() {
    say("kept");
    tokio::time::sleep(Duration::from_millis(3_400)).await;
    say("kept ended");
}

/// Number of rows that clients believe to be written.
static ROWS: AtomicUsize = AtomicUsize::new(0);

async fn write() -> impl Responder {
    ROWS.fetch_add(1, Ordering::SeqCst);
    HttpResponse::Accepted()
}

/// Saves the rows to the disk.
#[on_shutdown(timeout = "2s")]
async fn save() {
    say(&format!("{} rows saved", ROWS.load(Ordering::SeqCst)));
}

/// Fails the run when stdin says `index_check`.
#[health_check(interval = "200ms", timeout = "200ms")]
async fn index_check(run: StopHandle) {
    if has_heard("index_check") {
        run.fail("the index is broken");
    }
}

/// Fails when stdin says `feed`.
#[service]
async fn feed() -> Result<(), &'static str> {
    heard("feed").await;
    Err("the feed has ended")
}

/// Stops the program as soon as it runs.
#[service]
async fn quits(run: StopHandle) {
    run.stop();
}

#[on_drain]
async fn deregister() {
    say("deregister");
    heard("deregister").await;
}

#[service(stop_on = "drain", stop_timeout = "5s")]
async fn consumer(stop: Stop) {
    stop.requested().await;
    say("consumer stops");
}

#[on_ready]
async fn announce(run: StopHandle) {
    for url in run.listening() {
        say(&format!("at {url}"));
    }
}

/// Does a job, which is done when stdin says `job`.
#[service]
async fn job(_db: Dep<db>) {
    heard("job").await;
    say("job done");
}

#[on_ready]
async fn last_act(_db: Dep<db>, run: StopHandle) {
    run.stop();
}

async fn index() -> &'static str {
    "ok"
}

async fn held() -> &'static str {
    say("held");
    heard("held").await;
    "held"
}

async fn order(tasks: BackgroundTasks, db: Dep<db>) -> impl Responder {
    tasks.spawn(async move {
        say("task");
        let _cancelled = SaysDropped("task");
        heard("task").await;
        say(&format!("task has {}", *db));
    });
    HttpResponse::Accepted()
}

/// Leaves a task behind that can't be cancelled.
async fn blocking(tasks: BackgroundTasks) -> impl Responder {
    tasks.spawn(async {
        say("blocking");
        while !has_heard("blocking") {
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    HttpResponse::Accepted()
}

async fn panicking(tasks: BackgroundTasks) -> impl Responder {
    tasks.spawn(async { panic!("the task has no idea") });
    HttpResponse::Accepted()
}

async fn forgotten() -> impl Responder {
    actix_web::rt::spawn(std::future::pending::<()>());
    HttpResponse::Accepted()
}

/// Leaves a closure behind on the blocking pool that nobody awaits.
async fn abandoned() -> impl Responder {
    drop(actix_web::rt::task::spawn_blocking(|| {
        say("abandoned");
        while !has_heard("abandoned") {
            std::thread::sleep(Duration::from_millis(1));
        }
    }));
    HttpResponse::Accepted()
}

async fn stop(handle: StopHandle) -> impl Responder {
    handle.stop();
    "stopping"
}

async fn fail(handle: StopHandle) -> impl Responder {
    handle.fail(std::io::Error::other("the disk is on fire"));
    HttpResponse::InternalServerError()
}

const BASE: [&HookMeta; 3] = [db::META, close_db::META, flush::META];

fn main() -> ExitCode {
    end_with_stdin();
    let words: Vec<String> = std::env::args().skip(1).collect();
    let named = [
        deregister::META,
        consumer::META,
        announce::META,
        limited::META,
        reserved::META,
        kept::META,
        save::META,
        index_check::META,
        feed::META,
    ];
    let named = named.into_iter().filter(|hook| words.iter().any(|word| word == hook.name()));
    let of =
        |hooks: &[&'static HookMeta]| Lifecycle::of(BASE.into_iter().chain(hooks.iter().copied()));
    let app = || {
        App::new()
            .route("/", web::get().to(index))
            .route("/held", web::get().to(held))
            .route("/rows", web::post().to(write))
            .route("/orders", web::post().to(order))
            .route("/blocking", web::post().to(blocking))
            .route("/panicking", web::post().to(panicking))
            .route("/forgotten", web::post().to(forgotten))
            .route("/abandoned", web::post().to(abandoned))
            .route("/stop", web::post().to(stop))
            .route("/fail", web::post().to(fail))
    };
    match words.first().map_or("", String::as_str) {
        "serve" => Lifecycle::of(BASE.into_iter().chain(named)).http(app).run(),
        "job" => of(&[job::META]).run(),
        "ready" => of(&[last_act::META]).http(app).run(),
        "quits" => of(&[quits::META]).http(app).run(),
        "before" => {
            let lifecycle = of(&[]).http(app);
            lifecycle.stop_handle().stop();
            lifecycle.run()
        }
        "observer" => {
            let lifecycle = of(&[]);
            let handle = lifecycle.stop_handle();
            let fail_at_the_end = move |_, event: &Event| {
                if let Event::State(State::Stopped) = event {
                    handle.fail("the last metric is lost");
                }
            };
            lifecycle.observer(fail_at_the_end).run()
        }
        mode => panic!("there is no mode `{mode}`"),
    }
}
