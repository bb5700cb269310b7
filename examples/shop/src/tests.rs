//! Tests of the whole shop inside one process, with fakes for the time and the mail.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use actix_web::http::header::{AUTHORIZATION, ContentType};
use actix_web::test::{TestRequest, read_body_json};
use futures_util::future::{BoxFuture, FutureExt};
use jiff::{SignedDuration, Timestamp};
use lifecycle_runtime::BoxError;
use lifecycle_runtime::testing::{TestApp, TestAppBuilder};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::auth::{SECRET, TokenKeys, token_keys};
use crate::clock::{Clock, clock};
use crate::logs::log;
use crate::mail::{Mail, Mailer, mailer};
use crate::outbox::{mails, webhook};
use crate::settings::{Settings, settings};
use crate::store::{Store, close_db, db, migrations};

/// Limit of each wait.
const LIMIT: Duration = Duration::from_secs(30);

/// A clock that only a test advances.
#[derive(Clone, Default)]
struct TestClock {
    millis: Arc<AtomicI64>,
    /// Number of times that the shop has read the clock.
    reads: Arc<watch::Sender<usize>>,
}

impl TestClock {
    fn advance(&self, time: SignedDuration) {
        self.millis.fetch_add(time.as_millis().try_into().unwrap(), Ordering::Relaxed);
    }

    /// Waits until the shop has read the clock this many times more.
    async fn wait_for_reads(&self, number: usize) {
        let mut reads = self.reads.subscribe();
        let enough = *reads.borrow() + number;
        let waited = timeout(LIMIT, reads.wait_for(|reads| *reads >= enough)).await;
        assert!(waited.is_ok(), "nobody reads the clock");
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        self.reads.send_modify(|reads| *reads += 1);
        let millis = self.millis.load(Ordering::Relaxed);
        Timestamp::from_millisecond(1_800_000_000_000 + millis).unwrap()
    }
}

/// A mailer that keeps the mails it is given, and fails as often as a test asks for.
#[derive(Clone, Default)]
struct TestMailer {
    fails: Arc<AtomicUsize>,
    given: Arc<watch::Sender<Vec<Mail>>>,
}

impl Mailer for TestMailer {
    fn send(&self, mail: Mail) -> BoxFuture<'_, Result<(), BoxError>> {
        async move {
            self.given.send_modify(|given| given.push(mail));
            let failed = self
                .fails
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
            failed.map_or(Ok(()), |_| Err("the mail server is down".into()))
        }
        .boxed()
    }
}

impl TestMailer {
    /// Waits until it has been given this many mails, and returns them.
    async fn wait_for(&self, number: usize) -> Vec<Mail> {
        let mut given = self.given.subscribe();
        let waited = timeout(LIMIT, given.wait_for(|given| given.len() >= number)).await;
        assert!(waited.is_ok(), "{:?}", self.given.borrow());
        self.given.borrow().clone()
    }
}

/// Returns the shop with a database of its own and this clock.
async fn shop(folder: &TempDir, time: &TestClock) -> TestAppBuilder {
    let url = format!("sqlite://{}?mode=rwc", folder.path().join("shop.db").display());
    TestApp::of(crate::service())
        .replace::<settings>(Settings::default())
        .replace::<token_keys>(TokenKeys::new(SECRET).unwrap())
        .replace::<db>(Store::open(&url).await.unwrap())
        .replace::<clock>(Box::new(time.clone()))
        .without::<log>()
}

async fn post(app: &TestApp, path: &str, token: &str, body: Value) -> (u16, Value) {
    let request = TestRequest::post()
        .uri(path)
        .set_json(body)
        .insert_header((AUTHORIZATION, format!("Bearer {token}")));
    let response = app.request(request).await;
    (response.status().as_u16(), read_body_json(response).await)
}

/// Returns the answer of `/token` to this form.
async fn tokens(app: &TestApp, form: &str) -> Value {
    let request = TestRequest::post().uri("/token").insert_header(ContentType::form_url_encoded());
    read_body_json(app.request(request.set_payload(form.to_owned())).await).await
}

async fn sign_in(app: &TestApp) -> Value {
    tokens(app, "grant_type=password&username=ana@example.org&password=correct+horse+battery").await
}

async fn refresh(app: &TestApp, last: &Value) -> Value {
    tokens(
        app,
        &format!(
            "grant_type=refresh_token&refresh_token={}",
            last["refresh_token"].as_str().unwrap()
        ),
    )
    .await
}

