//! Files that a run leaves behind: its report as JSON, and its summary for Kubernetes.

mod atomic_file;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::observe::report::Report;
use crate::process::config::{OutputSettings, TerminationLog};
use atomic_file::{AtomicFile, Durability};

/// File that Kubernetes mounts into every container, unless its `terminationMessagePath` says
/// otherwise.
const OF_KUBERNETES: &str = "/dev/termination-log";

/// Number of bytes that Kubernetes reads of that file (kubernetes.io, "Determine the Reason for Pod
/// Failure").
const READ_BY_KUBERNETES: usize = 4096;

/// Files that a run leaves behind. Each is written once.
pub(crate) struct ReportFiles {
    report: Option<AtomicFile>,
    termination_log: TerminationLog,
    /// Set once a thread writes the termination log.
    is_log_begun: AtomicBool,
    /// Set once that is over.
    is_log_over: AtomicBool,
}

impl ReportFiles {
    pub(crate) fn new(outputs: &OutputSettings) -> Self {
        Self {
            report: outputs.report.clone().map(AtomicFile::new),
            termination_log: outputs.termination_log.clone(),
            is_log_begun: AtomicBool::new(false),
            is_log_over: AtomicBool::new(false),
        }
    }

    /// Returns `true` if there is a file to write.
    pub(crate) fn are_any(&self) -> bool {
        let has_log = || match self.termination_log {
            TerminationLog::IfPresent => Path::new(OF_KUBERNETES).exists(),
            TerminationLog::File(_) => true,
            TerminationLog::Off => false,
        };
        self.report.is_some() || has_log()
    }

    /// Writes the files that are not written yet, and waits for the disk. Returns a line about each
    /// that could not be written.
    pub(crate) fn write(&self, report: &Report) -> Vec<String> {
        self.write_with(report, Durability::OnDisk)
    }

    /// Writes the files that are not written yet, as fast as that can be done, and finishes those
    /// that another thread is writing. Returns a line about each that could not be written.
    pub(crate) fn write_at_once(&self, report: &Report) -> Vec<String> {
        let mut problems = self.write_with(report, Durability::InMemory);
        problems.extend(self.finish());
        problems
    }

    /// Ends the writing by another thread: a report that is complete appears, and one that is not
    /// is given up. Returns a line about each file that is given up.
    fn finish(&self) -> Vec<String> {
        let report = self.report.as_ref();
        let report = report.and_then(|file| Some(unwritten(file, &file.finish().err()?)));
        let is_logging =
            self.is_log_begun.load(Ordering::SeqCst) && !self.is_log_over.load(Ordering::SeqCst);
        let log = is_logging.then(|| {
            format!(
                "the termination log was not written to {}: timed out",
                self.log_path().display()
            )
        });
        log.into_iter().chain(report).collect()
    }

    fn write_with(&self, report: &Report, durability: Durability) -> Vec<String> {
        // The log comes first, as it takes no time.
        let mut problems: Vec<_> = self.log(report).err().into_iter().collect();
        if let Some(file) = &self.report {
            let written = file.write(&(report.to_json() + "\n"), durability);
            problems.extend(written.err().map(|error| unwritten(file, &error)));
        }
        problems
    }

    /// Writes the summary into the termination log, unless that has begun already.
    fn log(&self, report: &Report) -> Result<(), String> {
        let is_off = self.termination_log == TerminationLog::Off;
        if is_off || self.is_log_begun.swap(true, Ordering::SeqCst) {
            return Ok(());
        }
        let summary = report.one_line();
        let summary = cut(&summary, READ_BY_KUBERNETES);
        let is_asked_for = matches!(self.termination_log, TerminationLog::File(_));
        let mut options = File::options();
        options.write(true).truncate(true).create(is_asked_for);
        let written =
            options.open(self.log_path()).and_then(|mut file| file.write_all(summary.as_bytes()));
        self.is_log_over.store(true, Ordering::SeqCst);
        match written {
            Err(error) if is_asked_for || !is_absent(&error) => Err(format!(
                "the termination log was not written to {}: {error}",
                self.log_path().display()
            )),
            _ => Ok(()),
        }
    }

    fn log_path(&self) -> &Path {
        match &self.termination_log {
            TerminationLog::File(path) => path,
            TerminationLog::IfPresent | TerminationLog::Off => Path::new(OF_KUBERNETES),
        }
    }
}

/// Returns the line about a report that was not written.
fn unwritten(file: &AtomicFile, error: &io::Error) -> String {
    format!("the report was not written to {}: {error}", file.path().display())
}

/// Returns `true` if an error says that a file is not there, or not for this process.
fn is_absent(error: &io::Error) -> bool {
    use io::ErrorKind::{NotFound, PermissionDenied, ReadOnlyFilesystem};
    matches!(error.kind(), NotFound | PermissionDenied | ReadOnlyFilesystem)
}

/// Returns a text of at most this many bytes. One that is cut ends with `…`.
fn cut(text: &str, longest: usize) -> String {
    const MARK: &str = "…";
    if text.len() <= longest {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(longest - MARK.len());
    text[..end].to_owned() + MARK
}
