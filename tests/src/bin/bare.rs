//! App that takes a hook's value, served without the framework.

use actix_web::{App, HttpServer, web};
use lifecycle_runtime::Dep;
use lifecycle_tests::act::end_with_stdin;
use lifecycle_tests::store::store;

async fn content(store: Dep<store>) -> &'static str {
    store.content
}

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    end_with_stdin();
    tracing_subscriber::fmt().with_ansi(false).with_writer(std::io::stderr).init();
    let server =
        HttpServer::new(|| App::new().route("/content", web::get().to(content))).workers(1);
    let server = server.bind("127.0.0.1:0")?;
    eprintln!("listening on http://{}", server.addrs()[0]);
    server.run().await
}
