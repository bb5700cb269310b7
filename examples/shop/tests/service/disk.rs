//! A full disk: the shop answers 503, is not ready and does not crash, and recovers once there is
//! space again.

use lifecycle_runtime::testing::process::{Child, Command};
use serde_json::json;

use crate::client::{Customer, PASSWORD, an_order, token};
use crate::process::{ADMIN_PASSWORD, environment, ready_url, stop};

#[test]
fn a_full_disk_is_503_and_unready_and_passes() {
    let folder = tempfile::tempdir().unwrap();
    // A file that may not grow makes the database's writes fail, as a full disk does.
    let mut shell = Command::new("sh");
    environment(&mut shell, folder.path());
    let script = format!("trap '' XFSZ; exec {}", env!("CARGO_BIN_EXE_shop"));
    let mut service = shell
        .env("RUST_LOG", "warn")
        .env("ADMIN_PASSWORD", ADMIN_PASSWORD)
        .args(["-c", &script])
        .spawn();
    let url = ready_url(&mut service);
    let ana = Customer::sign_up(&url, "ana@example.org");
    let admin = Customer::sign_in(&url, "admin@shop.test", ADMIN_PASSWORD);
    let sign_in = || {
        token(
            &url,
            &[("grant_type", "password"), ("username", "ana@example.org"), ("password", PASSWORD)],
        )
    };
    let refresh_token = sign_in().1["refresh_token"].as_str().unwrap().to_owned();
    let refresh =
        || token(&url, &[("grant_type", "refresh_token"), ("refresh_token", &refresh_token)]);
    let ben = json!({ "email": "ben@example.org", "password": PASSWORD });
    let sugar = json!({ "name": "sugar", "price": 199 });
    let mut taken: Vec<_> = (0..5).map(|number| ana.order(&number.to_string())).collect();

    limit_files(&service, "4096:");
    let refused = (503, json!({ "detail": "the database can't answer now; try again later" }));
    assert_eq!(ana.post("/orders", &an_order("one too many")), refused);
    assert_eq!(admin.post("/users", &ben), refused);
    assert_eq!(admin.post("/products", &sugar), refused);
    assert_eq!(sign_in(), refused);
    assert_eq!(refresh(), refused);
    ana.wait_for(&mut service, "/readyz", 503);
    let (_, said) = ana.get("/readyz");
    assert_eq!(said["checks"][0]["name"], "db_takes_writes", "{said}");
    assert_eq!(ana.get("/livez").0, 200, "to start it anew would not help");
    assert_eq!(ana.get(&format!("/orders/{}", taken[0])).0, 200, "what is there can be read");

    limit_files(&service, "unlimited:");
    ana.wait_for(&mut service, "/readyz", 200);
    taken.push(ana.order("after that"));
    // The refused requests have left nothing.
    assert_eq!(admin.post("/users", &ben).0, 201);
    assert_eq!(admin.post("/products", &sugar).0, 201);
    assert_eq!(refresh().0, 200, "the token was not used up");
    for id in &taken {
        assert_eq!(ana.get(&format!("/orders/{id}")).0, 200, "order {id} was acknowledged");
    }
    stop(service);
}

/// Limits the length in bytes of the files that a process writes from now on.
fn limit_files(service: &Child, limit: &str) {
    let process = service.id().to_string();
    assert!(
        std::process::Command::new("prlimit")
            .args(["--pid", &process, &format!("--fsize={limit}")])
            .status()
            .unwrap()
            .success()
    );
}
