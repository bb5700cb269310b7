//! systemd as the first process of namespaces of its own.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use lifecycle_tests::{LIMIT, skipped};
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, mkfifo};
use tempfile::TempDir;

use crate::harness::system;

const SYSTEMD: &str = "/lib/systemd/systemd";

/// Pause between two looks at something that is waited for.
const PAUSE: Duration = Duration::from_millis(20);

/// Script that makes the namespaces ready, and then becomes systemd. Its arguments are a folder and
/// the name of its control group. systemd changes nothing outside of them: it gets a group of its
/// own, an empty `/run`, no console, and can't change settings of the kernel.
const SCRIPT: &str = r#"
set -e
mount --make-rprivate /
mkdir "$1/groups"
mount -t cgroup2 none "$1/groups"
mkdir "$1/groups/$2"
echo 0 > "$1/groups/$2/cgroup.procs"
exec unshare --cgroup /bin/sh -c '
    set -e
    mount -t cgroup2 none /sys/fs/cgroup
    mount -t tmpfs none /run
    mount --bind /dev/null /dev/console
    mount --bind /proc/sys /proc/sys
    mount -o remount,bind,ro /proc/sys
    exec env -i PATH="$PATH" container=lifecycle SYSTEMD_UNIT_PATH="$1/units" '"$3"' \
        --system --unit=idle.target --log-target=null --show-status=no
' sh "$1"
"#;

/// Script that removes the control group of an instance that has ended.
const REMOVE: &str = r#"
mount -t cgroup2 none "$1/groups" || exit
find "$1/groups/$2" -depth -type d -delete
"#;

/// Instance of systemd, which ends with everything that it has started when this is dropped.
pub(crate) struct Systemd {
    unshare: Child,
    /// systemd itself.
    first: Pid,
    folder: TempDir,
    /// Name of the control group.
    group: String,
    /// Pipe that services read as their stdin. It stays open, so that none finds its end.
    stdin: File,
}

impl Systemd {
    /// Starts systemd with these units, and waits until it answers; `None` where that is
    /// impossible. Services get stdin, stdout and stderr of their own.
    #[track_caller]
    pub(crate) fn start(units: &[(&str, String)]) -> Option<Self> {
        if !Path::new(SYSTEMD).exists() {
            skipped("systemd is not installed");
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let stdin = folder.path().join("stdin");
        mkfifo(&stdin, Mode::S_IRWXU).expect("a pipe");
        fs::create_dir(folder.path().join("units")).expect("a folder");
        let idle = "[Unit]\nDefaultDependencies=no\nAllowIsolate=yes\n".to_owned();
        for (name, unit) in units.iter().chain(&[("idle.target", idle)]) {
            let mut unit = unit.clone();
            if name.ends_with(".service") {
                let folder = folder.path().display();
                unit += &format!(
                    "StandardInput=file:{folder}/stdin\n\
                     StandardOutput=append:{folder}/stdout\n\
                     StandardError=append:{folder}/stderr\n"
                );
            }
            fs::write(folder.path().join("units").join(name), unit).expect("a file");
        }
        let stdin = OpenOptions::new().read(true).write(true).open(stdin).expect("the pipe");
        let mut instance = Self::spawn(folder, stdin)?;
        if let Err(reason) = instance.answers() {
            skipped(&format!("systemd can't run here: {reason}"));
            return None;
        }
        Some(instance)
    }

    #[track_caller]
    fn spawn(folder: TempDir, stdin: File) -> Option<Self> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let group = format!("lifecycle-test-{}-{number}", std::process::id());
        let log = File::create(folder.path().join("log")).expect("a file");
        // It ends with this thread, even if that is killed.
        let mut unshare = Command::new("setpriv");
        unshare.args(["--pdeathsig", "KILL", "unshare"]);
        unshare.args(["--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child"]);
        unshare.args(["--mount-proc", "/bin/sh", "-c", SCRIPT, "sh"]);
        unshare.arg(folder.path()).args([group.as_str(), SYSTEMD]);
        unshare.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let Ok(mut child) = unshare.spawn() else {
            skipped("there is no `setpriv` here");
            return None;
        };
        let began = Instant::now();
        let first = loop {
            let id = child.id().try_into().expect("a process id");
            if let Some(first) = system::child(Pid::from_raw(id)) {
                break first;
            }
            let has_ended = child.try_wait().is_ok_and(|status| status.is_some());
            if has_ended || began.elapsed() > LIMIT {
                let why = fs::read_to_string(folder.path().join("log")).unwrap_or_default();
                skipped(&format!("systemd gets no namespaces here: {}", why.trim()));
                return None;
            }
            thread::sleep(PAUSE);
        };
        Some(Self { unshare: child, first, folder, group, stdin })
    }

