use std::net::{SocketAddr, TcpStream};

use tokio::sync::mpsc;
use tokio::task::yield_now;

use super::*;

/// Server with one worker, as its listeners see it.
struct Fixture {
    worker: WorkerHandle,
    accepted: mpsc::UnboundedReceiver<Accepted>,
    rotation: Rc<WorkerRotation>,
    commands: watch::Sender<AcceptCommand>,
    handover: Handover,
    unaccepted: Arc<AtomicU64>,
}

impl Fixture {
    /// Returns a server whose worker takes this many connections.
    fn new(limit: usize) -> Self {
        let (worker, accepted) = WorkerHandle::for_test(limit);
        let vacancies = worker.vacancies().clone();
        let rotation = Rc::new(WorkerRotation::new(vec![worker.clone()], vacancies));
        let (commands, _) = watch::channel(AcceptCommand::Accept);
        let (handover, unaccepted) = (Handover::default(), Arc::default());
        Self { worker, accepted, rotation, commands, handover, unaccepted }
    }
}

impl Fixture {
    /// Accepts on a listener as the accepting thread does.
    fn accept(&self, listener: Listener) -> impl Future<Output = ()> + use<> {
        self.accept_state().run(AcceptingListener::new(listener).expect("a listener"))
    }

    /// Returns the state of accepting on one listener.
    fn accept_state(&self) -> Accept {
        Accept {
            endpoint: 0,
            backlog: 16,
            reserve: Reserve::new(0),
            rotation: Rc::clone(&self.rotation),
            held: None,
            obstacle: Obstacles::new().0.of_listener(),
            handshakes: Handshakes::default(),
            handover: self.handover.clone(),
            commands: self.commands.subscribe(),
            unaccepted: Arc::clone(&self.unaccepted),
        }
    }
}

fn listen() -> (std::net::TcpListener, SocketAddr) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.set_nonblocking(true).expect("a socket");
    let address = listener.local_addr().expect("bound");
    (listener, address)
}

