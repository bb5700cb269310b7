//! App on actix-web's own server.

use actix_web::{App, HttpServer};
use lifecycle_benches::{arguments, fast, slow};

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let (address, workers) = arguments();
    HttpServer::new(|| App::new().service(fast).service(slow))
        .workers(workers)
        .bind(address)?
        .run()
        .await
}
