//! Docker engine in the namespaces of this process.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use lifecycle_runtime::testing::{Signal, process};

/// Socket of the engine.
const SOCKET: &str = "unix:///run/docker.sock";

/// Control group of the engine's containers.
pub(crate) const CGROUP: &str = "lifecycle-deploy";

/// Longest time that the engine is given to start, and to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// Engine that runs. It is ended when this is dropped, and whatever it leaves ends with the
/// namespaces.
pub(crate) struct Engine {
    dockerd: process::Child,
}

impl Engine {
    /// Starts the engine: data, sockets and the file with its process id are in memory.
    ///
    /// # Errors
    ///
    /// It does not start here.
    pub(crate) fn start() -> Result<Self, String> {
        run("ip", &["link", "set", "lo", "up"])?;
        run("mount", &["-t", "tmpfs", "tmpfs", "/run"])?;
        fs::create_dir_all("/run/docker-data").map_err(|error| error.to_string())?;
        let mut command = Command::new("dockerd");
        command.args(["--host", SOCKET, "--data-root", "/run/docker-data"]);
        command.args(["--exec-root", "/run/docker", "--pidfile", "/run/docker.pid"]);
        command.args(["--cgroup-parent", &format!("/{CGROUP}")]);
        // Containers use the network of the namespace, which has loopback only.
        command.args(["--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-masq=false"]);
        let mut dockerd = process::Command::from(command).spawn();
        let began = Instant::now();
        loop {
            let asked = docker(&["version", "--format", "{{.Server.Version}}"]);
            match asked {
                Ok(version) => {
                    println!("Docker engine {}", version.trim());
                    return Ok(Self { dockerd });
                }
                Err(error) if dockerd.has_ended() || began.elapsed() > PATIENCE => {
                    let lines: Vec<_> = dockerd.transcript().lines().collect();
                    let last = lines.last().copied().unwrap_or_default();
                    return Err(format!("the Docker engine does not start: {last} ({error})"));
                }
                Err(_) => thread::sleep(Duration::from_millis(50)),
            }
        }
    }

    /// Runs a command of the client, and returns what it writes to stdout.
    ///
    /// # Errors
    ///
    /// The command fails.
    #[expect(clippy::unused_self, reason = "there has to be an engine")]
    pub(crate) fn docker(&self, arguments: &[&str]) -> Result<String, String> {
        docker(arguments)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if self.dockerd.has_ended() {
            return;
        }
        self.dockerd.signal_at_once(Signal::SIGTERM);
        let began = Instant::now();
        while !self.dockerd.has_ended() && began.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(20));
        }
    }
}

fn docker(arguments: &[&str]) -> Result<String, String> {
    run("docker", &[&["--host", SOCKET], arguments].concat())
}

/// Runs a command, and returns what it writes to stdout.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Result<String, String> {
    let shown = format!("{program} {}", arguments.join(" "));
    let output = Command::new(program).args(arguments).output();
    let output = output.map_err(|error| format!("{shown}: {error}"))?;
    let text = |bytes| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    Err(format!("{shown}: {}: {}{}", output.status, text(&output.stdout), text(&output.stderr)))
}
