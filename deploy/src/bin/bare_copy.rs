//! Routes of `worldclock` on actix-web's own server, without the framework: nothing is stored, and
//! nothing is done at a stop. It takes its addresses as the framework does.

use std::env;
use std::io;

use actix_web::web::{self, Bytes};
use actix_web::{App, HttpResponse, HttpServer};
use listenfd::ListenFd;

#[actix_web::main]
async fn main() -> io::Result<()> {
    let [address, admin] = ["LIFECYCLE_BIND", "LIFECYCLE_ADMIN"]
        .map(|name| env::var(name).map_err(|error| io::Error::other(format!("{name}: {error}"))));
    let (address, admin) = (address?, admin?);
    let server = HttpServer::new(|| {
        let found = || async { HttpResponse::Ok().json([0; 0]) };
        let add = |_: Bytes| async { HttpResponse::Created().finish() };
        App::new()
            .route("/zones", web::get().to(found))
            .route("/clocks", web::post().to(add))
            .route("/readyz", web::get().to(found))
    });
    let server = match address.strip_prefix("fd:") {
        Some(_) => {
            let listener = ListenFd::from_env().take_tcp_listener(0)?;
            server.listen(listener.ok_or_else(|| io::Error::other("no listener"))?)?
        }
        None => server.bind(address)?,
    };
    let server = server.bind(admin)?;
    // The line by which tests find it.
    if let Some(admin) = server.addrs().last() {
        eprintln!("lifecycle: probes on http://{admin}");
    }
    server.run().await
}
