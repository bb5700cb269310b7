//! Sign-in, refresh, and tokens that are refused.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::SystemTime;

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use lifecycle_runtime::testing::process::Command;
use serde_json::{Value, json};

use crate::client::{Customer, PASSWORD, agent, an_order, parts, token};
use crate::process::{ADMIN_PASSWORD, SECRET, command, ready_url, stop};

fn password<'a>(name: &'a str, password: &'a str, scope: &'a str) -> [(&'a str, &'a str); 4] {
    [("grant_type", "password"), ("username", name), ("password", password), ("scope", scope)]
}

#[test]
fn a_token_allows_what_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = command(folder.path()).spawn();
    let url = ready_url(&mut service);
    Customer::sign_up(&url, "ana@example.org");
    let (status, tokens) = token(&url, &password("ANA@example.org", PASSWORD, "orders:read"));
    assert_eq!(
        (status, &tokens["scope"], &tokens["token_type"]),
        (200, &json!("orders:read"), &json!("bearer"))
    );
    let reader = Customer::with(&url, tokens["access_token"].as_str().unwrap());
    assert_eq!(reader.get("/orders").0, 200);
    let (status, refused) = reader.post("/orders", &an_order(""));
    assert_eq!(
        (status, refused["detail"].as_str().unwrap()),
        (403, "this takes the scope `orders:write`, which the token doesn't have")
    );

    let refused = |form: &[(&str, &str)], status: u16, error: &str| {
        let (found, body) = token(&url, form);
        assert_eq!((found, body["error"].as_str()), (status, Some(error)), "{body}");
    };
    refused(&password("ana@example.org", PASSWORD, "admin"), 400, "invalid_scope");
    refused(&password("ana@example.org", "wrong", ""), 400, "invalid_grant");
    refused(&password("nobody@example.org", PASSWORD, ""), 400, "invalid_grant");
    assert_eq!(token(&url, &[("grant_type", "magic")]).0, 422);
    assert_eq!(token(&url, &[("grant_type", "password")]).0, 422);
    let again = json!({ "email": "Ana@example.org", "password": PASSWORD });
    assert_eq!(parts(agent().post(format!("{url}/users")).send_json(again).unwrap()).0, 409);
    let weak = json!({ "email": "ben", "password": "short" });
    let (status, said) = parts(agent().post(format!("{url}/users")).send_json(weak).unwrap());
    assert_eq!((status, said["detail"].as_array().unwrap().len()), (422, 2));
    let log = stop(service);
    assert!(
        !log.contains("short") && !said.to_string().contains("\"short\""),
        "a password was written down:\n{log}"
    );
}

#[test]
fn nobody_signs_up_as_the_admin_whose_account_keeps_its_password() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = command(folder.path()).spawn();
    let new = json!({ "email": "Admin@shop.test", "password": PASSWORD });
    assert_eq!(
        parts(agent().post(format!("{}/users", ready_url(&mut service))).send_json(new).unwrap()).0,
        409
    );
    stop(service);

    let warning = "ADMIN_PASSWORD is not used: there is an account admin@shop.test, \
                   which keeps its own password";
    for (set, is_warned) in
        [(ADMIN_PASSWORD, false), (ADMIN_PASSWORD, false), ("another password", true)]
    {
        let mut service = command(folder.path()).env("ADMIN_PASSWORD", set).spawn();
        let url = ready_url(&mut service);
        assert_eq!(token(&url, &password("admin@shop.test", ADMIN_PASSWORD, "admin")).0, 200);
        assert_eq!(
            token(&url, &password("admin@shop.test", set, "admin")).0,
            if is_warned { 400 } else { 200 }
        );
        let log = stop(service);
        assert_eq!(log.contains(warning), is_warned, "{log}");
        assert!(!log.contains(set), "a password was written down:\n{log}");
    }
}

