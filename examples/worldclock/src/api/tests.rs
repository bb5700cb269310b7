//! Tests of handlers as plain functions. Broken JSON and unknown routes never reach a handler and
//! are tested over the wire.

use actix_web::ResponseError;
use actix_web::body::to_bytes;
use actix_web::http::StatusCode;
use actix_web::test::TestRequest;
use serde_json::{Value, json};
use sqlx::SqlitePool;
use tempfile::TempDir;

use super::*;
use crate::store::tests::migrated;
use crate::zones::tests::imported;

/// The database and the zones, as a start leaves them for the handlers.
struct Board {
    _folder: TempDir,
    db: Dep<db>,
    zones: Dep<zones>,
}

impl Board {
    async fn new() -> Self {
        let (folder, pool) = migrated().await;
        let zones = Dep::new(imported(&pool).await);
        Self { _folder: folder, db: Dep::new(pool), zones }
    }

    fn pool(&self) -> &SqlitePool {
        &self.db
    }

    async fn add(&self, body: Value) -> Answer {
        let new = serde_json::from_value(body).unwrap();
        answer(add_clock(Json(new), self.db.clone(), self.zones.clone()).await).await
    }

    async fn change(&self, id: i64, body: Value) -> Answer {
        let change = serde_json::from_value(body).unwrap();
        answer(change_clock(id.into(), Json(change), self.db.clone(), self.zones.clone()).await)
            .await
    }

    async fn show(&self, id: i64) -> Answer {
        answer(show_clock(id.into(), self.db.clone(), self.zones.clone()).await).await
    }

    async fn zone(&self, name: &str) -> Answer {
        answer(show_zone(name.to_owned().into(), self.zones.clone()).await).await
    }

    async fn zones(&self, query: &str) -> Answer {
        let countries = Dep::new(crate::countries::countries().unwrap());
        answer(list_zones(Query::from_query(query).unwrap(), self.zones.clone(), countries).await)
            .await
    }
}

struct Answer {
    status: StatusCode,
    location: Option<String>,
    body: Value,
}

async fn answer(result: Result<impl Responder, ApiError>) -> Answer {
    let response = match result {
        Ok(responder) => {
            responder.respond_to(&TestRequest::default().to_http_request()).map_into_boxed_body()
        }
        Err(error) => error.error_response(),
    };
    let location = response.headers().get(LOCATION).map(|value| value.to_str().unwrap().to_owned());
    let (status, bytes) = (response.status(), to_bytes(response.into_body()).await.ok().unwrap());
    Answer { status, location, body: serde_json::from_slice(&bytes).unwrap_or_default() }
}

#[actix_web::test]
async fn a_clock_is_added_shown_changed_and_removed() {
    let board = Board::new().await;
    let added = board.add(json!({ "label": "Ana", "zone": "America/Lima" })).await;
    assert_eq!(added.status, StatusCode::CREATED);
    assert_eq!(added.location.as_deref(), Some("/clocks/1"));
    assert_eq!(added.body["label"], "Ana");
    assert!(added.body["local_time"].as_str().unwrap().ends_with("-05:00"), "{}", added.body);

    assert_eq!(board.show(1).await.body["zone"], "America/Lima");
    let changed = board.change(1, json!({ "zone": "Asia/Tokyo" })).await;
    assert_eq!(
        (&changed.body["label"], &changed.body["abbreviation"]),
        (&json!("Ana"), &json!("JST"))
    );
    assert_eq!(
        answer(list_clocks(board.db.clone(), board.zones.clone()).await)
            .await
            .body
            .as_array()
            .unwrap()
            .len(),
        1
    );

    let removed = answer(remove_clock(1.into(), board.db.clone()).await).await;
    assert_eq!(removed.status, StatusCode::NO_CONTENT);
}

#[actix_web::test]
async fn ids_that_are_unknown_are_404() {
    let board = Board::new().await;
    for answer in [
        board.show(7).await,
        board.change(7, json!({ "label": "Ana" })).await,
        answer(remove_clock(7.into(), board.db.clone()).await).await,
    ] {
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
        assert_eq!(answer.body, json!({ "error": "there is no clock 7" }));
    }
}

#[actix_web::test]
async fn zones_that_are_unknown_are_refused_with_a_suggestion() {
    let board = Board::new().await;
    board.add(json!({ "label": "Ana", "zone": "America/Lima" })).await;
    for answer in [
        board.add(json!({ "label": "Ben", "zone": "Europe/Zürich" })).await,
        board.change(1, json!({ "zone": "Zürich" })).await,
    ] {
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(answer.body["suggestion"], "Europe/Zurich");
    }
    let shown = board.zone("zurich").await;
    assert_eq!(
        (shown.status, &shown.body["suggestion"]),
        (StatusCode::NOT_FOUND, &json!("Europe/Zurich"))
    );
    assert_eq!(board.zone("xyzzy").await.body, json!({ "error": "there is no zone `xyzzy`" }));
}

#[actix_web::test]
async fn zones_are_listed_by_country() {
    let board = Board::new().await;
    assert_eq!(board.zones("").await.body.as_array().unwrap().len(), 312);
    let swiss = board.zones("country=ch").await.body;
    assert_eq!(swiss.as_array().unwrap().len(), 1);
    assert_eq!(
        swiss[0]["countries"],
        json!({ "CH": "Switzerland", "DE": "Germany", "LI": "Liechtenstein" })
    );
    assert_eq!(board.zone("Europe/Zurich").await.body["name"], swiss[0]["name"]);
    assert_eq!(board.zones("country=XX").await.status, StatusCode::BAD_REQUEST);
}

#[actix_web::test]
async fn a_database_that_fails_is_not_talked_about() {
    let board = Board::new().await;
    sqlx::query("DROP TABLE clocks").execute(board.pool()).await.unwrap();
    let broken = board.show(1).await;
    assert_eq!(broken.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(broken.body, json!({ "error": "the database can't answer; try again later" }));
    board.pool().close().await;
    assert_eq!(board.show(1).await.status, StatusCode::SERVICE_UNAVAILABLE);
}
