//! The routes of orders.

use actix_web::http::header::LOCATION;
use actix_web::web::Json;
use actix_web::{HttpResponse, Responder, get, post};
use lifecycle_runtime::Dep;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use validator::Validate;

use super::{NewOrder, Order, Page};
use crate::auth::{Granted, ReadOrders, WriteOrders};
use crate::clock::clock;
use crate::events::latest_event;
use crate::input::{Body, Id, Query};
use crate::problem::{Invalid, Problem, Refusal};
use crate::store::db;

pub fn routes(app: &mut ServiceConfig<'_>) {
    app.service(place_order)
        .service(list_orders)
        .service(crate::feed::follow_orders)
        .service(show_order);
}

/// Places an order.
///
/// The answer comes once the order is on the disk. From then on it will be delivered, whatever
/// happens to the shop.
#[utoipa::path(
    tag = "orders",
    request_body = NewOrder,
    security(("password" = ["orders:write"])),
    responses(
        (
            status = CREATED,
            description = "The order, on the disk",
            body = Order,
            headers(("location" = String, description = "Where it is shown: `/orders/1`"))
        ),
        (status = UNAUTHORIZED, body = Refusal),
        (status = FORBIDDEN, body = Refusal),
        (
            status = UNPROCESSABLE_ENTITY,
            body = Invalid,
            example = json!({ "detail": [{
                "loc": ["body", "items", 0, "quantity"],
                "msg": "has to be 1 to 1000",
                "type": "range",
                "input": 0,
            }] })
        ),
    )
)]
#[post("/orders")]
async fn place_order(
    customer: Granted<WriteOrders>,
    new: Body<NewOrder>,
    db: Dep<db>,
    clock: Dep<clock>,
    latest_event: Dep<latest_event>,
) -> Result<impl Responder, Problem> {
    let (order, seq) = super::place(&db, customer.user, &new.0, clock.now()).await?;
    latest_event.send_if_modified(|last| std::mem::replace(last, seq.max(*last)) < seq);
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, format!("/orders/{}", order.id)))
        .json(order))
}

/// Shows an order.
///
/// A customer sees their own; an admin sees any.
#[utoipa::path(
    tag = "orders",
    params(("id" = i64, Path, description = "The order's `id`", example = 1)),
    security(("password" = ["orders:read"])),
    responses(
        (status = OK, description = "The order", body = Order),
        (status = UNAUTHORIZED, body = Refusal),
        (status = FORBIDDEN, body = Refusal),
        (
            status = NOT_FOUND,
            description = "There is no such order, or it is another customer's",
            body = Refusal,
            example = json!({ "detail": "there is no order 1" })
        ),
        (
            status = UNPROCESSABLE_ENTITY,
            body = Invalid,
            example = json!({ "detail": [{
                "loc": ["path", "id"],
                "msg": "has to be a whole number",
                "type": "int_parsing",
                "input": "x",
            }] })
        ),
    )
)]
#[get("/orders/{id}")]
async fn show_order(
    customer: Granted<ReadOrders>,
    id: Id,
    db: Dep<db>,
) -> Result<impl Responder, Problem> {
    let found = super::find(&db, id.0, customer.sees()).await?;
    found.map(Json).ok_or_else(|| Problem::NotFound(format!("there is no order {}", id.0)))
}

/// A part of the list.
#[derive(Debug, Deserialize, Validate, IntoParams, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Part {
    /// The highest number of orders to list.
    #[validate(range(min = 1, max = 100))]
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: i64,
    /// The id of an order: only older ones are listed. It is the `next` of the page before.
    #[param(required = false, nullable = false)]
    before: Option<i64>,
}

impl Default for Part {
    fn default() -> Self {
        Self { limit: 20, before: None }
    }
}

/// Lists orders, the newest first.
///
/// The customer's own; an admin sees all. A page has `limit` orders at most. If there are more, its
/// `next` is the `before` of the next page.
#[utoipa::path(
    tag = "orders",
    params(Part),
    security(("password" = ["orders:read"])),
    responses(
        (status = OK, description = "A page of orders", body = Page),
        (status = UNAUTHORIZED, body = Refusal),
        (status = FORBIDDEN, body = Refusal),
        (
            status = UNPROCESSABLE_ENTITY,
            body = Invalid,
            example = json!({ "detail": [{
                "loc": ["query", "limit"], "msg": "has to be 1 to 100", "type": "range", "input": 0,
            }] })
        ),
    )
)]
#[get("/orders")]
async fn list_orders(
    customer: Granted<ReadOrders>,
    part: Query<Part>,
    db: Dep<db>,
) -> Result<impl Responder, Problem> {
    let Query(Part { limit, before }) = part;
    Ok(Json(super::list(&db, customer.sees(), before, limit).await?))
}
