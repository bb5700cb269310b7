//! The receiver of orders: a server that keeps its deliveries.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use serde_json::Value;

use crate::process::LIMIT;

/// A delivery as it arrived.
#[derive(Debug, Clone)]
pub struct Delivered {
    pub key: String,
    pub body: Value,
}

impl Delivered {
    pub fn note(&self) -> &str {
        self.body["note"].as_str().unwrap()
    }
}

/// Function from the number of a delivery to the status of its answer; `None` for no answer.
type Answer = dyn Fn(usize) -> Option<u16> + Send + Sync;

#[derive(Clone)]
pub struct Receiver {
    pub url: String,
    shared: Arc<Shared>,
}

struct Shared {
    delivered: Mutex<Vec<Delivered>>,
    more: Condvar,
    answer: Box<Answer>,
}

impl Receiver {
    /// Starts a receiver that takes everything.
    pub fn start() -> Self {
        Self::answering(|_| Some(200))
    }

    /// Starts a receiver that answers the nth delivery with this status, or not at all.
    pub fn answering(answer: impl Fn(usize) -> Option<u16> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            delivered: Mutex::default(),
            more: Condvar::new(),
            answer: Box::new(answer),
        });
        let kept = Arc::clone(&shared);
        // This lives as long as the test process.
        thread::spawn(move || {
            for stream in listener.incoming() {
                let shared = Arc::clone(&shared);
                thread::spawn(move || stream.is_ok_and(|stream| serve(&stream, &shared).is_some()));
            }
        });
        Self { url, shared: kept }
    }

    /// Waits until the deliveries are enough.
    #[track_caller]
    pub fn wait_until(&self, enough: impl Fn(&[Delivered]) -> bool) -> Vec<Delivered> {
        let delivered = self.shared.delivered.lock().unwrap();
        let (delivered, waited) =
            self.shared.more.wait_timeout_while(delivered, LIMIT, |now| !enough(now)).unwrap();
        assert!(
            !waited.timed_out(),
            "{} deliveries were made, and that is not enough",
            delivered.len()
        );
        delivered.clone()
    }
}

/// Answers requests until the connection ends.
fn serve(stream: &TcpStream, shared: &Shared) -> Option<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let (mut length, mut key) = (0, None);
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        assert!(line.starts_with("POST /hook "), "{line}");
        loop {
            line.clear();
            reader.read_line(&mut line).ok()?;
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            match &*name.to_ascii_lowercase() {
                "content-length" => length = value.parse().unwrap(),
                "idempotency-key" => key = Some(value.to_owned()),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        // The sender may be killed at any point.
        reader.read_exact(&mut body).ok()?;
        let number = {
            let mut delivered = shared.delivered.lock().unwrap();
            delivered.push(Delivered {
                key: key.unwrap(),
                body: serde_json::from_slice(&body).unwrap(),
            });
            shared.more.notify_all();
            delivered.len()
        };
        let status = (shared.answer)(number)?;
        let mut writer = stream;
        writer
            .write_all(format!("HTTP/1.1 {status} So\r\ncontent-length: 0\r\n\r\n").as_bytes())
            .ok()?;
    }
}
