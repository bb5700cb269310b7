//! `forward` itself, with a collector that comes and goes. Time stands still while the service
//! runs, and passes while it waits for its next run.

use lifecycle_runtime::hook::Hook;
use lifecycle_runtime::testing::{Moment, real_io};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{Place, worker_with};
use crate::batches::{batches, written};
use crate::forward::forward;
use crate::store::{db, tests::piece, write};
use crate::tail::tail;

/// Accepts the next connection, and reads these lines from it.
async fn accept(listener: &TcpListener, lines: &str) -> TcpStream {
    let mut socket = real_io(listener.accept()).await.expect("a connection").0;
    take(&mut socket, lines).await;
    socket
}

async fn take(socket: &mut TcpStream, lines: &str) {
    let mut sent = vec![0; lines.len()];
    real_io(socket.read_exact(&mut sent)).await.expect("lines");
    assert_eq!(String::from_utf8_lossy(&sent), lines);
}

#[lifecycle_runtime::test]
async fn what_a_collector_has_not_acknowledged_it_gets_again_from_the_next_run() {
    let place = Place::empty();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let mut settings = place.settings();
    settings.fixed.collector = Some(listener.local_addr().expect("an address").to_string());
    let builder =
        worker_with(settings).replace::<tail>(()).replace::<batches>(()).real_io::<forward>();
    let app = builder.start().await;
    let (db, written) = (app.get::<db>(), app.get::<written>());

    drop(accept(&listener, "").await);
    app.until(Moment::ready::<forward>().times(2)).await;
    real_io(write(&db, &[piece(1, 0, 2, "a"), piece(1, 2, 4, "b")])).await.expect("a database");
    written.notify_one();
    let mut some = accept(&listener, "1 a\n2 b\n").await;
    some.write_all(b"1\n").await.expect("a connection");
    drop(some);
    app.until(Moment::ready::<forward>().times(3)).await;
    let mut all = accept(&listener, "1 a\n2 b\n").await;
    all.write_all(b"2\n").await.expect("a connection");
    assert_eq!(app.readiness(), Ok(()));
    real_io(write(&db, &[piece(1, 4, 6, "c")])).await.expect("a database");
    written.notify_one();
    take(&mut all, "3 c\n").await;

    let report = app.stop().await;
    report.assert_clean();
    let service =
        report.services.iter().find(|service| service.hook == forward::META).expect("it ran");
    let last_error = service.last_error.as_ref().expect("a run has failed");
    assert_eq!(last_error.to_string(), "failed: the collector has closed the connection");
    assert_eq!(service.restarts, 2);
}
