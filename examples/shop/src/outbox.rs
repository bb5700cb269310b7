//! Delivers what has happened, at least once, whatever happens to this process.
//!
//! A delivery is a row that is written in the transaction of its event and removed once the receiver has said that it has it.
//! Between the two it is claimed, tried, and tried again later. A process that dies while it delivers leaves a claim that runs
//! out: the delivery is made again, with the same key, by which the receiver knows it.

use std::future::ready;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use lifecycle_runtime::{BoxError, Dep, Stop, on_startup, service};
use sqlx::FromRow;

use crate::clock::clock;
use crate::events::news;
use crate::mail::{Mail, mailer};
use crate::settings::settings;
use crate::store::{db, migrations};

/// How many deliveries are made at the same time.
const AT_ONCE: usize = 8;

/// How often to look for what another process has left, if nothing is heard.
const LOOK: Duration = Duration::from_secs(1);

/// Waits between attempts: a second, two, four … five minutes.
const FIRST_WAIT: i64 = 1_000;
const LONGEST_WAIT: i64 = 5 * 60 * 1_000;

/// What calls receivers. One for all: it keeps their connections.
#[on_startup]
pub fn http_client() -> Result<reqwest::Client, reqwest::Error> {
    // The first one stays; another library may have been faster.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).user_agent("shop").build()
}

/// A delivery to make.
#[derive(Debug, Clone, FromRow)]
struct Delivery {
    seq: i64,
    target: String,
    attempts: i64,
    due_at: i64,
    key: String,
    kind: String,
    body: String,
    email: String,
}

/// What it takes to deliver.
struct Courier {
    db: Dep<db>,
    clock: Dep<clock>,
    http: Dep<http_client>,
    mailer: Dep<mailer>,
    settings: Dep<settings>,
}

/// Makes the deliveries that are due. Told to stop, it finishes those under way.
#[service(after = [migrations], stop_timeout = "10s")]
pub async fn outbox(
    db: Dep<db>,
    clock: Dep<clock>,
    http: Dep<http_client>,
    mailer: Dep<mailer>,
    settings: Dep<settings>,
    news: Dep<news>,
    stop: Stop,
) {
    let courier = Courier { db, clock, http, mailer, settings };
    let mut news = news.subscribe();
    while !stop.is_requested() {
        news.mark_unchanged();
        match courier.round(&stop).await {
            Ok(0) => {}
            Ok(_) => continue,
            // Orders can't be taken either, and `/readyz` says so; to give up would help nobody.
            Err(error) => tracing::warn!("the outbox can't be read: {error}"),
        }
        tokio::select! {
            () = stop.requested() => {}
            _ = news.changed() => {}
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

impl Courier {
    /// Makes some of the deliveries that are due, and says how many those were.
    async fn round(&self, stop: &Stop) -> sqlx::Result<usize> {
        let due: Vec<Delivery> = sqlx::query_as(
            "SELECT seq, target, attempts, due_at, key, kind, body, email \
             FROM deliveries JOIN events USING (seq) JOIN users ON users.id = events.user_id \
             WHERE due_at <= $1 AND (target <> 'webhook' OR $2 = 1) ORDER BY due_at, seq LIMIT 64",
        )
        .bind(self.clock.now().as_millisecond())
        .bind(i64::from(self.settings.webhook_url.is_some()))
        .fetch_all(&**self.db)
        .await?;
        let number = due.len();
        let begun = stream::iter(due).take_while(|_| ready(!stop.is_requested()));
        let ended: Vec<_> = begun.map(|delivery| self.carry(delivery)).buffer_unordered(AT_ONCE).collect().await;
        // Only now, as one that fails is no reason to drop the others half way.
        ended.into_iter().collect::<sqlx::Result<()>>()?;
        Ok(number)
    }

    /// Makes one delivery, unless another process does.
    async fn carry(&self, delivery: Delivery) -> sqlx::Result<()> {
        let delivery = &delivery;
        if !self.claim(delivery).await? {
            return Ok(());
        }
        let delivered = match &*delivery.target {
            "mail" => self.mail(delivery).await,
            _ => self.call(delivery).await,
        };
        match delivered {
            Ok(()) => self.finish(delivery).await,
            Err(error) => {
                let attempts = delivery.attempts + 1;
                tracing::warn!(seq = delivery.seq, target = delivery.target, attempts, "not delivered: {error}");
                self.put_off(delivery).await
            }
        }
    }

    /// Takes a delivery for as long as it may last, and counts the attempt. Whoever comes second finds it changed.
    async fn claim(&self, delivery: &Delivery) -> sqlx::Result<bool> {
        let timeout = i64::try_from(self.settings.webhook_timeout.as_millis()).unwrap_or(LONGEST_WAIT);
        let until = self.clock.now().as_millisecond() + 2 * timeout;
        let claimed = sqlx::query(
            "UPDATE deliveries SET due_at = $1, attempts = attempts + 1 \
             WHERE seq = $2 AND target = $3 AND due_at = $4 AND attempts = $5",
        )
        .bind(until)
        .bind(delivery.seq)
        .bind(&delivery.target)
        .bind(delivery.due_at)
        .bind(delivery.attempts)
        .execute(&**self.db)
        .await?;
        Ok(claimed.rows_affected() == 1)
    }

    async fn call(&self, delivery: &Delivery) -> Result<(), BoxError> {
        let url = self.settings.webhook_url.as_ref().ok_or("there is no webhook_url")?;
        let response = self
            .http
            .post(url)
            .timeout(self.settings.webhook_timeout.unsigned_abs())
            .header("content-type", "application/json")
            .header("idempotency-key", &delivery.key)
            .header("x-event", &delivery.kind)
            .header("x-event-id", delivery.seq)
            .body(delivery.body.clone())
            .send()
            .await?;
        match response.status() {
            status if status.is_success() => Ok(()),
            status => Err(format!("the receiver answers {status}").into()),
        }
    }

    async fn mail(&self, delivery: &Delivery) -> Result<(), BoxError> {
        let mail = Mail {
            id: delivery.key.clone(),
            to: delivery.email.clone(),
            subject: "Your order".to_owned(),
            text: format!("We have your order:\n\n{}\n", delivery.body),
        };
        tokio::time::timeout(self.settings.webhook_timeout.unsigned_abs(), self.mailer.send(mail)).await?
    }

    async fn finish(&self, delivery: &Delivery) -> sqlx::Result<()> {
        sqlx::query("DELETE FROM deliveries WHERE seq = $1 AND target = $2")
            .bind(delivery.seq)
            .bind(&delivery.target)
            .execute(&**self.db)
            .await
            .map(drop)
    }

    async fn put_off(&self, delivery: &Delivery) -> sqlx::Result<()> {
        sqlx::query("UPDATE deliveries SET due_at = $1 WHERE seq = $2 AND target = $3")
            .bind(self.clock.now().as_millisecond() + wait(delivery.attempts, fastrand::f64()))
            .bind(delivery.seq)
            .bind(&delivery.target)
            .execute(&**self.db)
            .await
            .map(drop)
    }
}

/// How long to wait after so many attempts before, in milliseconds: doubled each time, less up to half by chance.
fn wait(attempts: i64, chance: f64) -> i64 {
    let doubled = FIRST_WAIT << attempts.clamp(0, 20);
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "at most five minutes")]
    let shortened = (doubled.min(LONGEST_WAIT) as f64 * (1.0 - chance / 2.0)) as i64;
    shortened
}
