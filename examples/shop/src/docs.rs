//! The API's description, made from the code, and the pages that show it, from files that come with
//! the program.

use actix_web::dev::ResourceDef;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_SECURITY_POLICY};
use actix_web::web::{self, Json};
use actix_web::{HttpRequest, HttpResponse};
use utoipa::openapi::security::{Flow, OAuth2, Password, Scopes, SecurityScheme};
use utoipa::openapi::{Content, OpenApi, PathItem, Ref, ResponseBuilder};
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::problem::Problem;

/// What the description begins with; the routes add themselves.
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
#[openapi(info(
    title = "Shop",
    description = "Takes orders, and delivers every one that it has acknowledged."
))]
struct Beginning;

/// Adds what any route may answer.
fn with_common_answers(mut description: OpenApi) -> OpenApi {
    for item in description.paths.paths.values_mut() {
        for operation in [&mut item.get, &mut item.post].into_iter().flatten() {
            let mut add = |status: u16, said: &str| {
                let schema = Content::new(Some(Ref::from_schema_name("Refusal")));
                let response = ResponseBuilder::new()
                    .description(said)
                    .content("application/json", schema)
                    .build();
                operation.responses.responses.insert(status.to_string(), response.into());
            };
            add(429, "Too many requests from this address");
            add(503, "The database can't answer now");
            if operation.request_body.is_some() {
                add(408, "The body takes too long");
                add(413, "The body is too long");
                add(415, "The body is of another type");
            }
        }
    }
    description
}

/// `/openapi.json`, `/docs` (Swagger UI), `/redoc`, and what is said where nothing is.
pub fn pages(description: OpenApi) -> impl FnOnce(&mut web::ServiceConfig) {
    let description = with_common_answers(description);
    move |app| {
        let known = Known::new(&description);
        app.service(
            SwaggerUi::new("/docs/{_:.*}")
                .config(Config::from("/openapi.json").persist_authorization(false)),
        )
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
        // Nothing from anywhere else, also not the logo that ReDoc would show.
        .insert_header((
            CONTENT_SECURITY_POLICY,
            "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; worker-src blob:",
        ))
        .body(REDOC_PAGE)
}

async fn redoc_script() -> HttpResponse {
    // As it is bundled; there is no browser that could not read it.
    HttpResponse::Ok()
        .content_type("text/javascript")
        .insert_header((CONTENT_ENCODING, "gzip"))
        .body(REDOC_SCRIPT)
}

/// The routes and their methods, for the answer to a wrong method.
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
    // `/orders/events` is also `/orders/{id}`: the first is meant.
    match known.iter().find(|(route, _)| route.is_match(path)) {
        Some((_, allowed)) => {
            Err(Problem::Method { method: request.method().to_string(), allowed: allowed.clone() })
        }
        None => {
            Err(Problem::NotFound("there is nothing here; /docs shows what there is".to_owned()))
        }
    }
}
