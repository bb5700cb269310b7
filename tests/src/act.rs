//! Faults and waits that the arguments of a program give to its hooks.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt;
use std::future::pending;
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;

/// Time longer than any test waits.
const FOREVER: Duration = Duration::from_secs(600);

/// Writes a line to stdout, which may be closed.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Returns what the arguments tell this hook to do: `db=fail` is `fail` for `db`.
#[must_use]
pub fn told_to(name: &str) -> String {
    let order = |argument: String| Some(argument.strip_prefix(name)?.strip_prefix('=')?.to_owned());
    std::env::args().find_map(order).unwrap_or_default()
}

/// Makes `tracing` write everything of this level and above to stderr, if the arguments name one:
/// `log=info`.
///
/// # Panics
///
/// If there is no such level.
pub fn log_as_told() {
    let level = told_to("log");
    if !level.is_empty() {
        let level: tracing::Level = level.parse().expect("a level");
        let log = tracing_subscriber::fmt().with_ansi(false).with_writer(std::io::stderr);
        log.with_max_level(level).init();
    }
}

/// Lines that have come on stdin so far.
static LINES: LazyLock<watch::Sender<BTreeSet<String>>> = LazyLock::new(|| {
    thread::spawn(|| {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            LINES.send_if_modified(|lines| lines.insert(line));
        }
        std::process::exit(86);
    });
    watch::Sender::default()
});

/// Reads stdin from now on, and ends the process at its end. So the process ends with whatever
/// started it, even if that was killed.
pub fn end_with_stdin() {
    LazyLock::force(&LINES);
}

/// Returns whether this line has come on stdin.
#[must_use]
pub fn has_heard(line: &str) -> bool {
    LINES.borrow().contains(line)
}

/// Waits for a line on stdin.
pub async fn heard(line: &str) {
    let _ = LINES.subscribe().wait_for(|lines| lines.contains(line)).await;
}

/// Guard that says when it is dropped: with a future that was cancelled, or with a value.
pub struct SaysDropped(pub &'static str);

impl Drop for SaysDropped {
    fn drop(&mut self) {
        say(&format!("{} dropped", self.0));
    }
}

/// Does what the arguments tell an async hook to do.
///
/// # Errors
///
/// If the hook was told to fail.
pub async fn act(name: &'static str) -> Result<(), Broken> {
    say(name);
    match &*told_to(name) {
        "hang" => {
            let _cancelled = SaysDropped(name);
            pending::<()>().await;
        }
        "block" => block_all_workers(name),
        "block-one" => thread::sleep(FOREVER),
        "wait" => heard(name).await,
        "wait-fail" => {
            heard(name).await;
            return fail(name, "fail");
        }
        fault => return fail(name, fault),
    }
    Ok(())
}

/// Does what the arguments tell a hook on the blocking pool to do.
///
/// # Errors
///
/// If the hook was told to fail.
pub fn act_blocking(name: &'static str) -> Result<(), Broken> {
    say(name);
    match &*told_to(name) {
        "hang" => thread::sleep(FOREVER),
        "wait" => Handle::current().block_on(heard(name)),
        "wait-fail" => {
            Handle::current().block_on(heard(name));
            return fail(name, "fail");
        }
        fault => return fail(name, fault),
    }
    Ok(())
}

fn fail(name: &str, fault: &str) -> Result<(), Broken> {
    match fault {
        "" | "panic-at-drop" | "hang-at-drop" => Ok(()),
        "fail" => Err(Broken(3)),
        "fail-in-disguise" => Err(Broken(4)),
        "abort" => std::process::abort(),
        // Clears the screen and makes a false claim.
        "fail-loudly" => panic!("\x1b[2Jgone\rblank\u{9b}31m\nlifecycle: stopped, exit code 0"),
        "chdir" => {
            std::env::set_current_dir("/").expect("the root");
            Ok(())
        }
        "panic" => panic!("{name} has no idea"),
        fault => panic!("{name} does not know how to {fault}"),
    }
}

/// Blocks all threads of the async runtime. The last one to block says so.
fn block_all_workers(name: &'static str) {
    let threads = Handle::current().metrics().num_workers();
    let left = Arc::new(AtomicUsize::new(threads));
    let block = move || {
        if left.fetch_sub(1, Ordering::SeqCst) == 1 {
            say(&format!("{name} blocks"));
        }
        thread::sleep(FOREVER);
    };
    // More tasks than threads, as no other thread takes over the last task that a thread spawns.
    for _ in 0..2 * threads {
        let block = block.clone();
        tokio::spawn(async move { block() });
    }
    block();
}

/// Error with a chain of causes: `Broken(3)` has two, `Broken(2)` has one, all others have none.
#[derive(Debug)]
pub struct Broken(pub u8);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            // As with `fail-loudly`.
            4 => "\x1b[2Jgone\nlifecycle: stopped, exit code 0",
            3 => "can't open the store",
            2 => "page 7 is unreadable",
            _ => "the disk is on fire",
        })
    }
}

impl Error for Broken {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self.0 {
            3 => Some(&Self(2)),
            2 => Some(&Self(1)),
            _ => None,
        }
    }
}
