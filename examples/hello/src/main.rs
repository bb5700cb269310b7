//! The smallest useful program: a startup hook makes a value, and a request handler and a shutdown
//! hook use it.

use std::process::ExitCode;

use actix_web::{App, Responder, get};
use lifecycle_runtime::{Dep, Lifecycle, on_shutdown, on_startup};

#[on_startup]
async fn greeting() -> String {
    "hello".to_owned()
}

#[on_shutdown]
async fn say_goodbye(greeting: Dep<greeting>) {
    println!("no more {greeting}");
}

#[get("/")]
async fn hello(greeting: Dep<greeting>) -> impl Responder {
    format!("{greeting}, world\n")
}

fn service() -> Lifecycle {
    Lifecycle::new().http(|| App::new().service(hello))
}

fn main() -> ExitCode {
    service().run()
}

#[cfg(test)]
mod tests {
    use actix_web::test::{TestRequest, read_body};
    use lifecycle_runtime::testing::TestApp;

    use super::*;

    #[lifecycle_runtime::test]
    async fn it_greets_and_says_goodbye() {
        let app = TestApp::of(service()).replace::<greeting>("moin".to_owned()).start().await;
        let response = app.request(TestRequest::get().uri("/")).await;
        assert_eq!(read_body(response).await, "moin, world\n");
        app.stop().await.assert_clean().assert_ran_once::<say_goodbye>();
    }
}