#[test]
fn a_refresh_token_is_good_once_and_its_second_use_ends_the_sign_in() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = command(folder.path()).spawn();
    let url = ready_url(&mut service);
    Customer::sign_up(&url, "ana@example.org");
    let (_, first) = token(&url, &password("ana@example.org", PASSWORD, "orders:read"));
    let (_, other) = token(&url, &password("ana@example.org", PASSWORD, ""));
    let refresh = |tokens: &Value| {
        let token_text = tokens["refresh_token"].as_str().unwrap();
        token(&url, &[("grant_type", "refresh_token"), ("refresh_token", token_text)])
    };
    let (status, second) = refresh(&first);
    assert_eq!(
        (status, &second["scope"]),
        (200, &json!("orders:read")),
        "it allows what the first one did"
    );
    assert_eq!(
        Customer::with(&url, second["access_token"].as_str().unwrap()).get("/orders").0,
        200
    );

    let (status, refused) = refresh(&first);
    assert_eq!((status, &refused["error"]), (400, &json!("invalid_grant")));
    assert_eq!(refresh(&second).0, 400, "whoever holds the second may be the thief");
    assert_eq!(refresh(&other).0, 200, "another sign-in has nothing to do with it");
    assert_eq!(refresh(&json!({ "refresh_token": "made up" })).0, 400);
    let log = stop(service);
    assert!(log.contains("a refresh token was used twice; 2 of its family are revoked"), "{log}");
    let database = std::fs::read(folder.path().join("shop.db")).unwrap();
    let kept = second["refresh_token"].as_str().unwrap().as_bytes();
    assert!(
        !database.windows(kept.len()).any(|window| window == kept),
        "the database has it as it is"
    );
}

#[test]
fn of_a_refresh_token_that_two_use_at_once_nothing_is_left() {
    let folder = tempfile::tempdir().unwrap();
    use_twice_at_once(&mut command(folder.path()));
}

/// Lets two clients use the same refresh token at once, and again while one of them goes on with
/// the token that it got for it.
pub fn use_twice_at_once(command: &mut Command) {
    let mut service = command.env("RUST_LOG", "error").spawn();
    let url = ready_url(&mut service);
    Customer::sign_up(&url, "ana@example.org");
    let refresh_token = |tokens: &Value| tokens["refresh_token"].as_str().unwrap().to_owned();
    let sign_in = || refresh_token(&token(&url, &password("ana@example.org", PASSWORD, "")).1);
    let refresh = |text: &str| {
        let (status, tokens) =
            token(&url, &[("grant_type", "refresh_token"), ("refresh_token", text)]);
        assert!([200, 400].contains(&status), "{tokens}");
        (status == 200).then(|| refresh_token(&tokens))
    };
    for round in 0..60 {
        let first = sign_in();
        let (one, other) = thread::scope(|scope| {
            let one = scope.spawn(|| refresh(&first));
            (refresh(&first), one.join().unwrap())
        });
        let won = one.xor(other).expect("it is good for one of them");
        assert_eq!(refresh(&won), None, "round {round}: what the winner got is good");

        let first = sign_in();
        let mut newest = refresh(&first).unwrap();
        let is_revoked = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                assert_eq!(refresh(&first), None);
                is_revoked.store(true, Ordering::Relaxed);
            });
            loop {
                let is_late = is_revoked.load(Ordering::Relaxed);
                let Some(next) = refresh(&newest) else { break };
                assert!(!is_late, "round {round}: what was added meanwhile is good");
                newest = next;
            }
        });
    }
    stop(service);
}

