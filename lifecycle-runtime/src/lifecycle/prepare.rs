//! Everything before the first hook: configuration, plan, addresses. What is wrong here starts nothing.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use super::Lifecycle;
use super::run::{Conduct, Run, Servers};
use crate::config::{Config, ConfigError};
use crate::console::Console;
use crate::event::{Event, over_budget, readable};
use crate::hook::{HookMeta, Kind};
use crate::plan::Plan;
use crate::report::Report;
use crate::server::{Http, HttpError, Taken};
use crate::trace::Trace;

/// A run that is ready to begin.
pub(super) struct Prepared {
    pub(super) run: Run,
    pub(super) servers: Servers,
    pub(super) hears_signals: bool,
}

/// A run that is ready to begin; or the report of one that is not to be.
pub(super) fn prepare(lifecycle: Lifecycle) -> Result<Prepared, Box<Report>> {
    let refuse = |console: &Console, exit: u8, error: String| {
        console.complain(&error);
        console.say(&format!("nothing was started, exit code {exit}"));
        console.flush(Duration::from_millis(200));
        Box::new(Report::not_begun(exit, error))
    };
    let config = match lifecycle.config.clone().with(Config::environment()) {
        Ok(config) => config,
        Err(error) => return Err(refuse(&Console::stderr(), 2, error.to_string())),
    };
    let console = if config.console { Console::stderr() } else { Console::silent() };
    let plan = match lifecycle.plan() {
        Ok(plan) => plan,
        Err(error) => return Err(refuse(&console, 2, error.to_string())),
    };
    if let Some(format) = config.plan {
        let printed = std::io::stdout().write_all(plan.render(format).as_bytes());
        let exit = u8::from(printed.is_err());
        return Err(Box::new(Report::not_begun(
            exit,
            "the plan was printed instead, as LIFECYCLE_PLAN says".to_owned(),
        )));
    }
    let exceeded = exceeded(&config, &plan);
    if config.strict_budget
        && let Some(Event::BudgetExceeded { path, sum, grace }) = &exceeded
    {
        let error = format!("{}; strict_budget is on", over_budget(path, *sum, *grace));
        return Err(refuse(&console, 2, error));
    }
    let servers = bound(lifecycle.servers, &config).map_err(|error| match error {
        HttpError::Config(error) => refuse(&console, 2, error.to_string()),
        HttpError::Bind(error) => refuse(&console, 1, error),
    })?;

    let mut observers = lifecycle.observers;
    observers.push(Arc::new(Trace));
    if config.console {
        observers.push(Arc::new(console.clone()));
    }
    let run = Run::new(config, Arc::new(plan), lifecycle.handle, observers, console, Conduct::default());
    if let Some(exceeded) = exceeded {
        run.events.emit(&exceeded);
    }
    Ok(Prepared { run, servers, hears_signals: lifecycle.signals })
}

/// Takes every server's addresses.
fn bound(mut servers: Vec<Http>, config: &Config) -> Result<Servers, HttpError> {
    match &mut servers[..] {
        [server] => server.override_with(config.bind.clone(), config.workers),
        _ if config.bind.is_some() => {
            return Err(HttpError::Config(ConfigError::new(format!(
                "LIFECYCLE_BIND is for programs with one HTTP server, and this one has {}",
                servers.len()
            ))));
        }
        _ => servers.iter_mut().for_each(|server| server.override_with(None, config.workers)),
    }
    let mut taken = Taken::default();
    let apps = servers.into_iter().map(|server| server.bound(&mut taken)).collect::<Result<_, _>>()?;
    let admin = config.admin.as_deref().map(|address| Http::admin(address).bound(&mut taken)).transpose()?;
    Ok(Servers { apps, admin })
}

#[cfg(feature = "testing")]
impl Lifecycle {
    /// Takes a free port for each server, whatever its own addresses are.
    pub(crate) fn bound_to_free_ports(&mut self) -> Servers {
        let servers = std::mem::take(&mut self.servers).into_iter().map(|mut server| {
            server.override_with(Some(vec!["127.0.0.1:0".to_owned()]), None);
            server.bound(&mut Taken::default()).unwrap_or_else(|error| match error {
                HttpError::Config(error) => panic!("{error}"),
                HttpError::Bind(error) => panic!("{error}"),
            })
        });
        Servers { apps: servers.collect(), admin: None }
    }
}

/// The worst case of the stop, if it is longer than the stop may take.
fn exceeded(config: &Config, plan: &Plan) -> Option<Event> {
    let servers = [("drain_delay", config.drain_delay), ("drain_timeout", config.drain_timeout.unwrap_or_default())];
    let timeout = |hook: &'static HookMeta| (hook.name(), hook.timeout().unwrap_or_default());
    let sum = |path: &[(_, Duration)]| path.iter().fold(Duration::ZERO, |sum, (_, time)| sum.saturating_add(*time));
    // These hooks run beside what the servers do.
    let hooks: Vec<_> = plan.worst_case_drain().0.into_iter().map(timeout).collect();
    let mut path = if sum(&hooks) > sum(&servers) { hooks } else { servers.to_vec() };
    path.extend(plan.worst_case(Kind::Shutdown).0.into_iter().map(timeout));
    let sum = sum(&path);
    let path = path.iter().filter(|(_, time)| !time.is_zero());
    let path = path.map(|(name, time)| format!("{name} {}", readable(*time))).collect();
    (sum > config.grace).then_some(Event::BudgetExceeded { path, sum, grace: config.grace })
}
