//! Listener for operators: the page, probes, the view of the run, its events, and the program's own
//! routes.

mod access;
mod events;
mod metrics;
mod page;
mod traffic;

use std::future::{Ready, ready};
use std::sync::Arc;

use actix_web::body::BoxBody;
use actix_web::http::header;
use actix_web::middleware::{DefaultHeaders, from_fn};
pub(crate) use actix_web::web::ServiceConfig;
use actix_web::{App, Error, HttpRequest, HttpResponse, web};

use super::extract::{ForOperators, of_the_framework};
use super::factory::AppFactory;
use super::probes::{PROBES, probes};
use super::settings::Settings;
use super::{AppContext, Http, service};
use crate::observe::view::RunView;
use access::{Access, Content};
use events::EventClients;

/// Number of descriptors that each address of the listener holds in reserve, in case the process
/// has none left.
const ADMIN_RESERVE: usize = 4;

/// Function that adds routes of the program to the listener.
pub(crate) type AdminRoutes = Arc<dyn Fn(&mut ServiceConfig) + Send + Sync>;

/// Specification of the listener.
#[derive(Default)]
pub(crate) struct AdminSpec {
    pub(crate) address: String,
    /// Set if it shows everything, even on an address that others reach.
    pub(crate) details: bool,
    /// Host names that clients may use, besides those of this machine.
    pub(crate) hosts: Vec<String>,
    pub(crate) routes: Vec<AdminRoutes>,
}

/// Document that the listener shows, as a function of the run's view.
type Document = fn(&RunView) -> String;

/// Documents about the run, by their paths.
const DOCUMENTS: [(&str, Document); 5] = [
    ("/checks", RunView::checks),
    ("/info", RunView::info),
    ("/plan", RunView::plan),
    ("/services", RunView::services),
    ("/timeline", RunView::timeline),
];

impl Http {
    /// Returns the server for operators, which has to answer even when nothing else does.
    pub(crate) fn admin(spec: AdminSpec) -> Self {
        let AdminSpec { address, details, hosts, routes } = spec;
        let access = Arc::new(Access { details, hosts });
        let clients = EventClients::default();
        let apps = move |app_context: &AppContext| {
            let (app_context, access) = (app_context.clone(), Arc::clone(&access));
            let (clients, routes) = (clients.clone(), routes.clone());
            service::make(move || Ok(app(&app_context, &access, &clients, &routes)))
        };
        let http = Self::of(Box::new(apps)).bind(address).workers(1).catch_panics(true);
        let settings =
            Settings { reserve: ADMIN_RESERVE, thread_name: Some("admin-worker"), ..http.settings };
        Self { setting: "`admin` or LIFECYCLE_ADMIN", settings, ..http }
    }
}

/// Builds the app. Probes and metrics are for everybody, and everything else for those with access.
/// Metrics on an address of this machine are not for a page of another host, though.
fn app(
    app_context: &AppContext,
    access: &Arc<Access>,
    clients: &EventClients,
    routes: &[AdminRoutes],
) -> App<impl AppFactory<BoxBody> + use<>> {
    let headers = DefaultHeaders::new()
        .add((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .add((header::CACHE_CONTROL, "no-store"));
    let guard = |content| {
        let access = Arc::clone(access);
        from_fn(move |request, next| access::guard(Arc::clone(&access), content, request, next))
    };
    let metrics = web::resource(METRICS)
        .wrap(guard(Content::Metrics))
        .route(web::get().to(metrics::metrics))
        .route(web::head().to(metrics::metrics));
    let guarded = web::scope("")
        .wrap(guard(Content::Details))
        .configure(documents)
        .configure(|config| routes.iter().for_each(|add| add(config)))
        .default_service(web::to(unknown));
    app_context
        .with_data(App::new())
        .app_data(ForOperators)
        .app_data(app_context.view.clone())
        .app_data(app_context.servers.clone())
        .app_data(clients.clone())
        .wrap(headers)
        .configure(probes)
        .service(metrics)
        .service(guarded)
}

/// Adds the routes of the framework.
fn documents(config: &mut ServiceConfig) {
    for (path, document) in DOCUMENTS {
        let answer = move |request: HttpRequest| ready(show(&request, document));
        config.service(
            web::resource(path).route(web::get().to(answer)).route(web::head().to(answer)),
        );
    }
    config
        .service(
            web::resource(PAGE).route(web::get().to(page::show)).route(web::head().to(page::show)),
        )
        .service(
            web::resource(REQUESTS)
                .route(web::get().to(traffic::requests))
                .route(web::head().to(traffic::requests)),
        )
        .service(
            web::resource(CONNECTIONS)
                .route(web::get().to(traffic::connections))
                .route(web::head().to(traffic::connections)),
        )
        .service(
            web::resource(EVENTS)
                .route(web::get().to(events::follow))
                .route(web::head().to(events::head)),
        );
}

const CONNECTIONS: &str = "/connections";
const EVENTS: &str = "/events";
const METRICS: &str = "/metrics";
const PAGE: &str = "/";
const REQUESTS: &str = "/requests";

fn show(request: &HttpRequest, document: Document) -> Result<HttpResponse, Error> {
    of_the_framework::<RunView>(request).map(|view| json(document(view)))
}

/// Returns a response with this text, which is JSON.
fn json(text: String) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(text)
}

/// Answers a path that leads nowhere by a list of those that lead somewhere.
fn unknown() -> Ready<HttpResponse> {
    let documents = DOCUMENTS.iter().map(|(path, _)| *path);
    let probes = PROBES.iter().map(|(path, _)| *path);
    let mut paths: Vec<_> =
        documents.chain([CONNECTIONS, EVENTS, METRICS, PAGE, REQUESTS]).chain(probes).collect();
    paths.sort_unstable();
    let body = serde_json::json!({ "error": "there is nothing at this path", "paths": paths });
    ready(HttpResponse::NotFound().content_type("application/json").body(format!("{body}\n")))
}
