//! Collector to try the worker with: it prints each line and acknowledges it.
//!
//! `cargo run -p worker --example collector`

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};

fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:7070")?;
    for worker in listener.incoming() {
        if let Err(error) = collect(&worker?) {
            eprintln!("the worker is gone: {error}");
        }
    }
    Ok(())
}

fn collect(mut worker: &TcpStream) -> io::Result<()> {
    for line in BufReader::new(worker).split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        let seq = line.split(' ').next().unwrap_or_default();
        writeln!(worker, "{seq}")?;
    }
    Ok(())
}
