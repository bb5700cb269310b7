//! Publication of a run's metrics through the crate `metrics`, by a thread of its own: the recorder
//! that takes them is the program's, and may block.

use std::io;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

use super::run::Run;
use crate::event::{Event, Observer};
use crate::hook::state::State;
use crate::hook::task::{block_on, thread};
use crate::observe::metrics::MetricsPublisher;
use crate::observe::view::RunView;
use crate::server::{AppContext, OpenServers, TaskSet};

/// Time between two publications. Scrapers ask less often, or not much more often.
const INTERVAL: Duration = Duration::from_secs(5);

/// Request to publish the metrics now: the sender that says that it is done.
type PublicationRequest = mpsc::Sender<()>;

/// Observer that has the metrics published when the state of the run changes, and waits for the
/// last publication. The thread ends with it.
struct MetricsObserver(UnboundedSender<PublicationRequest>);

/// Publication that has not begun.
pub(super) struct MetricsPublication(UnboundedReceiver<PublicationRequest>);

/// Adds the observer, behind the program's own, and returns the publication that it is for.
pub(super) fn observed(
    mut observers: Vec<Arc<dyn Observer>>,
) -> (Vec<Arc<dyn Observer>>, MetricsPublication) {
    let (sender, requests) = unbounded_channel();
    observers.push(Arc::new(MetricsObserver(sender)));
    (observers, MetricsPublication(requests))
}

impl Observer for MetricsObserver {
    fn on_event(&self, _: Duration, event: &Event) {
        let Event::State(state) = event else { return };
        let (request, done) = mpsc::channel();
        if self.0.send(request).is_ok() && *state == State::Stopped {
            // An error means that the thread is gone.
            let _ = done.recv();
        }
    }
}

impl MetricsPublication {
    /// Publishes the metrics of a run from now on.
    ///
    /// # Errors
    ///
    /// Fails if the system refuses a thread.
    pub(super) fn begin(self, run: &Run) -> io::Result<()> {
        // The other parts of the run may hold values of hooks.
        let AppContext { view, servers, tasks, .. } = &run.app_context;
        let (view, servers, tasks) = (view.clone(), servers.clone(), tasks.clone());
        let runtime = Builder::new_current_thread().enable_time().build()?;
        thread("lifecycle-metrics", move || {
            block_on(&runtime, self.publish(&view, &servers, &tasks));
        })?;
        Ok(())
    }

    /// Publishes until the observer is gone.
    async fn publish(mut self, view: &RunView, servers: &OpenServers, tasks: &TaskSet) {
        let mut publisher = MetricsPublisher::default();
        loop {
            let request = match timeout(INTERVAL, self.0.recv()).await {
                Ok(None) => return,
                Ok(request) => request,
                Err(_) => None,
            };
            publisher.publish(&view.metrics(servers.counts().await, tasks.numbers()));
            if let Some(done) = request {
                let _ = done.send(());
            }
        }
    }
}
