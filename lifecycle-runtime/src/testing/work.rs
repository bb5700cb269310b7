//! What hooks do in a test: what they do anywhere, but for fakes and faults.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::clock;
use super::faults::PlantedFault;
use super::selection::Selection;
use super::stalls::Stalls;
use crate::engine::executor::Work;
use crate::hook::service::Service;
use crate::hook::task::{Task, Value};
use crate::hook::{HookMeta, Kind};

/// What makes the task of each hook; some have time stand still.
pub(super) fn work(
    mut selection: Selection,
    faults: Arc<Vec<PlantedFault>>,
    stalls: Stalls,
) -> Work {
    let values = Mutex::new(selection.take_values());
    let value = move |hook: &HookMeta| {
        let mut values = values.lock().unwrap_or_else(PoisonError::into_inner);
        match hook.kind() {
            // It may be run again.
            Kind::Service => values.get(&hook.id).cloned(),
            // The scope alone has it, so that it is dropped where a real one would be.
            _ => values.remove(&hook.id),
        }
    };
    Arc::new(move |hook, scope| {
        let planted = || faults.iter().filter(|planted| planted.hook == hook);
        // Within what has time stand still: a fault of a body may be one that waits for time.
        let released = Arc::default();
        let inside = |body| {
            let faults = planted().filter(|planted| planted.is_of_body());
            faults.fold(body, |task, planted| planted.next(task, &released))
        };
        let task = match (value(hook), selection.wants_real_io(hook)) {
            (Some(value), _) => inside(stand_in(value, scope.service())),
            (None, Some(wanted)) => {
                clock::in_real_time(inside((hook.run)(scope)), wanted, Arc::clone(&released))
            }
            (None, None) => stalls.watch(hook, inside((hook.run)(scope))),
        };
        let faults = planted().filter(|planted| !planted.is_of_body());
        faults.fold(task, |task, planted| planted.next(task, &released))
    })
}

/// The same, with what a service on a thread of its own has to do with paused time.
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

/// What a replaced hook does; a service has its handle.
fn stand_in(value: Value, service: Option<Service>) -> Task {
    Task::future(async move {
        if let Some(service) = service {
            service.ready();
            service.stop().requested().await;
        }
        Ok(value)
    })
}
