//! Program that is compared, in a process of its own.

use std::io::{self, BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::network::Network;
use super::operator::Operator;

/// Limit for everything that is not measured.
const PATIENCE: Duration = Duration::from_secs(40);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Bare,
    WithLifecycle,
    /// The same, with the listener for operators, who ask for metrics each second and follow the
    /// events.
    WithAdmin,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Bare, Self::WithLifecycle, Self::WithAdmin];

    /// Returns the name of the program in tables.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare actix-web",
            Self::WithLifecycle => "with the framework",
            Self::WithAdmin => "with `admin`, and operators",
        }
    }
}

/// Server that runs until this is dropped.
pub(crate) struct Program {
    child: Child,
    /// Messages that a slow request has begun.
    slow: Receiver<()>,
    pub(crate) address: SocketAddr,
    _operator: Option<Operator>,
}

/// Memory of a program, in KiB.
#[derive(Clone, Copy)]
pub(crate) struct Memory {
    /// All of it, including pages of its file and of libraries, which the system shares between
    /// programs and can take back.
    pub(crate) whole: u64,
    /// Pages that it has written: stacks, heap, relocated data.
    pub(crate) own: u64,
}

impl Program {
    /// Starts the program and waits until it serves.
    pub(crate) fn start(kind: Kind, workers: usize, network: &Network) -> Result<Self, String> {
        let path = match kind {
            Kind::Bare => env!("CARGO_BIN_EXE_bare_actix"),
            Kind::WithLifecycle | Kind::WithAdmin => env!("CARGO_BIN_EXE_with_lifecycle"),
        };
        let address = network.server(|| free_address(network.server_ip()));
        let address = address.map_err(|error| format!("no address is free: {error}"))?;
        let mut command = Command::new(path);
        command
            .args([address.to_string(), workers.to_string()])
            // The program ends when this end of the pipe does.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let admin = (kind == Kind::WithAdmin)
            .then(|| network.server(|| free_address(Ipv4Addr::LOCALHOST.into())))
            .transpose()
            .map_err(|error| format!("no address is free: {error}"))?;
        if let Some(admin) = admin {
            command.env("LIFECYCLE_ADMIN", admin.to_string());
        }
        let child = network.server(|| command.spawn());
        let mut child = child.map_err(|error| format!("{path} doesn't start: {error}"))?;
        let (begun, slow) = channel();
        if let Some(stdout) = child.stdout.take() {
            let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
            spawn(move || lines.try_for_each(|_| begun.send(())));
        }
        let operator = admin.map(|admin| network.server(|| Operator::at(admin)));
        let program = Self { child, slow, address, _operator: operator };
        let begun = Instant::now();
        while network.client(|| TcpStream::connect(address)).is_err() {
            if begun.elapsed() > PATIENCE {
                return Err(format!("{path} doesn't serve"));
            }
            sleep(Duration::from_millis(1));
        }
        Ok(program)
    }

    /// Waits until this many slow requests have begun.
    pub(crate) fn wait_for_requests(&self, count: usize) -> Result<(), String> {
        for _ in 0..count {
            let begun = self.slow.recv_timeout(PATIENCE);
            begun.map_err(|error| format!("a request doesn't begin: {error}"))?;
        }
        Ok(())
    }

    /// Returns the memory that the program holds.
    pub(crate) fn memory(&self) -> Result<Memory, String> {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
        let of = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|line| line.split_whitespace().next()?.parse().ok())
                .ok_or_else(|| format!("{path}: no {name}"))
        };
        Ok(Memory { whole: of("VmRSS:")?, own: of("RssAnon:")? })
    }

    /// Returns the time that the program's threads have spent on processors.
    pub(crate) fn processor_time(&self) -> Result<Duration, String> {
        let path = format!("/proc/{}/task", self.child.id());
        let threads = std::fs::read_dir(&path).map_err(|error| format!("{path}: {error}"))?;
        // See proc(5). The file has nanoseconds, which matter: at a distance there are few
        // requests.
        let times = threads.flatten().filter_map(|thread| {
            let schedstat = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
            schedstat.split(' ').next()?.parse::<u64>().ok()
        });
        Ok(Duration::from_nanos(times.sum()))
    }

    /// Sends SIGTERM and returns the time of that.
    pub(crate) fn terminate(&self) -> Result<Instant, String> {
        let id = Pid::from_raw(i32::try_from(self.child.id()).expect("a process id"));
        let now = Instant::now();
        kill(id, Signal::SIGTERM).map_err(|error| format!("the program is gone: {error}"))?;
        Ok(now)
    }

    /// Waits until the process is gone and returns the time of that.
    pub(crate) fn exit(mut self) -> Result<Instant, String> {
        let begun = Instant::now();
        // A wait without a limit would be exact, but might never end.
        while self.child.try_wait().map_err(|error| error.to_string())?.is_none() {
            if begun.elapsed() > PATIENCE {
                return Err("a program doesn't stop".to_owned());
            }
            sleep(Duration::from_micros(100));
        }
        Ok(Instant::now())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_address(ip: IpAddr) -> io::Result<SocketAddr> {
    TcpListener::bind((ip, 0))?.local_addr()
}
