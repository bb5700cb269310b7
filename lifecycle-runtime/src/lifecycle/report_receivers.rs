//! Receivers of the report of a run: the files that it is written to, and the program's callbacks.

use std::sync::{Arc, mpsc};

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::Lifecycle;
use super::on_report::OnReport;
use crate::hook::task::thread;
use crate::observe::console::{Console, LAST_WORDS};
use crate::observe::report::Report;
use crate::observe::report_files::ReportFiles;
use crate::process::config::{Config, OutputSettings};

const HANGS: &str = "the report was not written, as the disk doesn't answer";

/// Receivers of the report of a run. Each gets it once. Clones share the receivers.
#[derive(Clone)]
pub(super) struct ReportReceivers {
    callbacks: OnReport,
    pub(super) files: Arc<ReportFiles>,
    pub(super) outputs: OutputSettings,
}

impl ReportReceivers {
    /// Makes the receivers of a lifecycle, even of one whose settings will be refused.
    pub(super) fn of(lifecycle: &Lifecycle) -> Self {
        let outputs = lifecycle.config.outputs_with(Config::environment());
        Self {
            callbacks: lifecycle.on_report.clone(),
            files: Arc::new(ReportFiles::new(&outputs)),
            outputs,
        }
    }

    /// Makes a console that writes to stderr, for a run that has none yet.
    pub(super) fn stderr(&self) -> Console {
        Console::stderr(self.outputs.console)
    }

    /// Passes the report on, on the current thread.
    pub(super) fn call(&self, report: &Report, console: &Console) {
        if self.files.are_any() {
            complain(self.files.write(report), console);
        }
        self.callbacks.call(report);
    }

    /// Passes the report on, on threads of their own, and waits for them until this deadline.
    /// Complains about what has not been done by then.
    pub(super) async fn call_on_thread(
        &self,
        report: &Report,
        deadline: Instant,
        console: &Console,
    ) {
        // Neither a callback nor a disk that hangs takes the other's time.
        let called = self.callbacks.call_on_thread(report, deadline, console);
        tokio::join!(called, self.write_on_thread(report, deadline, console));
    }

    async fn write_on_thread(&self, report: &Report, deadline: Instant, console: &Console) {
        if !self.files.are_any() {
            return;
        }
        let (sender, written) = oneshot::channel();
        let (files, seen) = (Arc::clone(&self.files), report.clone());
        let started = thread("lifecycle-files", move || drop(sender.send(files.write(&seen))));
        let problems = match started {
            Ok(_) => match timeout_at(deadline, written).await {
                Ok(problems) => problems.unwrap_or_default(),
                Err(_) => self.finish_on_thread(report).await,
            },
            Err(error) => {
                vec![format!("the report was not written, as the system refuses a thread: {error}")]
            }
        };
        if !problems.is_empty() {
            complain(problems, console);
            console.clone().flushed(LAST_WORDS).await;
        }
    }

    /// Ends the writing of the files, as far as the disks let it: one that hangs keeps the other
    /// file from nothing. Returns a line about each that is given up.
    async fn finish_on_thread(&self, report: &Report) -> Vec<String> {
        let (sender, finished) = oneshot::channel();
        let (files, seen) = (Arc::clone(&self.files), report.clone());
        let finish = move || drop(sender.send(files.write_at_once(&seen)));
        if thread("lifecycle-files", finish).is_err() {
            return vec![HANGS.to_owned()];
        }
        match timeout_at(Instant::now() + LAST_WORDS, finished).await {
            Ok(problems) => problems.unwrap_or_default(),
            Err(_) => vec![HANGS.to_owned()],
        }
    }
}

fn complain(problems: Vec<String>, console: &Console) {
    for problem in problems {
        console.complain(&problem);
    }
}

/// Writes the files for a process that ends by force, on a thread of its own. Returns a function
/// that waits until that is done, but not for long.
pub(super) fn write_at_once(
    files: &Arc<ReportFiles>,
    console: Console,
    report: impl FnOnce() -> Report + Send + 'static,
) -> impl FnOnce() {
    let (sender, written) = mpsc::channel();
    let files = Arc::clone(files);
    let started = thread("lifecycle-files", move || {
        if files.are_any() {
            let problems = files.write_at_once(&report());
            if !problems.is_empty() {
                complain(problems, &console);
                console.flush(LAST_WORDS);
            }
        }
        let _ = sender.send(());
    });
    // If there is no thread, the sender is gone, and so is the wait.
    drop(started);
    move || {
        let _ = written.recv_timeout(LAST_WORDS);
    }
}