    /// Waits until systemd answers.
    ///
    /// # Errors
    ///
    /// The reason for which it never will.
    fn answers(&mut self) -> Result<(), String> {
        let began = Instant::now();
        while self.systemctl("is-active idle.target").trim() != "active" {
            if self.unshare.try_wait().is_ok_and(|status| status.is_some()) {
                return Err(self.file("log").trim().to_owned());
            }
            if began.elapsed() > LIMIT {
                return Err(format!("it does not answer in {LIMIT:?}: {}", self.file("log")));
            }
            thread::sleep(PAUSE);
        }
        Ok(())
    }

    /// Runs `systemctl` with these arguments, and returns its output.
    pub(crate) fn systemctl(&self, args: &str) -> String {
        self.run(&format!("systemctl --no-pager --full {args}"))
    }

    /// Returns the process id of the main process's parent, as systemd sees it.
    pub(crate) fn parent_of_main_process(&self) -> String {
        let line = self.run(&format!("grep PPid: /proc/{}/status", self.property("MainPID")));
        line.trim_start_matches("PPid:").trim().to_owned()
    }

    /// Runs a command in the namespaces of systemd, and returns its output.
    fn run(&self, args: &str) -> String {
        let mut command = Command::new("timeout");
        command.args([&LIMIT.as_secs().to_string(), "nsenter"]);
        command.args(["--target", &self.first.to_string(), "--mount", "--pid", "--cgroup"]);
        command.args(["--uts", "--ipc"]);
        let output = command.args(args.split(' ')).output().expect("a command");
        let text = [output.stdout, output.stderr].concat();
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Returns a property of the service `web`.
    pub(crate) fn property(&self, name: &str) -> String {
        self.systemctl(&format!("show --property {name} --value web.service")).trim().to_owned()
    }

    /// Waits until a property of the service `web` has this value.
    #[track_caller]
    pub(crate) fn wait_for_property(&self, name: &str, value: &str) {
        self.wait(&format!("{name}={value}"), || self.property(name) == value);
    }

    /// Waits until a property of the service `web` has another value than this.
    #[track_caller]
    pub(crate) fn wait_for_change(&self, name: &str, value: &str) {
        self.wait(&format!("{name} but {value}"), || self.property(name) != value);
    }

    /// Waits until the service has said this.
    #[track_caller]
    pub(crate) fn wait_until_said(&self, said: &str) {
        self.wait(said, || self.said().iter().any(|line| line == said));
    }

    /// Returns the lines that the service has said.
    pub(crate) fn said(&self) -> Vec<String> {
        self.file("stdout").lines().map(str::to_owned).collect()
    }

    /// Writes a line to the stdin of the service.
    pub(crate) fn tell(&self, line: &str) {
        writeln!(&self.stdin, "{line}").expect("a pipe");
    }

    #[track_caller]
    fn wait(&self, what: &str, is_there: impl Fn() -> bool) {
        let began = Instant::now();
        while !is_there() {
            if began.elapsed() > LIMIT {
                let status = self.systemctl("status web.service");
                panic!("no {what}:\n{status}\n{}", self.file("stderr"));
            }
            thread::sleep(PAUSE);
        }
    }

    /// Returns the text of a file that may be missing.
    fn file(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }
}

impl Drop for Systemd {
    fn drop(&mut self) {
        // With the first process of a namespace all others end.
        let _ = kill(self.first, Signal::SIGKILL);
        let _ = self.unshare.wait();
        let mut remove = Command::new("unshare");
        remove.args(["--mount", "/bin/sh", "-c", REMOVE, "sh"]).arg(self.folder.path());
        let _ = remove.arg(&self.group).output();
    }
}