/// Returns a handle of the listener that shows whether connections wait.
fn queue_of(listener: &std::net::TcpListener) -> ListeningSocket {
    let listener = listener.try_clone().expect("a descriptor");
    let listener = tokio::net::TcpListener::from_std(listener).expect("a socket");
    ListeningSocket::Tcp(Arc::new(listener))
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

#[cfg(unix)]
#[tokio::test]
async fn what_waits_on_a_listener_that_is_left_to_a_successor_is_for_the_successor() {
    let fixture = Fixture::new(0);
    let (listener, address) = listen();
    let successor = listener.try_clone().expect("a descriptor");
    let accept = fixture.accept(Listener::Tcp(listener));
    let _waiting = connect(address);
    fixture.handover.leave();
    // This command comes too late to close anything.
    fixture.commands.send_replace(AcceptCommand::Drain { quiet_window: Duration::ZERO });
    accept.await;
    assert_eq!(fixture.unaccepted.load(Ordering::Relaxed), 0);
    let _later = connect(address);
    assert!(successor.accept().is_ok() && successor.accept().is_ok());
}

#[cfg(unix)]
#[tokio::test]
async fn a_successor_accepts_nothing_until_it_takes_over_and_then_the_listener_is_its_own() {
    let mut fixture = Fixture { handover: Handover::from_predecessor(), ..Fixture::new(10) };
    let (listener, address) = listen();
    let predecessor = listener.try_clone().expect("a descriptor");
    let mut accept = fixture.accept(Listener::Handed(listener)).boxed_local();
    let _waiting = connect(address);
    for _ in 0..100 {
        assert!(futures_util::poll!(&mut accept).is_pending());
        yield_now().await;
    }
    assert!(fixture.accepted.try_recv().is_err() && queue_of(&predecessor).has_waiting());
    fixture.handover.take_over();
    let accepted = tokio::select! {
        () = &mut accept => None,
        accepted = fixture.accepted.recv() => accepted,
    };
    assert!(accepted.is_some());
    fixture.commands.send_replace(AcceptCommand::Close);
    accept.await;
    drop(predecessor);
    assert!(TcpStream::connect(address).is_err());
}

#[cfg(unix)]
#[tokio::test]
async fn a_successor_that_fails_leaves_the_listener_to_its_predecessor() {
    let fixture = Fixture { handover: Handover::from_predecessor(), ..Fixture::new(10) };
    let (listener, address) = listen();
    let predecessor = listener.try_clone().expect("a descriptor");
    let accept = fixture.accept(Listener::Handed(listener));
    let _waiting = connect(address);
    fixture.commands.send_replace(AcceptCommand::Drain { quiet_window: Duration::ZERO });
    accept.await;
    let _later = connect(address);
    assert!(predecessor.accept().is_ok() && predecessor.accept().is_ok());
    assert_eq!(fixture.unaccepted.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_worker_is_given_no_more_than_it_takes_whichever_listener_it_comes_from() {
    let mut fixture = Fixture::new(1);
    let listeners = [listen(), listen()];
    let [first, second] = listeners.each_ref().map(|(_, address)| *address);
    let queues = listeners.each_ref().map(|(listener, _)| queue_of(listener));
    let [one, other] =
        listeners.map(|(listener, _)| fixture.accept(Listener::Tcp(listener)).boxed_local());
    let mut accepts = futures_util::future::join(one, other);
    // Both see that there is room, and wait for a connection.
    assert!(futures_util::poll!(&mut accepts).is_pending());
    let _clients = [first, second].map(connect);
    while queues.iter().any(ListeningSocket::has_waiting) {
        assert!(futures_util::poll!(&mut accepts).is_pending());
        yield_now().await;
    }
    assert!(futures_util::poll!(&mut accepts).is_pending());
    assert!(fixture.accepted.try_recv().is_ok());
    assert!(fixture.accepted.try_recv().is_err(), "the worker is full");

    fixture.worker.release();
    assert!(futures_util::poll!(&mut accepts).is_pending());
    assert!(fixture.accepted.try_recv().is_ok());
}

#[tokio::test]
async fn a_connection_that_is_held_for_a_worker_is_served_at_the_close() {
    for command in [AcceptCommand::Close, AcceptCommand::Drain { quiet_window: Duration::ZERO }] {
        let mut fixture = Fixture::new(1);
        let (listener, address) = listen();
        let queue = queue_of(&listener);
        let mut accept = fixture.accept(Listener::Tcp(listener)).boxed_local();
        assert!(futures_util::poll!(&mut accept).is_pending());
        // Another listener fills the worker, and then a client comes.
        let stream = AcceptedStream::Tcp(connect(address), address);
        fixture.worker.dispatch(Accepted { stream, endpoint: 1 });
        assert!(fixture.accepted.try_recv().is_ok());
        while queue.has_waiting() {
            assert!(futures_util::poll!(&mut accept).is_pending());
            yield_now().await;
        }
        assert!(fixture.accepted.try_recv().is_err(), "the worker is full");
        fixture.commands.send_replace(command);
        accept.await;
        assert!(fixture.accepted.try_recv().is_ok());
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_unix_socket_that_clients_can_still_reach_is_closed_without_a_loss() {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};

    let mut fixture = Fixture::new(10);
    let name = format!("lifecycle-accept-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(name).expect("a name");
    let listener = UnixListener::bind_addr(&address).expect("a free name");
    listener.set_nonblocking(true).expect("a socket");
    let listener = tokio::net::UnixListener::from_std(listener).expect("a socket");
    let listener = ListeningSocket::Unix(Arc::new(listener));
    let _clients = [(); 3].map(|()| UnixStream::connect_addr(&address).expect("it listens"));

    fixture.accept_state().drain(&listener, Duration::ZERO).await;

    let error = UnixStream::connect_addr(&address).expect_err("it is closed");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    let accepted = std::iter::from_fn(|| fixture.accepted.try_recv().ok()).count();
    assert_eq!(accepted, 3);
}
