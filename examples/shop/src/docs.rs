//! Description of the API, which is made from the code, and the pages that show it, from files that
//! come with the program.

use std::time::Duration;

use actix_web::dev::ResourceDef;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_SECURITY_POLICY};
use actix_web::web::{self, Json};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{Flow, OAuth2, Password, Scopes, SecurityScheme};
use utoipa::openapi::{Content, OpenApi, PathItem, Ref, RefOr, Response, ResponseBuilder};
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::auth::PERMISSIONS;
use crate::input::{BODY_LIMIT, BODY_TIME};
use crate::problem::Problem;

/// Returns the beginning of the description, to which the routes add themselves.
pub fn beginning() -> OpenApi {
    let scopes = Scopes::from_iter([
        ("orders:read", "see your orders"),
        ("orders:write", "place orders"),
        ("admin", "see all orders, and change what can be ordered"),
    ]);
    let password = OAuth2::new([Flow::Password(Password::new("/token", scopes))]);
    let mut description = <Beginning as utoipa::OpenApi>::openapi();
    let parts = description.components.get_or_insert_default();
    parts.add_security_scheme("password", SecurityScheme::OAuth2(password));
    description
}

#[derive(utoipa::OpenApi)]
#[openapi(
    info(title = "Shop API", version = "1.0.0", description = include_str!("../static/api.md")),
    tags(
        (name = "account", description = "Signing up, signing in, and staying signed in"),
        (name = "products", description = "The products that can be ordered"),
        (name = "orders", description = "Placing orders, and following them"),
    )
)]
struct Beginning;

/// The operations that may give an answer.
enum Givers {
    /// Operations that name the answer themselves.
    Named,
    WithBody,
    All,
}

/// Returns the answers that mean the same for every operation, each with an example that fits this
/// one.
fn common_answers(operation: &Operation) -> [(Givers, &'static str, Problem); 8] {
    let security = serde_json::json!(operation.security).to_string();
    let scope = PERMISSIONS.iter().find(|scope| security.contains(**scope)).unwrap_or(&"");
    let types = ["application/json", "application/x-www-form-urlencoded"];
    let takes = |kind: &str| {
        matches!(
            &operation.request_body,
            Some(RefOr::T(body)) if body.content.contains_key(kind)
        )
    };
    let expected = types.into_iter().find(|kind| takes(kind)).unwrap_or_default();
    let mistake = Problem::invalid(&["body"], "missing", "a field is missing");
    [
        (
            Givers::Named,
            "The token is missing, has expired, or is not one of the shop's",
            Problem::Unauthorized("not authenticated"),
        ),
        (
            Givers::Named,
            "The token doesn't have the scope that this takes",
            Problem::Forbidden(scope),
        ),
        (
            Givers::Named,
            "The request breaks rules: each mistake with its place and its rule",
            mistake,
        ),
        (Givers::WithBody, "The body takes too long to arrive", Problem::TooSlow(BODY_TIME)),
        (Givers::WithBody, "The body is too long", Problem::TooLong(BODY_LIMIT)),
        (Givers::WithBody, "The body is of another type", Problem::MediaType { expected }),
        (
            Givers::All,
            "Too many requests from this address: the header `retry-after` says when to try again",
            Problem::TooMany(Duration::ZERO),
        ),
        (Givers::All, "The shop, or its database, can't answer now", Problem::Busy),
    ]
}

/// Adds the answers that several routes give. If a route names one itself, only the missing parts
/// are filled in.
fn with_common_answers(mut description: OpenApi) -> OpenApi {
    for item in description.paths.paths.values_mut() {
        for operation in [&mut item.get, &mut item.post].into_iter().flatten() {
            let has_body = operation.request_body.is_some();
            for (givers, said, problem) in common_answers(operation) {
                let status = problem.status_code().as_str().to_owned();
                let responses = &mut operation.responses.responses;
                let is_given = match givers {
                    Givers::Named => responses.contains_key(&status),
                    Givers::WithBody => has_body,
                    Givers::All => true,
                };
                if !is_given {
                    continue;
                }
                let RefOr::T(response) = responses.entry(status).or_insert_with(refusal) else {
                    continue;
                };
                if response.description.is_empty() {
                    said.clone_into(&mut response.description);
                }
                for content in response.content.values_mut() {
                    if let RefOr::T(content) = content
                        && content.example.is_none()
                    {
                        content.example = serde_json::to_value(problem.body()).ok();
                    }
                }
            }
        }
    }
    description
}

fn refusal() -> RefOr<Response> {
    let content = Content::new(Some(Ref::from_schema_name("Refusal")));
    ResponseBuilder::new().content("application/json", content).build().into()
}

/// Adds `/openapi.json`, `/docs` (Swagger UI) and `/redoc`, redirects `/` to the docs, and adds the
/// answer for unknown paths.
pub fn pages(description: OpenApi) -> impl FnOnce(&mut web::ServiceConfig) {
    let description = with_common_answers(description);
    move |app| {
        let known = Known::new(&description);
        app.service(
            SwaggerUi::new("/docs/{_:.*}")
                .config(Config::from("/openapi.json").persist_authorization(false)),
        )
        // The redirect is not permanent: one day there may be a shop for customers here.
        .service(web::redirect("/", "/docs/"))
        .route("/docs", web::get().to(|| async { web::Redirect::to("/docs/").permanent() }))
        .route(
            "/openapi.json",
            web::get().to(move || std::future::ready(Json(description.clone()))),
        )
        .route("/redoc", web::get().to(redoc))
        .route("/redoc/redoc.standalone.js", web::get().to(redoc_script))
        .app_data(known)
        .default_service(web::to(nothing));
    }
}

const REDOC_PAGE: &str = include_str!("../static/redoc.html");
const REDOC_SCRIPT: &[u8] = include_bytes!("../static/redoc.standalone.js.gz");

async fn redoc() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        // The page loads nothing from elsewhere, not even the logo that ReDoc would show.
        .insert_header((
            CONTENT_SECURITY_POLICY,
            "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
             worker-src blob:",
        ))
        .body(REDOC_PAGE)
}

async fn redoc_script() -> HttpResponse {
    // The script is sent compressed, as it is bundled: every browser can read that.
    HttpResponse::Ok()
        .content_type("text/javascript")
        .insert_header((CONTENT_ENCODING, "gzip"))
        .body(REDOC_SCRIPT)
}

/// Routes and their methods, for the answer to a wrong method.
struct Known(Vec<(ResourceDef, String)>);

impl Known {
    fn new(description: &OpenApi) -> Self {
        let routes = description.paths.paths.iter();
        Self(routes.map(|(path, item)| (ResourceDef::new(path.as_str()), methods(item))).collect())
    }
}

fn methods(item: &PathItem) -> String {
    let methods = [
        ("GET", &item.get),
        ("POST", &item.post),
        ("PUT", &item.put),
        ("PATCH", &item.patch),
        ("DELETE", &item.delete),
    ];
    methods
        .into_iter()
        .filter(|(_, operation)| operation.is_some())
        .map(|(name, _)| name)
        .collect::<Vec<_>>()
        .join(", ")
}

async fn nothing(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let path = request.path();
    let known = request.app_data::<Known>().map(|known| &known.0[..]).unwrap_or_default();
    // `/orders/events` matches `/orders/{id}` as well: the first route is meant.
    match known.iter().find(|(route, _)| route.is_match(path)) {
        Some((_, allowed)) => {
            Err(Problem::Method { method: request.method().to_string(), allowed: allowed.clone() })
        }
        None => {
            Err(Problem::NotFound("there is nothing here; /docs shows what there is".to_owned()))
        }
    }
}
