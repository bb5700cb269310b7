//! The first program of the page "Getting started", with the tests that the page shows.

use std::process::ExitCode;

use actix_web::{App, Responder, get};
use lifecycle_runtime::{Dep, Lifecycle, on_shutdown, on_startup};

/// Returns the value of `Dep<greetings>`: a startup hook's value has the name of the hook.
#[on_startup(timeout = "10s")]
async fn greetings() -> std::io::Result<Vec<String>> {
    Ok(vec!["hello".to_owned(), "moin".to_owned()])
}

/// Runs in the stop, before `greetings` goes away, because it takes them.
#[on_shutdown]
fn say_goodbye(greetings: Dep<greetings>) {
    println!("{} greetings were ready", greetings.len());
}

#[get("/")]
async fn hello(greetings: Dep<greetings>) -> impl Responder {
    greetings.join(", ")
}

fn main() -> ExitCode {
    Lifecycle::new().http(|| App::new().service(hello)).run()
}

#[cfg(test)]
mod tests {
    use actix_web::test::{TestRequest, call_and_read_body, init_service};

    use super::*;

    #[test]
    fn no_greeting_is_no_problem() {
        say_goodbye(Dep::new(vec![]));
    }

    #[actix_web::test]
    async fn every_greeting_is_said() {
        let greetings = Dep::<greetings>::new(vec!["hi".to_owned(), "ahoy".to_owned()]);
        let app = init_service(App::new().app_data(greetings).service(hello)).await;
        let body = call_and_read_body(&app, TestRequest::get().to_request()).await;
        assert_eq!(body, "hi, ahoy");
    }
}

// --- not on the page ---

#[test]
fn the_page_shows_what_is_tested_here() {
    let page = include_str!("../../lifecycle-runtime/docs/getting-started.md");
    for fence in ["```rust,no_run\n", "```rust,ignore\n"] {
        let block = page.split_once(fence).expect("a block of Rust").1;
        let block = block.split_once("```").expect("its end").0;
        assert!(include_str!("getting_started.rs").contains(block), "it is not here:\n{block}");
    }
}
