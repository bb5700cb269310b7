//! Requests in flight and open connections.

use std::borrow::Cow;
use std::time::Duration;

use actix_web::{Error, HttpRequest, HttpResponse};
use futures_util::future::join_all;
use serde::Serialize;

use super::json;
use crate::event::as_millis;
use crate::observe::view::RunView;
use crate::server::connection::ConnectionKind;
use crate::server::extract::of_the_framework;
use crate::server::open::{OpenServer, OpenServers};

/// Number of requests that are shown, the longest first.
const SHOWN: usize = 1000;

#[derive(Serialize)]
struct RequestsJson {
    #[serde(serialize_with = "as_millis")]
    now: Duration,
    /// Number of all requests in flight.
    count: usize,
    /// Number of those that are not shown.
    left_out: usize,
    requests: Vec<RequestJson>,
}

#[derive(Serialize)]
struct RequestJson {
    method: Cow<'static, str>,
    path: String,
    /// Time for which it has been in flight.
    #[serde(serialize_with = "as_millis")]
    age: Duration,
    server: usize,
    worker: usize,
    state: &'static str,
}

#[derive(Serialize)]
struct ConnectionsJson {
    #[serde(serialize_with = "as_millis")]
    now: Duration,
    servers: Vec<ServerJson>,
}

#[derive(Serialize)]
struct ServerJson {
    urls: Vec<String>,
    workers: Vec<WorkerJson>,
}

#[derive(Serialize)]
struct WorkerJson {
    /// Number of open connections.
    open: u64,
    /// Open connections by protocol and state, or `None` if the worker has not counted them.
    connections: Option<Vec<CountJson>>,
}

#[derive(Serialize)]
struct CountJson {
    #[serde(flatten)]
    kind: ConnectionKind,
    count: u64,
}

/// Answers by the requests in flight, the longest first.
pub(super) async fn requests(request: HttpRequest) -> Result<HttpResponse, Error> {
    let servers = of_the_framework::<OpenServers>(&request)?.all();
    let mut count = 0;
    let mut requests = Vec::new();
    for (server, open) in servers.iter().enumerate() {
        let (number, longest) = open.tables.longest(SHOWN);
        count += number;
        requests.extend(longest.into_iter().map(|row| RequestJson {
            method: row.info.method,
            path: row.info.path,
            age: row.info.running,
            server,
            worker: row.worker,
            state: row.state,
        }));
    }
    requests.sort_by_key(|request| std::cmp::Reverse(request.age));
    requests.truncate(SHOWN);
    let now = of_the_framework::<RunView>(&request)?.now();
    Ok(shown(&RequestsJson { now, count, left_out: count - requests.len(), requests }))
}

/// Answers by the number of open connections.
pub(super) async fn connections(request: HttpRequest) -> Result<HttpResponse, Error> {
    let servers = of_the_framework::<OpenServers>(&request)?.all();
    let servers = join_all(servers.into_iter().map(counted)).await;
    Ok(shown(&ConnectionsJson { now: of_the_framework::<RunView>(&request)?.now(), servers }))
}

/// Has each worker of a server count its connections.
async fn counted(server: OpenServer) -> ServerJson {
    let kinds = server.connections().await;
    let count = |(kind, count)| CountJson { kind, count };
    let counts = kinds.into_iter().map(|kinds| Some(kinds?.into_iter().map(count).collect()));
    let worker = |(open, connections)| WorkerJson { open, connections };
    let workers = server.tables.connections().into_iter().zip(counts).map(worker).collect();
    ServerJson { urls: server.urls, workers }
}

fn shown(value: &impl Serialize) -> HttpResponse {
    // These are plain texts and numbers, so nothing can fail.
    let mut text = serde_json::to_string(value).unwrap_or_default();
    text.push('\n');
    json(text)
}
