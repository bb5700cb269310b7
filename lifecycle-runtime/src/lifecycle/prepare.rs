//! Steps before the first hook: configuration, plan, addresses. After a mistake in any of them
//! nothing is started.

mod warnings;

use std::io::{self, Write};
use std::sync::Arc;

use tokio::sync::oneshot;

use super::Lifecycle;
use super::outputs::Outputs;
#[cfg(feature = "metrics")]
use super::publish_metrics;
use super::run::{Run, RunOptions, Servers};
use super::succession::Succession;
use crate::engine::recurring::Inbox;
use crate::event::{Event, Observer, Observers, StartFailure};
use crate::hook::runtime::HookRuntime;
use crate::hook::stop::{StopCause, StopHandle, stop_asked};
use crate::hook::task::thread;
use crate::observe::console::{Console, LAST_WORDS};
use crate::observe::notifications::Notifications;
use crate::observe::report::Report;
use crate::observe::view::About;
use crate::plan::Plan;
use crate::process::config::{Config, ConfigError, Platform};
use crate::process::info::Info;
use crate::process::systemd::Notifier;
#[cfg(unix)]
use crate::server::close_untaken;
use crate::server::{AdminRoutes, AdminSpec, Http, HttpError, Taken, parent_listeners};
use warnings::{ignored, isolation, unheard};

/// Run that is ready to begin, with its servers.
pub(super) struct Prepared {
    pub(super) run: Run,
    pub(super) servers: Servers,
}

/// Everything that was checked and taken before a run begins.
struct Checked {
    plan: Plan,
    exceeded: Option<Event>,
    servers: Servers,
}

/// Reason for which nothing is started.
enum Refusal {
    /// Something is wrong, or the stop was asked for.
    Failure(StartFailure),
    /// The plan was printed instead, or could not be; with the reason for which it would be
    /// refused.
    Printed(io::Result<()>, Option<String>),
}

/// Prepares a run, or returns the report of why none is to begin. It stops waiting as soon as a
/// stop is asked for. Signals that have hooks arrive in `inbox` already. `notifier` notifies the
/// service manager.
pub(super) async fn prepare(
    lifecycle: Lifecycle,
    hooks: HookRuntime,
    inbox: Inbox,
    notifier: &Notifier,
) -> Result<Prepared, Box<Report>> {
    let mut succession = match Succession::begin(&lifecycle.handle) {
        Ok(succession) => succession,
        Err(error) => {
            let outputs = lifecycle.config.outputs_with(Config::environment());
            let error = format!("can't hear the predecessor: {error}");
            return Err(Refusal::unprepared(error).report(Console::stderr(outputs.console)).await);
        }
    };
    match prepare_in(&mut succession, lifecycle, hooks, inbox, notifier).await {
        Ok(mut prepared) => {
            prepared.run.succeeds(succession);
            Ok(prepared)
        }
        Err(report) => {
            report.error.iter().for_each(|failure| succession.failed(failure));
            Err(report)
        }
    }
}

