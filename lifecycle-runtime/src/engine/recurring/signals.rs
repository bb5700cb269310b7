//! Signal hooks: those of one signal run one after the other, those of two signals side by side.

use std::sync::Arc;

use futures_util::future::FutureExt;
use tokio::sync::Notify;

use super::{Recurring, RunPermit, start_over, stop_begun};
use crate::hook::HookMeta;
use crate::plan::Step;

/// Signals that hooks wait for, each with a notification of its arrival. Clones share the signals.
#[derive(Clone, Default)]
pub(crate) struct Inbox(Arc<[(&'static str, Notify)]>);

impl Inbox {
    /// Makes an inbox for the signals of these hooks.
    pub(crate) fn of<'a>(hooks: impl IntoIterator<Item = &'a HookMeta>) -> Self {
        let mut names = Vec::new();
        for name in hooks.into_iter().filter_map(HookMeta::signal) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        Self(names.into_iter().map(|name| (name, Notify::new())).collect())
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|(name, _)| *name)
    }

    /// Returns whether a hook waits for this signal.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| *known == name)
    }

    /// Notes that a signal has arrived. Returns `false` if no hook waits for it. Signals that
    /// arrive before the first one is taken out count as one with it.
    pub(crate) fn put(&self, name: &str) -> bool {
        let place = self.0.iter().find(|(known, _)| *known == name);
        place.is_some_and(|(_, arrived)| {
            arrived.notify_one();
            true
        })
    }
}

impl Recurring {
    /// Returns a future for each signal, which runs the hooks of the signal each time it arrives.
    pub(super) fn reactions(&self) -> impl Iterator<Item = impl Future<Output = ()> + Send> {
        self.inbox.0.iter().map(|(name, arrived)| self.react(name, arrived))
    }

    async fn react(&self, name: &'static str, arrived: &Notify) {
        let mut progress = self.progress.clone();
        if !start_over(&mut progress).await {
            return;
        }
        let mut permits: Vec<_> = self.hooks_of(name).map(RunPermit::of).collect();
        loop {
            tokio::select! {
                biased;
                () = stop_begun(&mut progress) => return,
                () = arrived.notified() => {}
            }
            for permit in &mut permits {
                // A hook runs even if the one before it failed.
                let ended = self.once(permit).boxed().await;
                if ended.is_none() || !start_over(&mut progress).await {
                    return;
                }
            }
        }
    }

    /// Returns the hooks of a signal, each behind those that it names.
    fn hooks_of(&self, name: &'static str) -> impl Iterator<Item = &'static HookMeta> {
        let graph = self.engine.plan.signals();
        let hooks = graph.sequence().filter_map(|step| match graph.steps()[step] {
            Step::Run(hook) => Some(self.engine.plan.hooks()[hook]),
            Step::Stop(_) | Step::Drop(_) | Step::Barrier(_) => None,
        });
        hooks.filter(move |hook| hook.signal() == Some(name))
    }
}
