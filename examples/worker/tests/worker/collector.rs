//! A collector that comes and goes.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpSocket, TcpStream};
use tokio::runtime::{Builder, Runtime};

/// Numbers and lines that the collectors have received, in the order of arrival.
pub type Received = Arc<Mutex<Vec<(i64, String)>>>;

/// An address that is bound and has no listener.
pub struct Away {
    socket: TcpSocket,
    runtime: Runtime,
}

/// A collector that listens until it is dropped, which closes its connections, too.
pub struct Collector {
    address: SocketAddr,
    runtime: Runtime,
}

impl Away {
    pub fn anywhere() -> Self {
        Self::at(([127, 0, 0, 1], 0).into())
    }

    fn at(address: SocketAddr) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(address).unwrap();
        Self { socket, runtime }
    }

    pub fn address(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    pub fn listen(self, received: &Received) -> Collector {
        let (Self { socket, runtime }, received) = (self, Arc::clone(received));
        let address = socket.local_addr().unwrap();
        let entered = runtime.enter();
        let listener = socket.listen(16).unwrap();
        drop(entered);
        runtime.spawn(async move {
            while let Ok((worker, _)) = listener.accept().await {
                tokio::spawn(collect(worker, Arc::clone(&received)));
            }
        });
        Collector { address, runtime }
    }
}

impl Collector {
    pub fn leave(self) -> Away {
        drop(self.runtime);
        Away::at(self.address)
    }
}

async fn collect(mut worker: TcpStream, received: Received) {
    let (lines, mut answers) = worker.split();
    let mut lines = BufReader::new(lines).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let (seq, line) = line.split_once(' ').unwrap();
        received.lock().unwrap().push((seq.parse().unwrap(), line.to_owned()));
        if answers.write_all(format!("{seq}\n").as_bytes()).await.is_err() {
            return;
        }
    }
}