/// Prepares a run that has this place among the processes that take over from each other.
async fn prepare_in(
    succession: &mut Succession,
    mut lifecycle: Lifecycle,
    hooks: HookRuntime,
    inbox: Inbox,
    notifier: &Notifier,
) -> Result<Prepared, Box<Report>> {
    let mut config = match lifecycle.config.clone().with(Config::environment()) {
        Ok(config) => config,
        Err(error) => {
            let outputs = lifecycle.config.outputs_with(Config::environment());
            let console = Console::stderr(outputs.console);
            return Err(Refusal::invalid(error.to_string()).report(console).await);
        }
    };
    succession.starts(config.startup_timeout);
    let platform = Platform::current();
    let adapted = config.adapt_to(platform, !lifecycle.servers.is_empty());
    let console = Console::of(config.console, config.outputs.console);
    // This line comes first, as it may explain the following ones.
    if let Some(line) = adapted {
        console.say(&line);
    }
    let complaints = console.clone();
    notifier.complain_to(move |complaint| complaints.complain(complaint));
    let unheard = unheard(&config, platform);
    let others = std::mem::take(&mut lifecycle.observers);
    #[cfg(feature = "metrics")]
    let (others, publication) = publish_metrics::observed(others);
    let info = lifecycle.info.clone().unwrap_or_else(Info::of_executable);
    let cause = lifecycle.handle.cause();
    if let Some(cause) = cause {
        return Err(Refusal::stopped(cause).report(console).await);
    }
    let ignored = if lifecycle.servers.is_empty() { ignored(&config) } else { None };
    let handle = lifecycle.handle.clone();
    let checked = if may_wait(&lifecycle, &config) {
        checked_elsewhere(lifecycle, config.clone(), &handle).await
    } else {
        checked(lifecycle, &config)
    };
    let Checked { plan, exceeded, servers } = match checked {
        Ok(checked) => checked,
        Err(refusal) => return Err(refusal.report(console).await),
    };
    for line in [ignored, unheard].into_iter().flatten() {
        console.say(&line);
    }
    #[cfg(unix)]
    for address in close_untaken() {
        console.say(&format!("{address} of the predecessor is closed: it is no address any more"));
    }
    for line in parent_listeners(notifier) {
        console.say(&line);
    }
    if let Some(path) = &config.pid_file
        && let Err(error) = succession.write_pid_file(path)
    {
        let error = format!("the PID file {} can't be written: {error}", path.display());
        return Err(Refusal::unprepared(error).report(console).await);
    }
    let mut own: Vec<Arc<dyn Observer>> = vec![Arc::new(Outputs::new(console.clone()))];
    if notifier.is_some() {
        let hooks = plan.hooks().iter().copied();
        own.push(Arc::new(Notifications::new(notifier.clone(), hooks, config.startup_timeout)));
    }
    let observers =
        Observers { own, others, on_thread: hooks.has_threads().then(|| hooks.handle().clone()) };
    if let Some(line) = isolation(cfg!(panic = "abort")) {
        console.say(line);
    }
    let about = About {
        info,
        settings: config.in_force(),
        servers: servers.apps.iter().map(|server| server.in_force(&config)).collect(),
    };
    let plan = Arc::new(plan);
    let mut options = RunOptions::new(hooks, &config, about);
    options.gate = succession.gate(&plan);
    let mut run = Run::new(config, plan, handle, observers, console, options);
    run.inbox = inbox;
    run.app_context.notifier = notifier.clone();
    run.show_live();
    #[cfg(feature = "metrics")]
    if let Err(error) = publication.begin(&mut run) {
        run.console.complain(&format!("no metrics are published: {error}"));
    }
    if let Some(exceeded) = exceeded {
        run.engine.events.emit(&exceeded);
    }
    Ok(Prepared { run, servers })
}

impl Refusal {
    fn invalid(error: impl Into<String>) -> Self {
        Self::Failure(StartFailure::Invalid { error: error.into() })
    }

    fn unprepared(error: impl Into<String>) -> Self {
        Self::Failure(StartFailure::Unprepared { error: error.into() })
    }

    fn stopped(cause: StopCause) -> Self {
        Self::Failure(StartFailure::StoppedBefore { cause })
    }

    /// Writes the reason to the console, or to stderr if that is off, and makes the report of the
    /// refusal.
    async fn report(self, console: Console) -> Box<Report> {
        let audible = console.or_stderr();
        let complain = |text: &str| audible.complain(text);
        let failure = match self {
            Self::Failure(failure) => failure,
            Self::Printed(printed, refused) => {
                let exit = if refused.is_some() { 2 } else { u8::from(printed.is_err()) };
                let unprinted =
                    printed.err().map(|error| format!("the plan can't be printed: {error}"));
                let mut reasons = unprinted.into_iter().chain(refused).peekable();
                let has_reasons = reasons.peek().is_some();
                for reason in reasons {
                    complain(&reason);
                }
                if has_reasons {
                    audible.flushed(LAST_WORDS).await;
                }
                return Box::new(Report::not_begun(exit, StartFailure::PlanPrinted));
            }
        };
        let exit = match &failure {
            StartFailure::StoppedBefore { cause } if cause.is_wanted() => 0,
            StartFailure::Invalid { .. } => 2,
            _ => 1,
        };
        let mut why = String::new();
        match &failure {
            StartFailure::StoppedBefore { .. } if exit == 0 => why = format!("{failure}: "),
            StartFailure::StoppedBefore { .. } => complain(&failure.line()),
            error => complain(&error.to_string()),
        }
        console.nothing_started(&why, exit);
        audible.flushed(LAST_WORDS).await;
        Box::new(Report::not_begun(exit, failure))
    }
}

