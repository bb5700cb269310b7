//! Publication of a run's metrics through the crate `metrics`, by a thread of its own: the recorder
//! that takes them is the program's, and may block.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::sync::mpsc::{
    UnboundedReceiver, UnboundedSender, WeakUnboundedSender, unbounded_channel,
};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout, timeout_at};

use super::run::{PublicationRequest, Run};
use crate::event::{Event, Observer, Wait};
use crate::hook::state::State;
use crate::hook::task::{block_on, thread};
use crate::observe::metrics::MetricsPublisher;
use crate::observe::view::RunView;
use crate::server::{AppContext, OpenServers, TaskSet};

/// Time between two publications. Scrapers ask less often, or not much more often.
const INTERVAL: Duration = Duration::from_secs(5);

/// Observer that has the metrics published when the state of the run changes. It waits for nothing:
/// it may be called on the program's only thread, which the recorder may need.
struct MetricsObserver(WeakUnboundedSender<PublicationRequest>);

/// Publication that has not begun.
pub(super) struct MetricsPublication {
    sender: UnboundedSender<PublicationRequest>,
    requests: UnboundedReceiver<PublicationRequest>,
}

/// Adds the observer, behind the program's own, and returns the publication that it is for.
pub(super) fn observed(
    mut observers: Vec<Arc<dyn Observer>>,
) -> (Vec<Arc<dyn Observer>>, MetricsPublication) {
    let (sender, requests) = unbounded_channel();
    observers.push(Arc::new(MetricsObserver(sender.downgrade())));
    (observers, MetricsPublication { sender, requests })
}

impl Observer for MetricsObserver {
    fn on_event(&self, _: Duration, event: &Event) {
        // The end of the run asks for the last publication itself.
        if let Event::State(state) = event
            && *state != State::Stopped
            && let Some(sender) = self.0.upgrade()
        {
            // An error means that the thread is gone.
            let _ = sender.send(None);
        }
    }
}

impl MetricsPublication {
    /// Publishes the metrics of a run from now on, until the run is dropped.
    ///
    /// # Errors
    ///
    /// Fails if the system refuses a thread.
    pub(super) fn begin(self, run: &mut Run) -> io::Result<()> {
        // The other parts of the run may hold values of hooks.
        let AppContext { view, servers, tasks, .. } = &run.app_context;
        let (view, servers, tasks) = (view.clone(), servers.clone(), tasks.clone());
        let runtime = Builder::new_current_thread().enable_time().build()?;
        thread("lifecycle-metrics", move || {
            block_on(&runtime, publish(self.requests, &view, &servers, &tasks));
        })?;
        run.publication = Some(self.sender);
        Ok(())
    }
}

/// Publishes the metrics until nobody can ask for it. Requests that have come meanwhile are done at
/// once.
async fn publish(
    mut requests: UnboundedReceiver<PublicationRequest>,
    view: &RunView,
    servers: &OpenServers,
    tasks: &TaskSet,
) {
    let mut publisher = MetricsPublisher::default();
    loop {
        let mut awaited = Vec::new();
        match timeout(INTERVAL, requests.recv()).await {
            Ok(None) => return,
            Ok(Some(request)) => awaited.extend(request),
            Err(_) => {}
        }
        while let Ok(request) = requests.try_recv() {
            awaited.extend(request);
        }
        publisher.publish(&view.metrics(servers.counts().await, tasks.numbers()));
        for done in awaited {
            let _ = done.send(());
        }
    }
}

impl Run {
    /// Has the metrics published once more. Returns the receiver of the message that this is done,
    /// if they are published at all.
    pub(super) fn request_publication(&self) -> Option<oneshot::Receiver<()>> {
        let (done, published) = oneshot::channel();
        self.publication.as_ref()?.send(Some(done)).ok()?;
        Some(published)
    }

    /// Waits until the metrics have been published, at most until the deadline.
    pub(super) async fn await_publication(
        &self,
        published: oneshot::Receiver<()>,
        deadline: Instant,
    ) {
        let now = Instant::now();
        self.live.add(move |_| vec![Wait::Publication { running: now.elapsed() }]);
        let is_over = tokio::select! {
            biased;
            never = self.report_waits() => match never {},
            // An error means that the thread is gone.
            published = timeout_at(deadline, published) => published.is_ok(),
        };
        self.live.forget_others();
        if !is_over {
            self.console.complain("the last publication of metrics has not ended");
        }
    }
}
