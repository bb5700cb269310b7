//! Tests of everything around the routes: limits, CORS, ids, compression, metrics, workers.

use serde_json::{Value, json};

use crate::client::{Customer, agent, parts, raw, token};
use crate::process::{command, ready_url, stop};

#[test]
fn an_address_that_asks_for_too_much_has_to_wait() {
    let folder = tempfile::tempdir().unwrap();
    let mut service =
        command(folder.path()).env("SHOP_BURST", "20").env("SHOP_REQUESTS_PER_SECOND", "1").spawn();
    let url = ready_url(&mut service);
    let answers: Vec<_> =
        (0..40).map(|_| agent().get(format!("{url}/products")).call().unwrap()).collect();
    assert!(answers[..20].iter().all(|answer| answer.status() == 200), "{answers:?}");
    let refused = answers.iter().find(|answer| answer.status() == 429).expect("one is refused");
    assert!(refused.headers()["retry-after"].to_str().unwrap().parse::<u64>().unwrap() >= 1);
    for path in ["livez", "readyz", "metrics"] {
        assert_eq!(
            agent().get(format!("{url}/{path}")).call().unwrap().status(),
            200,
            "{path} is for operators"
        );
    }
    stop(service);
}

#[test]
fn passwords_can_be_tried_only_so_often() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = command(folder.path()).env("SHOP_SIGN_INS_PER_MINUTE", "5").spawn();
    let url = ready_url(&mut service);
    let ana = Customer::sign_up(&url, "ana@example.org");
    let form = [("grant_type", "password"), ("username", "ana@example.org"), ("password", "guess")];
    let statuses: Vec<_> = (0..8).map(|_| token(&url, &form).0).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 400).count(), 3, "{statuses:?}");
    assert_eq!(statuses.last(), Some(&429));
    assert_eq!(ana.get("/orders").0, 200, "who is signed in goes on");
    stop(service);
}

#[test]
fn only_pages_of_allowed_origins_may_call() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = command(folder.path())
        .env("SHOP_ALLOWED_ORIGINS", "https://shop.example,http://localhost:3000")
        .spawn();
    let url = ready_url(&mut service);
    let preflight = |origin: &str, method: &str| {
        let request = agent().options(format!("{url}/orders")).header("origin", origin);
        let request = request.header("access-control-request-method", method);
        let response = request
            .header("access-control-request-headers", "authorization,content-type")
            .call()
            .unwrap();
        let allowed = response
            .headers()
            .get("access-control-allow-origin")
            .map(|value| value.to_str().unwrap().to_owned());
        (response.status().as_u16(), allowed)
    };
    assert_eq!(
        preflight("https://shop.example", "POST"),
        (200, Some("https://shop.example".to_owned()))
    );
    assert_eq!(preflight("http://localhost:3000", "POST").0, 200);
    for (origin, method) in [
        ("https://evil.example", "POST"),
        ("https://shop.example.evil.example", "POST"),
        ("http://shop.example", "POST"),
        ("null", "POST"),
        ("https://shop.example", "DELETE"),
    ] {
        assert_eq!(preflight(origin, method), (400, None), "{origin} {method}");
    }
    let simple = agent()
        .get(format!("{url}/products"))
        .header("origin", "https://evil.example")
        .call()
        .unwrap();
    assert_eq!(simple.headers().get("access-control-allow-origin"), None);
    stop(service);
}

#[test]
fn requests_are_numbered_logged_counted_and_compressed() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = command(folder.path()).spawn();
    let url = ready_url(&mut service);
    let response = agent().get(format!("{url}/products?secret=1")).call().unwrap();
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    let missing = agent().get(format!("{url}/no-such-page")).call().unwrap();
    assert_ne!(missing.headers()["x-request-id"].to_str().unwrap(), id);
    for encoding in ["br", "gzip"] {
        let response = agent()
            .get(format!("{url}/openapi.json"))
            .header("accept-encoding", encoding)
            .call()
            .unwrap();
        assert_eq!(response.headers()["content-encoding"], encoding);
    }
    let invented = raw(&url, "BREW /products HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    assert!(invented.starts_with("HTTP/1.1 405 "), "{invented}");
    let metrics =
        agent().get(format!("{url}/metrics")).call().unwrap().into_body().read_to_string().unwrap();
    assert!(
        metrics.contains(
            "shop_http_requests_total{endpoint=\"/products\",method=\"GET\",status=\"200\"} 1"
        ),
        "{metrics}"
    );
    assert!(metrics.contains("endpoint=\"unknown\",method=\"GET\",status=\"404\""), "{metrics}");
    for made_up in ["no-such-page", "BREW"] {
        assert!(!metrics.contains(made_up), "a client could fill the memory:\n{metrics}");
    }
    let log = stop(service);
    let line = log.lines().find(|line| line.contains(&id)).expect("a line for the request");
    assert!(
        line.contains("method=GET path=\"/products\"") && line.ends_with("status=200"),
        "{line}"
    );
    assert!(!log.contains("secret=1"), "{log}");
}

#[test]
fn three_workers_serve_unless_the_environment_says_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    for (workers, expected) in [(None, 3), (Some("2"), 2)] {
        let mut command = command(folder.path());
        let mut service = command.envs(workers.map(|number| ("LIFECYCLE_WORKERS", number))).spawn();
        ready_url(&mut service);
        let shown = service.wait_for_probe("/connections", |response| response.status == 200);
        let shown: Value = serde_json::from_str(&shown.body).unwrap();
        assert_eq!(shown["servers"][0]["workers"].as_array().unwrap().len(), expected, "{shown}");
        stop(service);
    }
}