/// Makes an account, and signs in.
async fn sign_up(app: &TestApp) -> String {
    let ana = json!({ "email": "ana@example.org", "password": "correct horse battery" });
    assert_eq!(post(app, "/users", "", ana).await.0, 201);
    sign_in(app).await["access_token"].as_str().unwrap().to_owned()
}

fn an_order() -> Value {
    json!({ "items": [{ "product": 1, "quantity": 1 }] })
}

#[actix_web::test]
async fn a_mail_that_could_not_be_sent_is_sent_again_later_as_the_same() {
    let (folder, time, mail) =
        (tempfile::tempdir().unwrap(), TestClock::default(), TestMailer::default());
    mail.fails.store(2, Ordering::Relaxed);
    let app = shop(&folder, &time).await.replace::<mailer>(Box::new(mail.clone())).start().await;
    let token = sign_up(&app).await;
    assert_eq!(post(&app, "/orders", &token, an_order()).await.0, 201);
    mail.wait_for(1).await;
    for number in 2..=3 {
        // The outbox reads the clock when it puts the mail off, and at each look. The second look
        // comes after one that has found that it is too early.
        time.wait_for_reads(3).await;
        assert_eq!(mail.given.borrow().len(), number - 1);
        time.advance(SignedDuration::from_secs(2));
        mail.wait_for(number).await;
    }
    let given = mail.given.borrow().clone();
    assert_eq!((&given[0], &given[1]), (&given[1], &given[2]));
    assert_eq!(given[0].to, "ana@example.org");

    let report = app.stop().await;
    report.assert_clean().assert_before::<migrations, mails>().assert_ran_once::<close_db>();
}

#[actix_web::test]
async fn a_token_is_good_until_the_clock_says_otherwise() {
    let (folder, time) = (tempfile::tempdir().unwrap(), TestClock::default());
    let app = shop(&folder, &time).await.without::<mails>().without::<webhook>().start().await;
    let token = sign_up(&app).await;
    time.advance(SignedDuration::from_mins(15) - SignedDuration::from_secs(1));
    assert_eq!(post(&app, "/orders", &token, an_order()).await.0, 201);
    time.advance(SignedDuration::from_secs(1));
    assert_eq!(
        post(&app, "/orders", &token, an_order()).await,
        (401, json!({ "detail": "the token has expired" }))
    );
    app.stop().await.assert_clean();
}

#[actix_web::test]
async fn a_refreshed_token_allows_what_the_user_still_may() {
    let (folder, time) = (tempfile::tempdir().unwrap(), TestClock::default());
    let app = shop(&folder, &time).await.start().await;
    sign_up(&app).await;
    let first = sign_in(&app).await;
    assert_eq!(first["scope"], "orders:read orders:write");
    let taken = sqlx::query("UPDATE users SET scopes = 'admin orders:read'");
    taken.execute(&**app.get::<db>()).await.unwrap();
    let second = refresh(&app, &first).await;
    assert_eq!(
        second["scope"], "orders:read",
        "what was taken is gone, and what was not asked for is not added"
    );
    app.stop().await.assert_clean();
}

#[actix_web::test]
async fn refresh_tokens_that_have_expired_are_deleted_and_no_others() {
    let (folder, time) = (tempfile::tempdir().unwrap(), TestClock::default());
    let app = shop(&folder, &time).await.start().await;
    sign_up(&app).await;
    time.advance(SignedDuration::from_hours(24));
    let good = sign_in(&app).await;
    app.stop().await.assert_clean();

    time.advance(Settings::default().refresh_lifetime - SignedDuration::from_hours(24));
    let app = shop(&folder, &time).await.start().await;
    let begun = Instant::now();
    loop {
        let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM refresh_tokens")
            .fetch_one(&**app.get::<db>())
            .await
            .unwrap();
        match kept {
            2 => assert!(begun.elapsed() < LIMIT, "nothing is deleted"),
            _ => break assert_eq!(kept, 1),
        }
    }
    assert_eq!(refresh(&app, &good).await["token_type"], "bearer");
    app.stop().await.assert_clean();
}

#[actix_web::test]
async fn a_start_that_fails_closes_the_database_it_has_opened() {
    let (folder, time) = (tempfile::tempdir().unwrap(), TestClock::default());
    let report = shop(&folder, &time).await.fail::<migrations>("no space left").run().await;
    report
        .assert_exit_code(1)
        .assert_failed::<migrations>("no space left")
        .assert_ran_once::<close_db>();
    report.assert_not_run::<mails>();
}
