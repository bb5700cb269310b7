//! Process as the system sees it: on Linux, by its folder in `/proc`.

use std::fs;
use std::path::PathBuf;

use nix::sys::signal::Signal;
use nix::unistd::Pid;

fn folder(process: Pid) -> PathBuf {
    PathBuf::from(format!("/proc/{process}"))
}

/// Returns whether the process has a handler for this signal.
pub(crate) fn catches(process: Pid, signal: Signal) -> bool {
    has_in_mask(process, "SigCgt:", signal)
}

/// Returns whether the process ignores this signal. Programs that it starts ignore it as well.
pub(crate) fn ignores(process: Pid, signal: Signal) -> bool {
    has_in_mask(process, "SigIgn:", signal)
}

fn has_in_mask(process: Pid, mask: &str, signal: Signal) -> bool {
    let status = fs::read_to_string(folder(process).join("status")).unwrap_or_default();
    let signals = status.lines().find_map(|line| line.strip_prefix(mask));
    let signals = signals.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    signals.unwrap_or_default() & (1 << (signal as u64 - 1)) != 0
}

/// Returns whether the process has a thread of this name. The system keeps 15 characters of a name.
pub(crate) fn has_thread(process: Pid, name: &str) -> bool {
    let Ok(threads) = fs::read_dir(folder(process).join("task")) else { return false };
    let names =
        threads.flatten().filter_map(|thread| fs::read_to_string(thread.path().join("comm")).ok());
    let name = &name[..name.len().min(15)];
    names.into_iter().any(|known| known.trim_end() == name)
}

/// Returns whether a signal has stopped all threads of the process.
pub(crate) fn is_stopped(process: Pid) -> bool {
    let Ok(threads) = fs::read_dir(folder(process).join("task")) else { return false };
    threads.flatten().all(|thread| {
        let stat = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        // The state stands behind the name of the thread, which is in parentheses.
        stat.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with('T'))
    })
}

/// Counts the file descriptors of the process with numbers below this. The process may have
/// inherited others.
pub(crate) fn descriptors(process: Pid, limit: usize) -> usize {
    let Ok(entries) = fs::read_dir(folder(process).join("fd")) else { return 0 };
    let numbers =
        entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<usize>().ok());
    numbers.filter(|number| *number < limit).count()
}

/// Returns whether the process is there, even if it has ended and nobody has reaped it.
pub(crate) fn is_there(process: Pid) -> bool {
    nix::sys::signal::kill(process, None).is_ok()
}

/// Returns the processes that this one has started and that nobody has reaped.
pub(crate) fn children(process: Pid) -> Vec<Pid> {
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let ids = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_child = |id: &i32| {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        // The parent is the second field behind the name, which is in parentheses.
        let parent = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1));
        parent == Some(&process.to_string())
    };
    ids.filter(is_child).map(Pid::from_raw).collect()
}

/// Returns the first process that this one has started and that still runs.
pub(crate) fn child(process: Pid) -> Option<Pid> {
    let children = folder(process).join(format!("task/{process}/children"));
    let first = fs::read_to_string(children).ok()?.split_whitespace().next()?.parse().ok()?;
    Some(Pid::from_raw(first))
}

/// Returns whether the process runs: it is there and has not ended, even if nobody has reaped it.
pub(crate) fn is_running(process: Pid) -> bool {
    let stat = fs::read_to_string(folder(process).join("stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with(['Z', 'X']))
}

/// Returns what the descriptors of the process lead to, as in `socket:[4711]`.
pub(crate) fn open_files(process: Pid) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder(process).join("fd")) else { return Vec::new() };
    let files = entries.flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
    files.map(|file| file.display().to_string()).collect()
}
