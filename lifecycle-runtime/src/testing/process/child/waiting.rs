//! Waits for a process: for its lines, its answers and its end.

use std::mem;
use std::sync::mpsc::{RecvTimeoutError, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

use super::super::http::{self, Response};
use super::super::output::Output;
use super::super::transcript::{Stream, Transcript};
use super::super::urls::{UrlKind, urls};
use super::Child;

/// Time between two checks for what sends no notification, such as the end of the process.
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);

/// Time limit of one answer: longer than an answer should take, and shorter than the limit of the
/// wait, so that another request follows.
const ANSWER: Duration = Duration::from_secs(10);

/// Advice for a program whose output names no listener.
const ADVICE: &str = "LIFECYCLE_CONSOLE=on has the program say where it listens, whatever a \
                      `tracing` subscriber does";

impl Child {
    /// Waits for the next line on stdout or stderr that contains this text, and returns it.
    ///
    /// Each wait goes on behind the line that the wait before found on the same stream. So a second
    /// wait for a repeated line, such as "done reload", waits for its next occurrence. Waits for
    /// lines of one stream have to be in the order of the lines; [`wait_until`](Self::wait_until)
    /// looks at all lines.
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// use lifecycle_runtime::testing::process::Command;
    ///
    /// let mut child = Command::new("sh").args(["-c", "echo try 1; echo try 2; cat"]).spawn();
    /// assert_eq!(child.wait_for_line("try"), "try 1");
    /// assert_eq!(child.wait_for_line("try"), "try 2");
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// There is no such line when the process has ended or the limit is over.
    #[track_caller]
    pub fn wait_for_line(&mut self, text: &str) -> String {
        match self.poll(|child| child.next_line(text)) {
            Ok(line) => line,
            Err(reason) => {
                let passed = self.transcript.contains(text);
                let hint = if passed { " behind the line that was waited for before" } else { "" };
                self.fail(&format!("no line contains `{text}`{hint}, and {reason}"))
            }
        }
    }

    fn next_line(&mut self, text: &str) -> Option<String> {
        let lines = self.transcript.sourced().iter().enumerate();
        for (at, line) in lines.skip(self.cursors[0].min(self.cursors[1])) {
            let cursor = &mut self.cursors[match line.source {
                Stream::Stdout => 0,
                Stream::Stderr => 1,
            }];
            if at >= *cursor && line.text.contains(text) {
                *cursor = at + 1;
                return Some(line.text.clone());
            }
        }
        None
    }

    /// Waits until a condition holds. The condition may look at everything that the process has
    /// written so far, or at anything else.
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// use lifecycle_runtime::testing::process::Command;
    ///
    /// let mut child = Command::new("sh").args(["-c", "echo 1; echo 2 >&2; cat"]).spawn();
    /// child.wait_until("two lines", |transcript| transcript.lines().count() == 2);
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// The condition doesn't hold when the process has ended or the limit is over. The panic
    /// describes it by the text in `condition`.
    #[track_caller]
    pub fn wait_until(&mut self, condition: &str, mut holds: impl FnMut(&Transcript) -> bool) {
        if let Err(reason) = self.poll(|child| holds(&child.transcript).then_some(())) {
            self.fail(&format!("waited for {condition}, and {reason}"));
        }
    }

    /// Waits until the program is ready: its probe `/readyz` answers 200.
    ///
    /// ```no_run
    /// use lifecycle_runtime::testing::process::Command;
    ///
    /// # macro_rules! env { ($name:literal) => { "shop" } }
    /// let mut shop = Command::new(env!("CARGO_BIN_EXE_shop")).spawn();
    /// shop.wait_until_ready();
    /// ```
    ///
    /// # Panics
    ///
    /// This has not happened when the process has ended or the limit is over.
    #[track_caller]
    pub fn wait_until_ready(&mut self) {
        self.wait_for_probe("/readyz", |response| response.status == 200);
    }

    /// Waits until a probe answers as expected, and returns the answer.
    ///
    /// The request goes to the address in `LIFECYCLE_ADMIN`, or, in an environment without it, to
    /// the first server that listens.
    ///
    /// ```no_run
    /// use lifecycle_runtime::testing::process::Command;
    ///
    /// # macro_rules! env { ($name:literal) => { "shop" } }
    /// let mut shop = Command::new(env!("CARGO_BIN_EXE_shop")).spawn();
    /// shop.wait_for_probe("/readyz", |response| {
    ///     response.status == 503 && response.body.contains("service `mailer` is backing off")
    /// });
    /// ```
    ///
    /// # Panics
    ///
    /// This has not happened when the process has ended or the limit is over.
    #[track_caller]
    pub fn wait_for_probe(
        &mut self,
        path: &str,
        mut is_expected: impl FnMut(&Response) -> bool,
    ) -> Response {
        let listener = if self.has_admin { UrlKind::Probes } else { UrlKind::Server };
        let mut last = format!("nobody knows where it is ({ADVICE})");
        let answer = self.poll(|child| {
            let url = urls(&child.transcript, listener).next()?;
            match http::get(url, path, ANSWER.min(child.limit)) {
                Ok(response) if is_expected(&response) => return Some(response),
                Ok(Response { status, body }) => last = format!("the last was {status} {body}"),
                Err(error) => last = format!("the last request failed: {error}"),
            }
            None
        });
        match answer {
            Ok(response) => response,
            Err(reason) => {
                self.fail(&format!("no answer of {path} was as expected, and {reason}; {last}"))
            }
        }
    }

