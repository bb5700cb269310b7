//! Program with several servers: `servers [certificate=PATH [alpn=PROTOCOL] | made=PATH]`
//!
//! Two servers are plain. With an argument there is a third one over TLS, which writes its
//! certificate to the path. If a protocol is named, that server offers no other. With `made` there
//! is one server, on two listeners that are made by hand: TCP on a free port, and Unix at the path.

use std::process::ExitCode;

use actix_web::{App, web};
use lifecycle_runtime::{Http, Lifecycle};
use lifecycle_tests::act::{end_with_stdin, told_to};
use lifecycle_tests::certificate;

fn named(name: &'static str) -> Http {
    unbound(name).bind("127.0.0.1:0")
}

fn unbound(name: &'static str) -> Http {
    Http::new(move || App::new().route("/", web::get().to(move || async move { name })))
}

#[cfg(unix)]
fn made(path: &str) -> Http {
    let unix = std::os::unix::net::UnixListener::bind(path).expect("a free place");
    let tcp = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    unbound("made").listen(tcp).listen_uds(unix)
}

fn main() -> ExitCode {
    end_with_stdin();
    #[cfg(unix)]
    if !told_to("made").is_empty() {
        return Lifecycle::of([]).http(made(&told_to("made"))).run();
    }
    let lifecycle = Lifecycle::of([]).http(named("first")).http(named("second").workers(1));
    match &*told_to("certificate") {
        "" => lifecycle.run(),
        path => {
            let mut config = certificate::config(path);
            let alpn = told_to("alpn");
            config.alpn_protocols.extend((!alpn.is_empty()).then(|| alpn.into_bytes()));
            lifecycle.http(named("secret").rustls_0_23(config)).run()
        }
    }
}
