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

impl Fixture {
    /// Accepts on a listener as the accepting thread does.
    fn accept(&self, listener: Listener) -> impl Future<Output = ()> + use<> {
        let accept = Accept {
            endpoint: 0,
            backlog: 16,
            reserve: Reserve::new(0),
            rotation: Rc::clone(&self.rotation),
            obstacle: Obstacles::new().0.of_listener(),
            handshakes: Handshakes::default(),
            commands: self.commands.subscribe(),
            unaccepted: Arc::clone(&self.unaccepted),
        };
        accept.run(AcceptingListener::new(listener).expect("a listener"))
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

#[tokio::test]
async fn what_waits_at_the_close_is_counted_even_if_nothing_was_in_the_way() {
    for drains in [false, true] {
        let fixture = Fixture::new(0);
        let (listener, address) = listen();
        let _waiting = [(); 3].map(|()| connect(address));
        let accept = fixture.accept(Listener::Tcp(listener));
        if drains {
            // The next command overtakes it.
            fixture.commands.send_replace(AcceptCommand::Drain { quiet_window: Duration::ZERO });
        }
        fixture.commands.send_replace(AcceptCommand::Close);
        accept.await;
        assert_eq!(fixture.unaccepted.load(Ordering::Relaxed), 3);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn what_waits_on_a_listener_of_the_parent_is_for_the_next_process() {
    let fixture = Fixture::new(0);
    let (listener, address) = listen();
    let _waiting = connect(address);
    let accept = fixture.accept(Listener::Inherited(listener));
    fixture.commands.send_replace(AcceptCommand::Close);
    accept.await;
    assert_eq!(fixture.unaccepted.load(Ordering::Relaxed), 0);
}
