//! The work of hooks in a test: their functions, except for fakes and faults.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::clock;
use super::faults::HookFault;
use super::selection::Selection;
use super::stalls::Stalls;
use crate::engine::Work;
use crate::hook::service::Service;
use crate::hook::task::{Task, Value};
use crate::hook::{HookMeta, Kind};

/// Returns the work that makes each hook's task, with the test's values, faults and real I/O.
pub(super) fn work(mut selection: Selection, faults: Arc<Vec<HookFault>>, stalls: Stalls) -> Work {
    let values = Mutex::new(selection.take_values());
    let value = move |hook: &HookMeta| {
        let mut values = values.lock().unwrap_or_else(PoisonError::into_inner);
        match hook.kind() {
            // A service may be restarted, which takes the value again.
            Kind::Service => values.get(&hook.id).cloned(),
            // Only the scope holds the value, so that it is dropped where a real one would be.
            _ => values.remove(&hook.id),
        }
    };
    Arc::new(move |hook, scope| {
        let faults_of_hook = || faults.iter().filter(|fault| fault.hook == hook);
        // Faults of a body lie within the code that stops paused time, as they may wait for time to
        // pass.
        let released = Arc::default();
        let inside = |body| {
            let faults = faults_of_hook().filter(|fault| fault.is_of_body());
            faults.fold(body, |task, fault| fault.next(task, &released))
        };
        let task = match (value(hook), selection.wants_real_io(hook)) {
            (Some(value), _) => inside(stand_in(value, scope.service())),
            (None, Some(wanted)) => {
                clock::in_real_time(inside((hook.run)(scope)), wanted, Arc::clone(&released))
            }
            (None, None) => stalls.watch(hook, inside((hook.run)(scope))),
        };
        let faults = faults_of_hook().filter(|fault| !fault.is_of_body());
        faults.fold(task, |task, fault| fault.next(task, &released))
    })
}

/// Wraps the work so that paused time stands still for services that have a thread of their own.
pub(super) fn beside_threads(work: Work, startup_timeout: Duration) -> Work {
    Arc::new(move |hook, scope| {
        let service = scope.service();
        let task = work(hook, scope);
        if let (Some(service), Task::Blocking(_)) = (service, &task) {
            tokio::spawn(clock::stand_by(hook, service, startup_timeout));
        }
        task
    })
}

/// Returns the task of a replaced hook. `service` is the handle if the hook is a service.
fn stand_in(value: Value, service: Option<Service>) -> Task {
    Task::future(async move {
        if let Some(service) = service {
            service.ready();
            service.stop().requested().await;
        }
        Ok(value)
    })
}