/// Returns `true` if the system may take its time: to resolve a name, or to write a plan into a
/// pipe that nobody reads.
fn may_wait(lifecycle: &Lifecycle, config: &Config) -> bool {
    let mut addresses = config.bind.iter().flatten().chain(&config.admin);
    let may_wait = |address: &String| Http::may_wait_to_bind(address);
    config.plan.is_some()
        || addresses.any(may_wait)
        || lifecycle.servers.iter().flat_map(Http::addresses).any(may_wait)
}

/// Makes the plan and takes the addresses on a thread of its own, which is abandoned when a stop is
/// asked for.
async fn checked_elsewhere(
    lifecycle: Lifecycle,
    config: Config,
    handle: &StopHandle,
) -> Result<Checked, Refusal> {
    let mut asked = handle.asked();
    let (sender, result) = oneshot::channel();
    let checking =
        thread("lifecycle-prepare", move || drop(sender.send(checked(lifecycle, &config))));
    let checking = checking
        .map_err(|error| Refusal::unprepared(format!("the system refuses a thread: {error}")))?;
    tokio::select! {
        biased;
        result = result => match result {
            Ok(checked) => checked,
            Err(_) => match checking.join() {
                Err(panic) => std::panic::resume_unwind(panic),
                Ok(()) => Err(Refusal::unprepared("nothing came of the preparation")),
            },
        },
        cause = stop_asked(&mut asked) => Err(Refusal::stopped(cause)),
    }
}

/// Makes the plan and takes the addresses.
fn checked(lifecycle: Lifecycle, config: &Config) -> Result<Checked, Refusal> {
    let plan = lifecycle.planned(&|_| true).map_err(|error| Refusal::invalid(error.to_string()))?;
    let plan = plan.with_settings(config.stop_settings(!lifecycle.servers.is_empty()));
    let timetable = plan.timetable();
    let refused = plan.misfit(config.strict_budget);
    if let Some(format) = config.plan {
        let plan = plan.of(lifecycle.program(config));
        let printed = std::io::stdout().write_all(plan.render(format).as_bytes());
        return Err(Refusal::Printed(printed, refused));
    }
    if let Some(reason) = refused {
        return Err(Refusal::invalid(reason));
    }
    let exceeded = timetable.scaled(&plan).map(|limits| Event::BudgetExceeded {
        needed: timetable.needed(),
        grace: timetable.grace(),
        requests: timetable.requests_have(),
        delay: timetable.scaled_delay(),
        limits,
    });
    let servers =
        bound(lifecycle.servers, lifecycle.admin_routes, config).map_err(|error| match error {
            HttpError::Config(error) => Refusal::invalid(error.to_string()),
            HttpError::Bind(error) => Refusal::unprepared(error),
        })?;
    Ok(Checked { plan, exceeded, servers })
}

/// Takes every server's addresses.
fn bound(
    mut servers: Vec<Http>,
    routes: Vec<AdminRoutes>,
    config: &Config,
) -> Result<Servers, HttpError> {
    match &mut servers[..] {
        // Several programs may share an environment, so this is no mistake.
        [] => {}
        [server] => server.override_with(config.bind.clone(), config),
        _ if config.bind.is_some() => {
            return Err(HttpError::Config(ConfigError::new(format!(
                "LIFECYCLE_BIND is for programs with one HTTP server, and this one has {}",
                servers.len()
            ))));
        }
        _ => servers.iter_mut().for_each(|server| server.override_with(None, config)),
    }
    let mut taken = Taken::default();
    let apps =
        servers.into_iter().map(|server| server.bound(&mut taken)).collect::<Result<_, _>>()?;
    let admin = config.admin.clone().map(|address| {
        let (details, hosts) = (config.admin_details, config.admin_hosts.clone());
        Http::admin(AdminSpec { address, details, hosts, routes }).bound(&mut taken)
    });
    let admin = admin.transpose()?;
    Ok(Servers { apps, admin })
}

#[cfg(feature = "testing")]
impl Lifecycle {
    /// Takes a free port for each server, and ignores the server's own addresses.
    pub(crate) fn bound_to_free_ports(&mut self) -> Servers {
        let servers = std::mem::take(&mut self.servers).into_iter().map(|mut server| {
            server.override_with(Some(vec!["127.0.0.1:0".to_owned()]), &Config::default());
            server.bound(&mut Taken::default()).unwrap_or_else(|error| match error {
                HttpError::Config(error) => panic!("{error}"),
                HttpError::Bind(error) => panic!("{error}"),
            })
        });
        Servers { apps: servers.collect(), admin: None }
    }
}
