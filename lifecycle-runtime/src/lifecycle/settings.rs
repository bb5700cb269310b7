//! Settings of a lifecycle: its time limits, the addresses of its probes, and its output.

use std::path::PathBuf;
use std::time::Duration;

use super::Lifecycle;
use crate::process::config::{ConsoleFormat, LONGEST, SettingOrigin};

impl Lifecycle {
    /// Sets the time for the whole stop, from the signal to the end of the process. The default is
    /// 25 s, which is inside the 30 s of Kubernetes. In another container (where `/.dockerenv` or
    /// `/run/.containerenv` exists) it is 9 s, as `docker stop` kills after 10 s; the start says so
    /// in a line. As a service of [systemd](crate::guide::deploying#systemd) with `Type=notify` the
    /// process asks for that time itself.
    ///
    /// Under [`run`](Self::run) the process is gone by then, whatever its code does. Zero is
    /// refused, with exit code 2.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.config.grace = grace.min(LONGEST);
        self.set_by_builder("grace")
    }

    /// Sets the time for the whole start, from the first startup hook to the last ready hook; 60 s
    /// by default. A start that takes longer has failed. Zero is refused, with exit code 2.
    pub fn startup_timeout(mut self, timeout: Duration) -> Self {
        self.config.startup_timeout = timeout.min(LONGEST);
        self.set_by_builder("startup_timeout")
    }

    /// Sets the time for requests to finish, which begins when the listeners close: after the drain
    /// hooks and [`drain_delay`](Self::drain_delay).
    ///
    /// By default requests have the time that the shutdown hooks leave of the grace period, and at
    /// least half of it: half of the time that drain hooks and the delay leave, counted from the
    /// close of the listeners.
    ///
    /// If `drain_timeout` is set, requests have all of it, and hooks have the rest: drain hooks at
    /// least a tenth of the grace period, and shutdown hooks as much, or their reserves. The limits
    /// of hooks are scaled into that rest, which the start warns about. Time that requests don't
    /// use flows on to the shutdown hooks.
    pub fn drain_timeout(mut self, timeout: Duration) -> Self {
        self.config.drain_timeout = Some(timeout.min(LONGEST));
        self.set_by_builder("drain_timeout")
    }

    /// Sets the time for which the servers still accept connections once the stop has begun and the
    /// drain hooks have ended, as load balancers need time to notice. Responses announce the end of
    /// their connection meanwhile.
    ///
    /// The default is 0. In Kubernetes (where `KUBERNETES_SERVICE_HOST` is set), which updates
    /// endpoints while it sends the signal, it is 5 s and at most a fifth of the grace period; the
    /// start says so in a line. Ctrl-C on a terminal waits for no delay. A delay that would leave
    /// requests less than [`drain_timeout`](Self::drain_timeout), or less than half of the time for
    /// both, is cut short, which the start warns about.
    ///
    /// Even a program without a server waits for the delay before it tells its services to stop,
    /// unless they have `stop_on = "drain"`: one of them may listen by itself.
    pub fn drain_delay(mut self, delay: Duration) -> Self {
        self.config.drain_delay = delay.min(LONGEST);
        self.set_by_builder("drain_delay")
    }

    /// Sets the time for which a connection without a request in flight stays open after the
    /// listener has closed; 250 ms by default.
    ///
    /// A client may send its next request just before it can learn that the connection ends: within
    /// this window the request is answered, with `Connection: close`. The window begins when the
    /// client can use the connection: at its acknowledgement of the response before, at the end of
    /// a TLS handshake, or at the last bytes of a head that is still coming. On Linux three round
    /// trips of the connection come on top.
    ///
    /// A stop takes this much longer if a connection is idle. Clients that have sent a request
    /// since the signal know that their connection ends, so the window needs to cover only those
    /// that think for longer than [`drain_delay`](Self::drain_delay): see [the
    /// guide](crate::guide::clients#the-quiet-window).
    ///
    /// The window also bounds the margin of a handshake that is under way when the listener closes.
    pub fn quiet_window(mut self, window: Duration) -> Self {
        self.config.quiet_window = window.min(LONGEST);
        self.set_by_builder("quiet_window")
    }

    /// Answers the [`probes`](crate::probes) on this address, too, and shows operators [what goes
    /// on](crate::guide::admin): `127.0.0.1:9000`, or any other form that
    /// [`Http::bind`](crate::Http::bind) takes.
    ///
    /// That listener has a thread of its own. It answers before the first hook runs, while requests
    /// or hooks block every other thread, and until the process ends. On an address that is no
    /// loopback address and no Unix socket, it shows only probes and
    /// [metrics](crate::guide::metrics), unless [`admin_details`](Self::admin_details) is on.
    pub fn admin(mut self, address: impl Into<String>) -> Self {
        self.config.admin = Some(address.into());
        self.set_by_builder("admin")
    }

    /// Shows everything on the listener of [`admin`](Self::admin) even if its address is no
    /// loopback address, to anybody who reaches it: paths, errors, the settings. Off by default.
    /// `LIFECYCLE_ADMIN_DETAILS` overrides it.
    pub fn admin_details(mut self, details: bool) -> Self {
        self.config.admin_details = details;
        self.set_by_builder("admin_details")
    }

    /// Sets host names by which clients may ask the listener of [`admin`](Self::admin), besides
    /// `localhost` and IP addresses; none by default. `LIFECYCLE_ADMIN_HOSTS` overrides them.
    ///
    /// A request that names another host gets 421, so that a page on the web can't read the answers
    /// by a name of its own that leads here (DNS rebinding). A text that is no host name is refused
    /// with exit code 2.
    pub fn admin_hosts(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.config.admin_hosts = names.into_iter().map(Into::into).collect();
        self.set_by_builder("admin_hosts")
    }

    /// Lets `/readyz` still answer 200 while requests are drained; off by default, so that load
    /// balancers turn away at once.
    ///
    /// A balancer that asks `/readyz` doesn't learn of the stop then, and sends new connections
    /// until the listener closes, so that [`drain_delay`](Self::drain_delay) is useless. A line at
    /// the start says so, except in Kubernetes, which removes an endpoint however ready its pod is.
    ///
    /// If no other pod is left, Kubernetes sends requests to pods that terminate, but only to ready
    /// ones: keep readiness on if that fallback matters more.
    pub fn ready_while_draining(mut self, ready: bool) -> Self {
        self.config.ready_while_draining = ready;
        self.set_by_builder("ready_while_draining")
    }

    /// Sets the time after which a thread that does not go on is reported; 5 s by default. Zero is
    /// refused, with exit code 2.
    ///
    /// Code that blocks an async thread (a `std::thread::sleep`, a lock, a long computation) holds
    /// up everything else on that thread. A monitor, a plain thread of its own, notices when a
    /// worker of a server does not go on, when all threads of the hooks' runtime are blocked, and
    /// when all threads of a blocking pool are busy while work waits. An event and a line on the
    /// console name the code that is to blame, as far as it is known: the request that the worker
    /// polls, or the hooks, services and health checks. Another event says when it is over.
    ///
    /// `/readyz` answers 503 while all workers of a server are stalled. The result of a health
    /// check no longer counts when it is older than its interval, its timeout and this time
    /// together.
    ///
    /// There is no monitor in a `TestApp`, nor under [`serve`](Self::serve) on a current-thread
    /// runtime, whose clock may be paused.
    pub fn stall_after(mut self, after: Duration) -> Self {
        self.config.stall_limits.after = after.min(LONGEST);
        self.set_by_builder("stall_after")
    }

    /// Sets the time after which `/livez` answers 503 because the hooks' runtime, or all workers of
    /// all servers, are [stalled](Self::stall_after): nothing but a restart helps such a process.
    /// The default is 30 s; `None` means never. A process that stops answers 200, whatever is
    /// stalled: it ends by its grace period. Zero is refused, with exit code 2.
    ///
    /// ```
    /// use lifecycle_runtime::Lifecycle;
    /// use std::time::Duration;
    ///
    /// let lifecycle = Lifecycle::new().stall_timeout(Duration::from_secs(60));
    /// let never_restarted = Lifecycle::new().stall_timeout(None);
    /// ```
    pub fn stall_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.config.stall_limits.timeout = timeout.into().map(|time| time.min(LONGEST));
        self.set_by_builder("stall_timeout")
    }

    /// Switches the lines on stderr that report events. By default (`LIFECYCLE_CONSOLE=auto`) they
    /// leave out the events that a [`tracing`](https://docs.rs/tracing) subscriber or a logger of
    /// the crate `log` shows:
    ///
    /// - By default the console writes each event that nobody shows by `tracing`. A subscriber that
    ///   shows only warnings leaves the rest to the console. Events of the level DEBUG, such as the
    ///   begin of a hook, are left out if INFO is shown.
    /// - `console(true)` writes each event, whatever `tracing` shows.
    /// - `console(false)` writes no event.
    ///
    /// Lines that are not events are written in any case, and once: the answer to SIGUSR1, the
    /// reason for which nothing is started, and a last line for exit code 1. That line has the
    /// reason, unless `tracing` has shown it.
    ///
    /// The console decides event by event, at the moment of the event and on its thread: a
    /// subscriber may be installed in `main`, or by a startup hook. See [the
    /// guide](crate::guide::logging).
    ///
    /// A pipe on stderr that nobody reads holds nothing up: 256 KiB of lines wait in memory. Beyond
    /// that the oldest are left out, and a line such as `lifecycle: … 12 lines left out` replaces
    /// them. A line is cut after 16 KiB.
    pub fn console(mut self, console: bool) -> Self {
        self.config.console = console.into();
        self.set_by_builder("console")
    }

    /// Sets the form of the lines on stderr; [`Live`](ConsoleFormat::Live) by default.
    ///
    /// It holds for everything that the console writes, even with [`console(false)`](Self::console)
    /// and even if nothing is started. `LIFECYCLE_CONSOLE` takes `live`, `plain`, `time` or `json`,
    /// alone or behind the choice of events: `LIFECYCLE_CONSOLE=on,json`.
    pub fn console_format(mut self, format: ConsoleFormat) -> Self {
        self.config.outputs.console = format;
        self.set_by_builder("console_format")
    }

    /// Writes the [report](crate::Report) of the run to this file at the end, as
    /// [JSON](crate::Report::to_json). A relative path is one from the working directory at the
    /// beginning.
    ///
    /// It is written in any case: after a start that failed, if nothing was started, and if a third
    /// signal or the end of the grace period ends the process: then it has what was known by then,
    /// and the reason as [`forced`](crate::Report::forced). [`run`](Self::run) and
    /// [`serve`](Self::serve) write it, a `TestApp` doesn't.
    ///
    /// The file appears whole or not at all: it is written under another name in the same folder,
    /// flushed to the disk, and renamed. A file of that name is replaced, or stays as it is if the
    /// disk is full. Then a line on stderr says so, and the exit code is the same. A forced end
    /// waits for no disk: at most 200 ms, and without the flush. Otherwise the file has as much
    /// time as [callbacks](Self::on_report) have, and under [`serve`](Self::serve) on a
    /// current-thread runtime as it takes.
    ///
    /// Something other than a file, such as a pipe, is refused.
    pub fn report_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.config.outputs.report = Some(path.into());
        self.set_by_builder("report")
    }

    /// Writes the process id to this file, for tools that send signals to the process; none by
    /// default. A relative path is one from the working directory at the beginning.
    ///
    /// The file appears whole, once the settings are checked and the addresses are taken, and is
    /// removed at the end of the run. After an [upgrade in
    /// place](crate::guide::deploying#in-place-upgrade) it has the id of the successor. If it can't
    /// be written, nothing is started, and the exit code is 1.
    pub fn pid_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.config.pid_file = Some(path.into());
        self.set_by_builder("pid_file")
    }

    /// Refuses a plan whose stop may take longer than the grace period [at
    /// worst](crate::plan::Plan::worst_case_stop), with exit code 2. Off by default: the limits of
    /// its hooks are scaled then, and the start warns about it.
    pub fn strict_budget(mut self, strict: bool) -> Self {
        self.config.strict_budget = strict;
        self.set_by_builder("strict_budget")
    }

    /// Lets a program without a server go on after all of its services have ended well, until it is
    /// told to stop. Off by default: such a program has nothing left to do and ends with exit code
    /// 0.
    ///
    /// A program without services goes on in any case.
    pub fn keep_running(mut self, keep: bool) -> Self {
        self.config.keep_running = keep;
        self.set_by_builder("keep_running")
    }

    /// Makes the run listen for signals; on by default.
    ///
    /// SIGTERM, SIGINT, SIGQUIT and SIGHUP (on Windows the console's events) stop the run, and
    /// other signals run their [hooks](crate::on_signal). SIGUSR1, unless a hook is for it, shows
    /// on stderr the state and its duration, the hooks and services that run, and the requests in
    /// flight, even if the [console](Self::console) is off. SIGUSR2, unless a hook is for it,
    /// begins an [upgrade in place](crate::guide::deploying#in-place-upgrade). Without signals,
    /// only a [`StopHandle`](crate::StopHandle) stops the run.
    ///
    /// The run listens from the first instruction of [`run`](Self::run) on, even if the process was
    /// started with the signals blocked. After `run` they no longer change the exit code, until the
    /// process has gone. After [`serve`](Self::serve), when no run listens any more, the signals
    /// that stop do to the process what they do to any, and the others do nothing.
    pub fn signals(mut self, signals: bool) -> Self {
        self.signals = signals;
        self
    }

    /// Notes that the program has set this setting.
    fn set_by_builder(mut self, setting: &str) -> Self {
        self.config.origins.note(setting, SettingOrigin::Builder);
        self
    }
}
