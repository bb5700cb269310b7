//! Service with simple hooks, as a subject for tests.
//!
//! ```text
//! settings ── db ── migrations ── outbox (service)
//!              ├─── import
//!              └─── close_db, flush ── farewell
//! ```

use actix_web::{App, web};
use lifecycle_runtime::{
    BoxError, Dep, Lifecycle, Stop, health_check, on_drain, on_ready, on_shutdown, on_signal,
    on_startup, service,
};
use std::sync::atomic::{AtomicU32, Ordering};

#[on_startup]
pub async fn settings() -> String {
    "postgres://real".to_owned()
}

#[derive(Debug, Default)]
pub struct Db {
    pub url: String,
    pub rows: AtomicU32,
}

#[on_startup(timeout = "10s")]
pub async fn db(settings: Dep<settings>) -> Result<Db, BoxError> {
    Ok(Db { url: settings.to_string(), ..Db::default() })
}

#[on_startup]
pub async fn migrations(db: Dep<db>) {
    db.rows.fetch_add(1, Ordering::Relaxed);
}

/// Runs on the blocking pool.
#[on_startup]
pub fn import(db: Dep<db>) -> u32 {
    db.rows.fetch_add(10, Ordering::Relaxed)
}

#[service(after = [migrations], restart = "on_failure", stop_timeout = "5s")]
pub async fn outbox(_db: Dep<db>, stop: Stop) {
    stop.requested().await;
}

#[on_ready]
pub async fn announce() {}

#[health_check(interval = "10s", timeout = "1s", failures = 2)]
pub async fn ping(db: Dep<db>) -> Result<(), BoxError> {
    if db.url.is_empty() { Err("no database".into()) } else { Ok(()) }
}

#[on_signal(SIGHUP)]
pub async fn reload(db: Dep<db>) {
    db.rows.store(100, Ordering::Relaxed);
}

#[on_drain]
pub async fn withdraw() {}

#[on_shutdown(timeout = "5s")]
pub async fn flush(_db: Dep<db>) -> Result<(), BoxError> {
    Ok(())
}

#[on_shutdown(after = [flush])]
pub async fn farewell() {}

#[on_shutdown(of = db, timeout = "5s")]
pub async fn close_db(_db: Dep<db>) {}

async fn url(db: Dep<db>) -> String {
    db.url.clone()
}

async fn fails() -> Result<String, actix_web::Error> {
    Err(actix_web::error::ErrorImATeapot("short and stout"))
}

/// Returns the lifecycle that `main` would run.
pub fn service() -> Lifecycle {
    Lifecycle::new().http(|| {
        App::new()
            .route("/url", web::get().to(url))
            .route("/fails", web::get().to(fails))
            .configure(lifecycle_runtime::probes)
    })
}