#[test]
fn the_api_describes_itself_and_every_route_is_described() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = command(folder.path()).spawn();
    let url = ready_url(&mut service);
    let ana = Customer::sign_up(&url, "ana@example.org");
    let (status, description) = ana.get("/openapi.json");
    assert_eq!(status, 200);
    let mut paths: Vec<_> =
        description["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    paths.sort_unstable();
    assert_eq!(
        paths,
        ["/orders", "/orders/events", "/orders/{id}", "/products", "/token", "/users"]
    );
    let flow = &description["components"]["securitySchemes"]["password"]["flows"]["password"];
    assert_eq!(flow["tokenUrl"], "/token");
    assert_eq!(flow["scopes"].as_object().unwrap().len(), 3);
    let place = &description["paths"]["/orders"]["post"];
    assert_eq!(place["security"], json!([{ "password": ["orders:write"] }]));
    assert_eq!(
        description["components"]["schemas"]["Item"]["properties"]["quantity"]["maximum"],
        1000
    );
    let front = agent().get(&url).call().unwrap();
    assert_eq!(front.status(), 307);
    assert_eq!(front.headers()["location"], "/docs/");
    for page in ["docs/", "docs/swagger-ui-bundle.js", "redoc", "redoc/redoc.standalone.js"] {
        let response = agent().get(format!("{url}/{page}")).call().unwrap();
        assert_eq!(response.status(), 200, "{page}");
    }
    assert_eq!(agent().get(format!("{url}/docs")).call().unwrap().headers()["location"], "/docs/");
    stop(service);
}

#[test]
fn the_description_says_what_everything_is_and_shows_an_example_of_every_body() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = command(folder.path()).spawn();
    let url = ready_url(&mut service);
    let (_, description) = parts(agent().get(format!("{url}/openapi.json")).call().unwrap());
    stop(service);
    assert_eq!(description["info"]["title"], "Shop API");
    assert!(said(&description["info"]).contains("`POST /users`"));
    let tags: Vec<_> =
        description["tags"].as_array().unwrap().iter().map(|tag| &tag["name"]).collect();
    assert_eq!(tags, ["account", "products", "orders"]);

    let paths = description["paths"].as_object().unwrap();
    let operations = paths.values().flat_map(|item| item.as_object().unwrap().values());
    let mut number = 0;
    for operation in operations {
        number += 1;
        let id = operation["operationId"].as_str().unwrap();
        let summary = operation["summary"].as_str().unwrap();
        assert!(summary.split(' ').count() >= 3, "{id}: {summary:?}");
        assert!(!said(operation).is_empty(), "{id}");
        assert!(tags.contains(&&operation["tags"][0]), "{id}");
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            assert!(!said(parameter).is_empty(), "{id}: {parameter}");
        }
        let responses = operation["responses"].as_object().unwrap();
        for (status, response) in responses {
            assert!(!said(response).is_empty(), "{id} {status}");
        }
        for body in responses.values().chain(operation.get("requestBody")) {
            for content in body["content"].as_object().unwrap().values() {
                let is_shown =
                    !content["example"].is_null() || has_examples(&description, &content["schema"]);
                assert!(is_shown, "{id}: {content}");
            }
        }
    }
    assert_eq!(number, 8);

    // An answer that several routes give has an example that fits the route.
    let example = |path: &str, method: &str, status: &str| {
        let content = &description["paths"][path][method]["responses"][status]["content"];
        content["application/json"]["example"]["detail"].to_string()
    };
    assert!(example("/orders", "get", "403").contains("`orders:read`"));
    assert!(example("/products", "post", "403").contains("`admin`"));
    assert!(example("/token", "post", "415").contains("application/x-www-form-urlencoded"));
    assert!(example("/orders", "post", "415").contains("application/json"));
}

fn said(about: &Value) -> &str {
    about["description"].as_str().unwrap_or_default()
}

/// Returns whether each part of a value with this schema has an example.
fn has_examples(description: &Value, schema: &Value) -> bool {
    let has = |schema: &Value| has_examples(description, schema);
    if let Some(reference) = schema["$ref"].as_str() {
        return has(description.pointer(reference.strip_prefix('#').unwrap()).unwrap());
    }
    if let Some(either) = schema["oneOf"].as_array() {
        return either.iter().all(has);
    }
    match schema["properties"].as_object() {
        Some(properties) => properties.values().all(has),
        None => {
            let is_one = ["example", "examples", "enum", "const"];
            is_one.iter().any(|key| !schema[key].is_null()) || {
                !schema["items"].is_null() && has(&schema["items"])
            }
        }
    }
}

/// Checks the framework's metrics. The shop has some of its own for its customers' requests.
#[test]
fn operators_see_what_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = command(folder.path()).spawn();
    ready_url(&mut service);
    let metrics = service.wait_for_probe("/metrics", |response| response.status == 200).body;
    for part in ["lifecycle_build_info{name=\"shop\",", "lifecycle_http_requests_total{"] {
        assert!(metrics.contains(part), "{metrics}");
    }
    stop(service);
}