#[test]
fn many_sign_ins_at_once_take_no_more_memory_than_a_few() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = command(folder.path()).spawn();
    let url = ready_url(&mut service);
    Customer::sign_up(&url, "ana@example.org");
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                (0..10).for_each(|_| drop(Customer::sign_in(&url, "ana@example.org", PASSWORD)))
            });
        }
    });
    let status = std::fs::read_to_string(format!("/proc/{}/status", service.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    // Four hashes are made at a time, in 19 MiB each.
    assert!(peak < 200 * 1024, "{peak} KiB");
    stop(service);
}

/// Makes a token whose claims are those of a good one, with these changes.
fn forged(algorithm: Algorithm, secret: &str, changes: Value) -> String {
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let mut claims = json!({
        "sub": "1", "scope": "orders:read admin", "iss": "shop", "iat": now, "exp": now + 600,
    });
    claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    encode(&Header::new(algorithm), &claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
}

#[test]
fn a_token_that_is_not_one_of_ours_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = command(folder.path()).spawn();
    let url = ready_url(&mut service);
    Customer::sign_up(&url, "ana@example.org");
    let status = |token: &str| Customer::with(&url, token).get("/orders").0;
    let good = forged(Algorithm::HS256, SECRET, json!({}));
    assert_eq!(status(&good), 200, "the others are refused for what they are named for");

    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap();
    let unsigned = {
        use base64::Engine;
        let header = base64::engine::general_purpose::URL_SAFE_NO_PAD
            .encode(r#"{"alg":"none","typ":"JWT"}"#);
        let claims = good.split('.').nth(1).unwrap();
        [
            format!("{header}.{claims}."),
            format!("{header}.{claims}.{}", good.split('.').nth(2).unwrap()),
        ]
    };
    let other_claims = forged(Algorithm::HS256, SECRET, json!({ "sub": "2" }));
    let swapped: Vec<_> =
        good.split('.').zip(other_claims.split('.')).map(|(good, _)| good).take(1).collect();
    let spliced = format!(
        "{}.{}.{}",
        swapped[0],
        other_claims.split('.').nth(1).unwrap(),
        good.split('.').nth(2).unwrap()
    );
    for (name, token) in [
        ("alg none", unsigned[0].as_str()),
        ("alg none with a signature", &unsigned[1]),
        ("another algorithm", &forged(Algorithm::HS512, SECRET, json!({}))),
        (
            "another secret",
            &forged(Algorithm::HS256, "another secret, which is as long as ours is", json!({})),
        ),
        ("no secret", &forged(Algorithm::HS256, "", json!({}))),
        ("expired", &forged(Algorithm::HS256, SECRET, json!({ "exp": now.as_secs() - 1 }))),
        ("expires never", &forged(Algorithm::HS256, SECRET, json!({ "exp": null }))),
        ("of another service", &forged(Algorithm::HS256, SECRET, json!({ "iss": "bank" }))),
        ("of nobody", &forged(Algorithm::HS256, SECRET, json!({ "sub": "" }))),
        ("of a name", &forged(Algorithm::HS256, SECRET, json!({ "sub": "1 OR 1=1" }))),
        ("the claims of another token", &spliced),
        ("cut off", &good[..good.len() - 1]),
        ("only a header", good.split('.').next().unwrap()),
        ("empty parts", ".."),
        ("nonsense", "%00"),
        ("very long", &"a".repeat(8000)),
    ] {
        assert_eq!(status(token), 401, "{name}");
    }
    for header in ["Basic YTpi", "Bearer", "bearer\t", &good] {
        let request = agent().get(format!("{url}/orders")).header("authorization", header);
        assert_eq!(request.call().unwrap().status(), 401, "{header}");
    }
    stop(service);
}

#[test]
fn a_user_who_is_not_there_any_more_orders_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = command(folder.path()).spawn();
    let url = ready_url(&mut service);
    Customer::sign_up(&url, "ana@example.org").order("");
    let gone = forged(Algorithm::HS256, SECRET, json!({ "sub": "2", "scope": "orders:write" }));
    let refused = Customer::with(&url, &gone).post("/orders", &an_order(""));
    assert_eq!(refused, (401, json!({ "detail": "the user of the token is not there any more" })));
    stop(service);
}

#[test]
fn tokens_expire() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = command(folder.path())
        .env("SHOP_TOKEN_LIFETIME", "2s")
        .env("SHOP_REFRESH_LIFETIME", "1s")
        .spawn();
    let url = ready_url(&mut service);
    Customer::sign_up(&url, "ana@example.org");
    let (_, tokens) = token(&url, &password("ana@example.org", PASSWORD, ""));
    assert_eq!(tokens["expires_in"], 2);
    let ana = Customer::with(&url, tokens["access_token"].as_str().unwrap());
    service.wait_until("the end of the token", |_| ana.get("/orders").0 != 200);
    assert_eq!(ana.get("/orders"), (401, json!({ "detail": "the token has expired" })));
    // The refresh token has expired as well: it was made before the access token and is good for a
    // shorter time, even in whole seconds.
    let refresh = [
        ("grant_type", "refresh_token"),
        ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
    ];
    assert_eq!(token(&url, &refresh).0, 400);
    stop(service);
}
