//! Products: the things that can be ordered.

use actix_web::http::header::LOCATION;
use actix_web::web::Json;
use actix_web::{HttpResponse, Responder, get, post};
use lifecycle_runtime::Dep;
use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;
use validator::Validate;

use crate::auth::{Admin, Granted};
use crate::input::{Body, one_line, whole};
use crate::problem::{Invalid, Problem, Refusal};
use crate::store::db;

pub fn routes(app: &mut ServiceConfig<'_>) {
    app.service(list_products).service(add_product);
}

/// A product that can be ordered.
#[derive(Debug, PartialEq, Eq, FromRow, Serialize, ToSchema)]
pub struct Product {
    /// The number by which it is ordered.
    #[schema(example = 1)]
    pub id: i64,
    #[schema(example = "tea")]
    pub name: String,
    /// The price of one, in cents.
    #[schema(example = 450)]
    pub price: i64,
}

/// A product to add.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewProduct {
    /// The name, in one line. No two products have the same name.
    #[validate(length(min = 1, max = 80), custom(function = one_line))]
    #[schema(
        min_length = 1,
        max_length = 80,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*$",
        example = "sugar"
    )]
    pub name: String,
    /// The price of one, in cents.
    #[serde(deserialize_with = "whole")]
    #[validate(range(min = 0, max = 10_000_000))]
    #[schema(minimum = 0, maximum = 10_000_000, example = 199)]
    pub price: i64,
}

/// Lists the products that can be ordered.
///
/// It takes no token.
#[utoipa::path(
    tag = "products",
    responses(
        (status = OK, description = "All products, in the order of their ids", body = [Product])
    )
)]
#[get("/products")]
async fn list_products(db: Dep<db>) -> Result<impl Responder, Problem> {
    let products: Vec<Product> =
        sqlx::query_as("SELECT id, name, price FROM products ORDER BY id").fetch_all(&**db).await?;
    Ok(Json(products))
}

/// Adds a product.
///
/// It can be ordered at once. Products are neither changed nor removed: orders name them.
#[utoipa::path(
    tag = "products",
    request_body = NewProduct,
    security(("password" = ["admin"])),
    responses(
        (
            status = CREATED,
            description = "The product, with its id",
            body = Product,
            headers(("location" = String, description = "The list that it is in: `/products`"))
        ),
        (status = UNAUTHORIZED, body = Refusal),
        (status = FORBIDDEN, body = Refusal),
        (
            status = CONFLICT,
            description = "There is a product of this name already",
            body = Refusal,
            example = json!({ "detail": "there is a product of this name already" })
        ),
        (
            status = UNPROCESSABLE_ENTITY,
            body = Invalid,
            example = json!({ "detail": [{
                "loc": ["body", "price"],
                "msg": "has to be 0 to 10000000",
                "type": "range",
                "input": -1,
            }] })
        ),
    )
)]
#[post("/products")]
async fn add_product(
    _: Granted<Admin>,
    new: Body<NewProduct>,
    db: Dep<db>,
) -> Result<impl Responder, Problem> {
    let Body(NewProduct { name, price }) = new;
    let mut transaction = db.write().await?;
    let product: Product = sqlx::query_as(
        "INSERT INTO products (name, price) VALUES ($1, $2) RETURNING id, name, price",
    )
    .bind(name)
    .bind(price)
    .fetch_one(&mut *transaction)
    .await
    .map_err(|error| Problem::of_insertion(error, "there is a product of this name already"))?;
    transaction.commit().await?;
    Ok(HttpResponse::Created().insert_header((LOCATION, "/products")).json(product))
}
