//! Orders over the wire.

use std::sync::Mutex;
use std::sync::mpsc::channel;

use actix_web::rt::System;
use lifecycle_runtime::testing::Signal;
use serde_json::json;
use sqlx::SqlitePool;

use crate::client::{Customer, agent, an_order, parts};
use crate::process::{ADMIN_PASSWORD, LIMIT, command, ready_url, stop};
use crate::receiver::Receiver;

#[test]
fn an_order_is_placed_shown_listed_and_delivered() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start();
    let mut service = command(folder.path()).env("SHOP_WEBHOOK_URL", &receiver.url).spawn();
    let ana = Customer::sign_up(&ready_url(&mut service), "ana@example.org");
    let (status, order) = ana.post("/orders", &an_order("ring twice"));
    assert_eq!(status, 201);
    assert_eq!((&order["total"], &order["note"]), (&json!(2 * 450 + 1290), &json!("ring twice")));
    assert_eq!(ana.get(&format!("/orders/{}", order["id"])), (200, order.clone()));
    assert_eq!(ana.get("/orders"), (200, json!({ "orders": [order], "next": null })));
    let delivered = receiver.wait_until(|delivered| !delivered.is_empty());
    assert_eq!(delivered[0].body, order);
    let log = stop(service);
    assert!(
        log.contains("to=\"ana@example.org\" subject=\"Your order\""),
        "no mail was sent:\n{log}"
    );
    // The stop leaves one file, which can be copied.
    let left: Vec<_> =
        folder.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["shop.db"]);
}

#[test]
fn customers_see_their_own_orders_and_an_admin_sees_all() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = command(folder.path()).env("ADMIN_PASSWORD", ADMIN_PASSWORD).spawn();
    let url = ready_url(&mut service);
    let (ana, ben) =
        (Customer::sign_up(&url, "ana@example.org"), Customer::sign_up(&url, "ben@example.org"));
    let of_ana: Vec<_> = (0..5).map(|number| ana.order(&number.to_string())).collect();
    let of_ben = ben.order("of ben");
    let missing = (404, json!({ "detail": format!("there is no order {of_ben}") }));
    assert_eq!(ana.get(&format!("/orders/{of_ben}")), missing);

    // The pages have the newest order first, and none twice.
    let (mut seen, mut path) = (Vec::new(), "/orders?limit=2".to_owned());
    loop {
        let (status, page) = ana.get(&path);
        assert_eq!(status, 200);
        let orders = page["orders"].as_array().unwrap();
        assert!(orders.len() <= 2);
        seen.extend(orders.iter().map(|order| order["id"].as_i64().unwrap()));
        let Some(next) = page["next"].as_i64() else { break };
        path = format!("/orders?limit=2&before={next}");
    }
    assert_eq!(seen, of_ana.into_iter().rev().collect::<Vec<_>>());

    let admin = Customer::sign_in(&url, "admin@shop.test", ADMIN_PASSWORD);
    assert_eq!(admin.get("/orders").1["orders"].as_array().unwrap().len(), 6);
    assert_eq!(admin.get(&format!("/orders/{of_ben}")).0, 200);
    let sugar = json!({ "name": "sugar", "price": 199 });
    assert_eq!(admin.post("/products", &sugar).0, 201);
    assert_eq!(admin.post("/products", &sugar).0, 409);
    let (status, refused) = ana.post("/products", &sugar);
    assert_eq!(
        (status, refused["detail"].as_str()),
        (403, Some("this takes the scope `admin`, which the token doesn't have"))
    );
    stop(service);
}