    /// Waits until the program listens, and returns its URL, such as `http://127.0.0.1:43210`. Of
    /// several servers it is the one that listens first; [`wait_until`](Self::wait_until) sees the
    /// others.
    ///
    /// ```no_run
    /// use std::net::TcpStream;
    /// use lifecycle_runtime::testing::process::Command;
    ///
    /// # macro_rules! env { ($name:literal) => { "shop" } }
    /// let mut shop = Command::new(env!("CARGO_BIN_EXE_shop")).spawn();
    /// let address = shop.url().replace("http://", "");
    /// let connection = TcpStream::connect(address).unwrap();
    /// ```
    ///
    /// # Panics
    ///
    /// This has not happened when the process has ended or the limit is over.
    #[track_caller]
    pub fn url(&mut self) -> String {
        self.url_of(UrlKind::Server)
    }

    /// Waits until the program answers probes, and returns their URL, such as
    /// `http://127.0.0.1:43211`.
    ///
    /// # Panics
    ///
    /// This has not happened when the process has ended or the limit is over.
    #[track_caller]
    pub fn admin_url(&mut self) -> String {
        self.url_of(UrlKind::Probes)
    }

    #[track_caller]
    fn url_of(&mut self, listener: UrlKind) -> String {
        match self.poll(|child| urls(&child.transcript, listener).next().map(str::to_owned)) {
            Ok(url) => url,
            Err(reason) => {
                self.fail(&format!("no line says where it listens, and {reason} ({ADVICE})"))
            }
        }
    }

    /// Waits until the program listens, sends a GET request, and returns the response. For any
    /// other request, use a client of the test's own with [`url`](Self::url).
    ///
    /// # Panics
    ///
    /// The program doesn't listen on plain HTTP, or there is no response.
    #[track_caller]
    pub fn get(&mut self, path: &str) -> Response {
        let url = self.url();
        match http::get(&url, path, self.limit) {
            Ok(response) => response,
            Err(error) => self.fail(&format!("GET {url}{path}: {error}")),
        }
    }

    /// Waits for the end of the process, and returns its result.
    ///
    /// # Panics
    ///
    /// The process is still running when the limit is over, or another process that it has started
    /// keeps its stdout or stderr open.
    #[track_caller]
    #[expect(clippy::must_use_candidate, reason = "a test may wait for nothing but the end")]
    pub fn wait(mut self) -> Output {
        let began = Instant::now();
        let mut ended = None;
        loop {
            self.receive();
            ended = ended.or_else(|| Some((self.reap()?, Instant::now())));
            match ended {
                Some((status, at)) if self.is_closed => {
                    let took = at - self.stop_sent.unwrap_or(self.started);
                    self.is_shown = true;
                    return Output::new(status, took, mem::take(&mut self.transcript));
                }
                Some(_) if began.elapsed() > self.limit => self.fail(&format!(
                    "the process has ended, and for {:?} another has kept its output open",
                    self.limit
                )),
                None if began.elapsed() > self.limit => {
                    self.fail(&format!("the process is still running after {:?}", self.limit))
                }
                _ => self.pause(),
            }
        }
    }

    /// Collects the lines that have arrived.
    pub(super) fn receive(&mut self) {
        loop {
            match self.receiver.try_recv() {
                Ok(line) => self.transcript.push(line),
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => return self.is_closed = true,
            }
        }
    }

    /// Waits until a line arrives, but no longer than [`BETWEEN_LOOKS`].
    fn pause(&mut self) {
        match self.receiver.recv_timeout(BETWEEN_LOOKS) {
            Ok(line) => self.transcript.push(line),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                self.is_closed = true;
                thread::sleep(BETWEEN_LOOKS);
            }
        }
    }

    /// Calls `look` until it finds something, and returns that, or the reason why it never will.
    #[track_caller]
    fn poll<T>(&mut self, mut look: impl FnMut(&mut Self) -> Option<T>) -> Result<T, String> {
        let began = Instant::now();
        loop {
            // Reaped before the last look, so that the look misses no line.
            let ended = self.reap();
            self.receive();
            if let Some(found) = look(self) {
                return Ok(found);
            }
            match ended {
                Some(status) if self.is_closed => {
                    return Err(format!("the process has ended ({status})"));
                }
                _ if began.elapsed() > self.limit => {
                    return Err(format!("{:?} have passed", self.limit));
                }
                _ => self.pause(),
            }
        }
    }
}
