//! Orders, each of which is taken in one transaction with its event.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use utoipa::ToSchema;
use validator::Validate;

use crate::events::{self, NewEvent, RecordError};
use crate::input::{one_line, whole};
use crate::problem::{Detail, Problem};
use crate::store::Store;

mod api;

pub use api::routes;

/// An order to place.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOrder {
    #[validate(length(min = 1, max = 20), nested)]
    /// The products, in the order of the customer. One product may be in several items.
    #[schema(min_items = 1, max_items = 20)]
    pub items: Vec<Item>,
    /// One line for whoever packs the order.
    #[validate(length(max = 200), custom(function = one_line))]
    #[schema(max_length = 200, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$", example = "ring twice")]
    #[serde(default)]
    pub note: String,
}

/// A product, and how many of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Validate, FromRow, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// The id of a product.
    #[serde(deserialize_with = "whole")]
    #[schema(example = 1)]
    pub product: i64,
    #[serde(deserialize_with = "whole")]
    #[validate(range(min = 1, max = 1000))]
    #[schema(minimum = 1, maximum = 1000, example = 2)]
    pub quantity: i64,
}

/// An order as it was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Order {
    #[schema(example = 1)]
    pub id: i64,
    pub items: Vec<Item>,
    #[schema(example = "ring twice")]
    pub note: String,
    /// The sum, in cents, of the prices when it was taken.
    #[schema(example = 900)]
    pub total: i64,
    #[schema(value_type = String, format = DateTime, example = "2026-11-23T02:02:07.634Z")]
    pub created_at: Timestamp,
}

/// Some orders, the newest first.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Page {
    pub orders: Vec<Order>,
    /// The `before` of the next page, if there is one.
    #[schema(example = 17)]
    pub next: Option<i64>,
}

#[derive(FromRow)]
struct Row {
    id: i64,
    note: String,
    total: i64,
    created_at: i64,
}

/// Takes an order: it is on the disk, with its event, when this returns. Returns the order and the
/// number of its event.
pub async fn place(
    store: &Store,
    user: i64,
    new: &NewOrder,
    now: Timestamp,
) -> Result<(Order, i64), Problem> {
    let mut transaction = store.write().await?;
    let (mut prices, mut unknown) = (Vec::new(), Vec::new());
    for (number, item) in new.items.iter().enumerate() {
        let price: Option<i64> = sqlx::query_scalar("SELECT price FROM products WHERE id = $1")
            .bind(item.product)
            .fetch_optional(&mut *transaction)
            .await?;
        match price {
            Some(price) => prices.push(price),
            None => unknown.push(no_product(number, item.product)),
        }
    }
    if !unknown.is_empty() {
        return Err(Problem::Invalid(unknown));
    }
    let total = prices.iter().zip(&new.items).map(|(price, item)| price * item.quantity).sum();
    // The time has the precision with which it will be read.
    let created_at = Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now);
    let id: Option<i64> = sqlx::query_scalar(
        "INSERT INTO orders (user_id, note, total, created_at) \
         SELECT id, $2, $3, $4 FROM users WHERE id = $1 RETURNING id",
    )
    .bind(user)
    .bind(&new.note)
    .bind(total)
    .bind(created_at.as_millisecond())
    .fetch_optional(&mut *transaction)
    .await?;
    // The token is good, but belongs to another database.
    let id = id.ok_or(Problem::Unauthorized("the user of the token is not there any more"))?;
    for ((position, item), price) in (0_i64..).zip(&new.items).zip(prices) {
        sqlx::query(
            "INSERT INTO order_items (order_id, position, product_id, quantity, price) \
             VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(id)
        .bind(position)
        .bind(item.product)
        .bind(item.quantity)
        .bind(price)
        .execute(&mut *transaction)
        .await?;
    }
    let order = Order { id, items: new.items.clone(), note: new.note.clone(), total, created_at };
    let event = NewEvent { user, kind: "order.placed", body: &order };
    let seq = events::record(&mut transaction, &event, now).await.map_err(|error| match error {
        RecordError::Write(error) => error.into(),
        error @ RecordError::Json(_) => Problem::Internal(error.into()),
    })?;
    transaction.commit().await?;
    Ok((order, seq))
}

fn no_product(number: usize, product: i64) -> Detail {
    Detail {
        loc: vec!["body".into(), "items".into(), number.into(), "product".into()],
        msg: format!("there is no product {product}"),
        rule: "exists".to_owned(),
        input: Some(product.into()),
    }
}

/// Finds an order of this user, or of any user.
pub async fn find(store: &Store, id: i64, user: Option<i64>) -> sqlx::Result<Option<Order>> {
    let row: Option<Row> = sqlx::query_as(
        "SELECT id, note, total, created_at FROM orders WHERE id = $1 AND ($2 = 1 OR user_id = $3)",
    )
    .bind(id)
    .bind(i64::from(user.is_none()))
    .bind(user.unwrap_or_default())
    .fetch_optional(&**store)
    .await?;
    match row {
        Some(row) => Ok(Some(with_items(store, row).await?)),
        None => Ok(None),
    }
}

/// Lists up to `limit` orders of this user, or of all, that are older than `before`.
pub async fn list(
    store: &Store,
    user: Option<i64>,
    before: Option<i64>,
    limit: i64,
) -> sqlx::Result<Page> {
    let mut rows: Vec<Row> = sqlx::query_as(
        "SELECT id, note, total, created_at FROM orders WHERE id < $1 AND ($2 = 1 OR user_id = $3) \
         ORDER BY id DESC LIMIT $4",
    )
    .bind(before.unwrap_or(i64::MAX))
    .bind(i64::from(user.is_none()))
    .bind(user.unwrap_or_default())
    .bind(limit + 1)
    .fetch_all(&**store)
    .await?;
    let wanted = usize::try_from(limit).unwrap_or_default();
    let is_more = rows.len() > wanted;
    rows.truncate(wanted);
    let next = rows.last().filter(|_| is_more).map(|row| row.id);
    let mut orders = Vec::new();
    for row in rows {
        orders.push(with_items(store, row).await?);
    }
    Ok(Page { orders, next })
}

async fn with_items(store: &Store, row: Row) -> sqlx::Result<Order> {
    let items = sqlx::query_as(
        "SELECT product_id AS product, quantity FROM order_items WHERE order_id = $1 \
             ORDER BY position",
    )
    .bind(row.id)
    .fetch_all(&**store)
    .await?;
    let Row { id, note, total, created_at } = row;
    Ok(Order {
        id,
        items,
        note,
        total,
        created_at: Timestamp::from_millisecond(created_at).unwrap_or_default(),
    })
}