#[test]
fn what_is_wrong_with_a_request_is_named_by_place_and_rule() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = command(folder.path()).spawn();
    let url = ready_url(&mut service);
    let ana = Customer::sign_up(&url, "ana@example.org");
    let wrong =
        json!({ "items": [{ "product": 1, "quantity": 1 }, { "product": 1, "quantity": 0 }] });
    let expected = json!({ "detail": [{
        "loc": ["body", "items", 1, "quantity"],
        "msg": "has to be 1 to 1000",
        "type": "range",
        "input": 0,
    }] });
    assert_eq!(ana.post("/orders", &wrong), (422, expected));
    let unknown = json!({ "items": [{ "product": 77, "quantity": 1 }] });
    assert_eq!(
        ana.post("/orders", &unknown).1["detail"][0]["loc"],
        json!(["body", "items", 0, "product"])
    );
    assert_eq!(ana.get("/orders?limit=0").1["detail"][0]["loc"], json!(["query", "limit"]));
    assert_eq!(ana.get("/orders?limit=x").1["detail"][0]["loc"], json!(["query", "limit"]));
    assert_eq!(ana.get("/orders?limi=1").0, 422);
    assert_eq!(ana.get("/orders/x").1["detail"][0]["loc"], json!(["path", "id"]));
    assert_eq!(ana.get("/orders").1["orders"], json!([]), "nothing was taken");

    assert_eq!(ana.get("/nowhere").0, 404);
    let (status, said) = parts(agent().delete(format!("{url}/orders")).call().unwrap());
    assert_eq!(
        (status, said["detail"].as_str()),
        (405, Some("DELETE is not possible here, only GET, POST"))
    );
    let unsigned = parts(agent().post(format!("{url}/orders")).send_json(wrong).unwrap());
    assert_eq!(unsigned, (401, json!({ "detail": "not authenticated" })));
    stop(service);
}

#[test]
fn a_receiver_that_is_down_gets_everything_once_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    // Nobody listens there any more.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut service = command(folder.path())
        .env("SHOP_WEBHOOK_URL", format!("http://{gone}/hook?key=s3cret"))
        .spawn();
    let ana = Customer::sign_up(&ready_url(&mut service), "ana@example.org");
    let order = ana.order("patient");
    let line = service.wait_for_line("target=\"webhook\" attempts=2");
    assert!(line.contains("Connection refused") && !line.contains("s3cret"), "{line}");
    service.kill();
    service.wait();

    // The attempts were counted, so the next one is not made at once. The mail was sent, so it is
    // not sent again.
    let receiver = Receiver::answering(|number| Some(if number < 2 { 503 } else { 204 }));
    let mut service = command(folder.path()).env("SHOP_WEBHOOK_URL", &receiver.url).spawn();
    service.wait_for_line("target=\"webhook\" attempts=3");
    let delivered = receiver.wait_until(|delivered| delivered.len() == 2);
    assert_eq!(delivered[0].key, delivered[1].key);
    assert_eq!(delivered[1].body["id"], order);
    let log = stop(service);
    assert!(!log.contains("subject="), "{log}");
}

#[test]
fn a_receiver_that_hangs_holds_no_mail_up() {
    let folder = tempfile::tempdir().unwrap();
    // The listener takes connections, and never answers.
    let hangs = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", hangs.local_addr().unwrap());
    let mut command = command(folder.path());
    let mut service =
        command.env("SHOP_WEBHOOK_URL", url).env("SHOP_WEBHOOK_TIMEOUT", "8s").spawn();
    let ana = Customer::sign_up(&ready_url(&mut service), "ana@example.org");
    for number in 0..20 {
        ana.order(&number.to_string());
    }
    for _ in 0..20 {
        service.wait_for_line("subject=\"Your order\"");
    }
    service.kill();
    let ended = service.wait();
    let has_waited = ended.transcript().contains("not delivered");
    assert!(!has_waited, "the mails came after the first timeout: {ended}");
}

#[test]
fn a_delivery_that_is_under_way_at_the_stop_is_finished() {
    let folder = tempfile::tempdir().unwrap();
    let (answer, told) = channel();
    let told = Mutex::new(told);
    let receiver = Receiver::answering(move |_| told.lock().unwrap().recv_timeout(LIMIT).ok());
    let mut service = command(folder.path()).env("SHOP_WEBHOOK_URL", &receiver.url).spawn();
    Customer::sign_up(&ready_url(&mut service), "ana@example.org").order("");
    receiver.wait_until(|delivered| !delivered.is_empty());
    service.signal(Signal::SIGTERM);
    service.wait_for_line("stop webhook");
    answer.send(200).unwrap();
    service.wait().assert_exit_code(0);
    let left: i64 = System::new().block_on(async {
        let db =
            SqlitePool::connect(&format!("sqlite://{}", folder.path().join("shop.db").display()))
                .await
                .unwrap();
        sqlx::query_scalar("SELECT count(*) FROM deliveries").fetch_one(&db).await.unwrap()
    });
    assert_eq!(left, 0, "it will be made again");
}
