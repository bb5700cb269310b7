use std::net::{SocketAddr, TcpStream};

use tokio::sync::mpsc;

use super::*;

/// Server with one worker, as its listeners see it.
struct Fixture {
    worker: WorkerHandle,
    accepted: mpsc::UnboundedReceiver<Accepted>,
    rotation: Rc<WorkerRotation>,
    commands: watch::Sender<AcceptCommand>,
    unaccepted: Arc<AtomicU64>,
}

impl Fixture {
    /// Returns a server whose worker takes this many connections.
    fn new(limit: usize) -> Self {
        let (worker, accepted) = WorkerHandle::for_test(limit);
        let vacancies = worker.vacancies().clone();
        let rotation = Rc::new(WorkerRotation::new(vec![worker.clone()], vacancies));
        let (commands, _) = watch::channel(AcceptCommand::Accept);
        Self { worker, accepted, rotation, commands, unaccepted: Arc::default() }
    }
}

fn listen() -> (std::net::TcpListener, SocketAddr) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.set_nonblocking(true).expect("a socket");
    let address = listener.local_addr().expect("bound");
    (listener, address)
}

fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).expect("it listens")
}

#[tokio::test]
async fn a_connection_that_the_worker_has_not_begun_to_serve_is_cut_off_with_the_others() {
    let fixture = Fixture::new(10);
    let (_listener, address) = listen();
    let stream = AcceptedStream::Tcp(connect(address), address);
    fixture.worker.dispatch(Accepted { stream, endpoint: 0 });
    fixture.worker.table().cut();
    assert_eq!(fixture.worker.table().traffic().connections.cut, 1);

    // The worker is gone.
    drop(fixture.accepted);
    let stream = AcceptedStream::Tcp(connect(address), address);
    fixture.worker.dispatch(Accepted { stream, endpoint: 0 });
    assert_eq!(fixture.worker.table().traffic().connections.cut, 2);
}
