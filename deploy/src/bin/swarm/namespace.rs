//! Namespaces of the engine, which end with it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use lifecycle_deploy::balancer::Balancer;
use lifecycle_deploy::program::Program;
use nix::unistd::Uid;

use crate::engine::CGROUP;
use crate::{INSIDE, skipped};

/// Runs this program again in namespaces of its own, and returns its exit code.
pub(crate) fn run_inside(updates: usize) -> ExitCode {
    if !Uid::effective().is_root() {
        return skipped("the engine needs root");
    }
    if !has_program("dockerd") || !has_program("docker") {
        return skipped("there is no Docker engine (apt-get install docker.io)");
    }
    if let Some(reason) = Balancer::Haproxy.unavailable() {
        return skipped(&reason);
    }
    // It is built here, where there is a network.
    let _ = Program::Worldclock.path();
    let own = env::current_exe().expect("a path");
    let mut command = Command::new("unshare");
    command.args(["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]);
    command.arg(own).args([INSIDE, "--updates", &updates.to_string()]);
    let status = match command.status() {
        Ok(status) => status,
        Err(error) => return skipped(&format!("there is no `unshare`: {error}")),
    };
    remove_cgroups();
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    ExitCode::from(code.unwrap_or(1))
}

fn has_program(name: &str) -> bool {
    let paths = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&paths).chain([PathBuf::from("/usr/sbin")]);
    folders.into_iter().any(|folder| folder.join(name).is_file())
}

/// Removes what the engine has left in the hierarchies of control groups, which are not a
/// namespace's own. All of its processes have ended.
fn remove_cgroups() {
    let hierarchies = fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten();
    for folder in hierarchies.map(|entry| entry.path()).chain(["/sys/fs/cgroup".into()]) {
        remove_below(&folder.join(CGROUP));
    }
}

fn remove_below(cgroup: &Path) {
    let Ok(entries) = fs::read_dir(cgroup) else { return };
    for entry in entries.flatten().filter(|entry| entry.path().is_dir()) {
        remove_below(&entry.path());
    }
    let _ = fs::remove_dir(cgroup);
}
