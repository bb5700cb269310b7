//! Tests with fakes: `cargo test -p tour --example 08_testing`.
//!
//! The program under test: `cargo run -p tour --example 08_testing`.
//!
//! ```console
//! $ curl -d ana@example.org http://127.0.0.1:8080/users
//! ```

use std::process::ExitCode;

use actix_web::{App, HttpResponse, post};
use lifecycle_runtime::{BoxError, Dep, Lifecycle, on_shutdown, on_startup};

/// Way to send mail. It is a trait so that tests can replace it. A value that a test can make
/// itself, like a database in memory, needs no trait.
trait Mailer: Send + Sync {
    fn welcome(&self, address: &str) -> Result<(), BoxError>;
}

/// Stand-in for a client of a mail server.
struct Smtp;

impl Mailer for Smtp {
    fn welcome(&self, address: &str) -> Result<(), BoxError> {
        println!("to {address}: welcome");
        Ok(())
    }
}

#[on_startup(timeout = "10s")]
async fn mailer() -> Result<Box<dyn Mailer>, BoxError> {
    Ok(Box::new(Smtp))
}

#[on_shutdown(of = mailer, timeout = "2s")]
async fn close_mailer(_mailer: Dep<mailer>) {}

#[post("/users")]
async fn sign_up(address: String, mailer: Dep<mailer>) -> HttpResponse {
    match mailer.welcome(&address) {
        Ok(()) => HttpResponse::Created().finish(),
        Err(error) => HttpResponse::ServiceUnavailable().body(format!("{error}\n")),
    }
}

/// Returns the service, for `main` and for the tests.
fn service() -> Lifecycle {
    Lifecycle::new().http(|| App::new().service(sign_up))
}

fn main() -> ExitCode {
    service().run()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use actix_web::test::TestRequest;
    use lifecycle_runtime::testing::TestApp;

    use super::*;

    /// A mailer that keeps the addresses it is given.
    #[derive(Clone, Default)]
    struct FakeMailer(Arc<Mutex<Vec<String>>>);

    impl Mailer for FakeMailer {
        fn welcome(&self, address: &str) -> Result<(), BoxError> {
            self.0.lock().unwrap().push(address.to_owned());
            Ok(())
        }
    }

    #[lifecycle_runtime::test]
    async fn who_signs_up_gets_a_mail() {
        let fake = FakeMailer::default();
        let app = TestApp::of(service()).replace::<mailer>(Box::new(fake.clone())).start().await;
        let request = TestRequest::post().uri("/users").set_payload("ana@example.org");
        assert_eq!(app.request(request).await.status(), 201);
        assert_eq!(*fake.0.lock().unwrap(), ["ana@example.org"]);
        app.stop().await.assert_clean().assert_ran_once::<close_mailer>();
    }

    #[lifecycle_runtime::test]
    async fn without_a_mail_server_there_is_no_start() {
        let report = TestApp::of(service()).fail::<mailer>("connection refused").run().await;
        report.assert_exit_code(1).assert_failed::<mailer>("connection refused");
    }

    /// Passes two seconds at once: the time of a test is paused.
    #[lifecycle_runtime::test]
    async fn a_mail_server_that_hangs_does_not_hold_the_stop_up() {
        let report = TestApp::of(service()).hang::<close_mailer>().run().await;
        report.assert_exit_code(3).assert_failed::<close_mailer>("ran into its timeout");
    }
}
