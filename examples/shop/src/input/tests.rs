//! Answers to requests that a route does not take.

use actix_web::FromRequest;
use actix_web::http::header::ContentType;
use actix_web::test::TestRequest;
use serde::{Deserialize, Serialize};

use super::*;

#[derive(Debug, PartialEq, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct Basket {
    #[validate(length(min = 1, max = 2), nested)]
    items: Vec<Item>,
    #[validate(custom(function = one_line))]
    #[serde(default)]
    note: String,
    #[validate(length(min = 3))]
    #[serde(default = "long")]
    password: String,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, Validate)]
struct Item {
    #[serde(deserialize_with = "whole")]
    #[validate(range(min = 1, max = 9))]
    quantity: i64,
}

fn long() -> String {
    "long".to_owned()
}

async fn read(body: &str) -> Result<Basket, Problem> {
    let request =
        TestRequest::post().insert_header(ContentType::json()).set_payload(body.to_owned());
    let (request, mut payload) = request.to_http_parts();
    Body::from_request(&request, &mut payload).await.map(|body| body.0)
}

/// Checks that a body breaks these rules, at these places, in this order.
#[track_caller]
fn broken(result: Result<Basket, Problem>, expected: &[(Value, &str)]) -> Vec<Detail> {
    let Err(Problem::Invalid(details)) = result else { panic!("{result:?}") };
    let found: Vec<_> = details.iter().map(|detail| (json!(detail.loc), &*detail.rule)).collect();
    assert_eq!(found, expected, "{details:?}");
    details
}

#[actix_web::test]
async fn a_rule_that_is_broken_is_named_with_its_place_and_the_value() {
    let details = broken(
        read(r#"{"items": [{"quantity": 1}, {"quantity": 0}], "note": "a\nb"}"#).await,
        &[
            (json!(["body", "items", 1, "quantity"]), "range"),
            (json!(["body", "note"]), "one_line"),
        ],
    );
    assert_eq!(
        (details[0].input.as_ref(), &*details[0].msg),
        (Some(&json!(0)), "has to be 1 to 9")
    );
    broken(read(r#"{"items": []}"#).await, &[(json!(["body", "items"]), "length")]);
}

#[actix_web::test]
async fn a_value_of_another_type_is_named_with_its_place() {
    broken(
        read(r#"{"items": [{"quantity": "1"}]}"#).await,
        &[(json!(["body", "items", 0, "quantity"]), "type")],
    );
    broken(
        read(r#"{"items": [{}]}"#).await,
        &[(json!(["body", "items", 0, "quantity"]), "missing")],
    );
    broken(read("{}").await, &[(json!(["body", "items"]), "missing")]);
    broken(read(r#"{"items": [], "x": 1}"#).await, &[(json!(["body", "x"]), "extra_forbidden")]);
}

#[actix_web::test]
async fn a_whole_number_may_be_written_with_a_fraction_of_nothing() {
    assert_eq!(read(r#"{"items": [{"quantity": 2.0}]}"#).await.unwrap().items[0].quantity, 2);
    for wrong in ["2.5", "1e300", "18446744073709551615", "true", "null"] {
        let read = read(&format!(r#"{{"items": [{{"quantity": {wrong}}}]}}"#)).await;
        assert!(matches!(read, Err(Problem::Invalid(_))), "{wrong}: {read:?}");
    }
}

#[actix_web::test]
async fn broken_json_is_named_with_line_and_column() {
    broken(read("{\n  \"items\": [,]}").await, &[(json!(["body", 2, 13]), "json_invalid")]);
    broken(read("").await, &[(json!(["body", 1, 0]), "json_invalid")]);
    broken(
        read(r#"{"items": [{"quantity": 1}]} and more"#).await,
        &[(json!(["body", 1, 30]), "json_invalid")],
    );
}

#[actix_web::test]
async fn a_secret_is_not_repeated() {
    let body = r#"{"items": [{"quantity": 1}], "password": "ab"}"#;
    let details = broken(read(body).await, &[(json!(["body", "password"]), "length")]);
    assert_eq!(details[0].input, None);
    // A value of another type is not repeated, either, in whatever place and with whatever text.
    for (body, msg) in [
        (r#"{"items": [], "password": 1234567}"#, "has to be a string"),
        (r#"{"items": [], "password": {"password": "1234567"}}"#, "has to be a string"),
        (
            r#"{"items": [{"quantity": "1234567, expected 1234567 at line 1234567"}]}"#,
            "has to be a whole number",
        ),
        (r#"{"items": [{"quantity": 12345678901234567890}]}"#, "has to be a whole number"),
        (r#"{"items": "1234567"}"#, "has to be a sequence"),
    ] {
        let Err(Problem::Invalid(details)) = read(body).await else { panic!("{body}") };
        assert_eq!((&*details[0].msg, &details[0].input), (msg, &None));
    }
}

#[actix_web::test]
async fn a_body_that_is_too_long_or_of_another_kind_is_not_read() {
    assert!(matches!(read(&" ".repeat(BODY_LIMIT + 1)).await, Err(Problem::TooLong(BODY_LIMIT))));
    let (request, mut payload) = TestRequest::post().set_payload("{}").to_http_parts();
    let read = Body::<Basket>::from_request(&request, &mut payload).await;
    assert!(matches!(read, Err(Problem::MediaType { expected: "application/json" })));
}
