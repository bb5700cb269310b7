//! Families about servers: their requests, their connections, and the tasks of their handlers.

use super::{FamilyKind, MetricFamily, MetricsSnapshot, SampleValue, Samples};

pub(super) const FAMILIES: [MetricFamily; 6] = [
    MetricFamily::new(
        "lifecycle_http_requests",
        FamilyKind::Counter,
        "Number of the requests that have ended, by outcome",
        requests,
    ),
    MetricFamily::new(
        "lifecycle_http_requests_in_flight",
        FamilyKind::Gauge,
        "Number of requests in flight",
        in_flight,
    ),
    MetricFamily::new(
        "lifecycle_http_connections",
        FamilyKind::Counter,
        "Number of the connections that have ended, by outcome",
        connections,
    ),
    MetricFamily::new(
        "lifecycle_http_connections_open",
        FamilyKind::Gauge,
        "Number of open connections, by protocol and state",
        open,
    ),
    MetricFamily::new(
        "lifecycle_background_tasks",
        FamilyKind::Counter,
        "Number of the tasks of request handlers that have ended, by outcome",
        tasks,
    ),
    MetricFamily::new(
        "lifecycle_background_tasks_running",
        FamilyKind::Gauge,
        "Number of the tasks of request handlers that run",
        tasks_running,
    ),
];

fn requests(snapshot: &MetricsSnapshot, samples: &mut Samples<'_>) {
    for server in &snapshot.servers {
        let outcomes = [
            ("finished", server.finished),
            ("cut", server.cut),
            ("refused", server.refused),
            ("panicked", server.panicked),
            ("abandoned", server.abandoned),
            ("failed", server.failed),
        ];
        by_outcome(&outcomes, Some(&server.url), samples);
    }
}

fn in_flight(snapshot: &MetricsSnapshot, samples: &mut Samples<'_>) {
    for server in &snapshot.servers {
        samples(&[("server", &server.url)], SampleValue::Count(server.in_flight));
    }
}

fn connections(snapshot: &MetricsSnapshot, samples: &mut Samples<'_>) {
    for server in &snapshot.servers {
        let outcomes = [
            ("closed", server.connections_closed),
            ("cut", server.connections_cut),
            ("unaccepted", server.connections_unaccepted),
        ];
        by_outcome(&outcomes, Some(&server.url), samples);
    }
}

fn open(snapshot: &MetricsSnapshot, samples: &mut Samples<'_>) {
    for server in &snapshot.servers {
        for open in &server.open {
            let labels =
                [("server", &*server.url), ("protocol", open.protocol), ("state", open.state)];
            samples(&labels, SampleValue::Count(open.count));
        }
    }
}

fn tasks(snapshot: &MetricsSnapshot, samples: &mut Samples<'_>) {
    if snapshot.servers.is_empty() {
        return;
    }
    let tasks = &snapshot.tasks;
    let outcomes = [("finished", tasks.finished), ("cut", tasks.cut), ("panicked", tasks.panicked)];
    by_outcome(&outcomes, None, samples);
}

fn tasks_running(snapshot: &MetricsSnapshot, samples: &mut Samples<'_>) {
    if !snapshot.servers.is_empty() {
        samples(&[], SampleValue::Count(snapshot.tasks.running));
    }
}

fn by_outcome(outcomes: &[(&str, u64)], server: Option<&str>, samples: &mut Samples<'_>) {
    for (outcome, count) in outcomes {
        let server = server.map(|url| ("server", url));
        let labels: Vec<_> = server.into_iter().chain([("outcome", *outcome)]).collect();
        samples(&labels, SampleValue::Count(*count));
    }
}
