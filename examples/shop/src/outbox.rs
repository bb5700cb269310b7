//! Outbox of events, which delivers each at least once, even if this process dies.
//!
//! A delivery is a row. It is written in the transaction of its event, and removed once the
//! receiver has acknowledged it. In between the delivery is claimed, tried, and tried again later.
//! The claim of a process that dies during a delivery runs out. Then the delivery is made again,
//! with the same key, by which the receiver recognises it.

use std::future::ready;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use lifecycle_runtime::{BoxError, Dep, Stop, on_startup, service};
use sqlx::FromRow;
use tokio::sync::watch;

use crate::clock::clock;
use crate::events::{changed, latest_event};
use crate::logs::with_causes;
use crate::mail::{Mail, mailer};
use crate::settings::settings;
use crate::store::{db, migrations};

/// Number of deliveries that are made to one target at the same time.
const AT_ONCE: usize = 8;

/// Longest time that a mail server may take.
const MAIL_TIMEOUT: Duration = Duration::from_secs(5);

/// Waits between attempts in milliseconds: a second, two, four … five minutes.
const FIRST_WAIT: i64 = 1_000;
const LONGEST_WAIT: i64 = 5 * 60 * 1_000;

/// Makes the client that calls receivers. There is one for all, as it keeps their connections.
#[on_startup]
pub fn http_client() -> Result<reqwest::Client, reqwest::Error> {
    // The first provider stays; another library may have been faster.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .user_agent("shop")
        .build()
}

/// A delivery to make.
#[derive(Debug, Clone, FromRow)]
struct Delivery {
    seq: i64,
    attempts: i64,
    due_at: i64,
    key: String,
    kind: String,
    body: String,
    email: String,
}

/// Destination of deliveries.
trait Target: Sync {
    /// Name of the target in the table.
    const NAME: &'static str;

    /// Hands a delivery over, and returns once the target has accepted it.
    fn give(&self, delivery: &Delivery) -> impl Future<Output = Result<(), BoxError>> + Send;
}

/// Delivers to the webhook, if there is one. At the stop it finishes the deliveries that have
/// begun.
#[service(after = [migrations], stop_timeout = "6s")]
pub async fn webhook(
    db: Dep<db>,
    clock: Dep<clock>,
    http: Dep<http_client>,
    settings: Dep<settings>,
    latest_event: Dep<latest_event>,
    stop: Stop,
) {
    let Some(url) = settings.webhook_url.clone() else { return };
    let timeout = settings.webhook_timeout.unsigned_abs();
    let target = Webhook { http, url, timeout };
    Courier { target, patience: timeout, db, clock }.run(latest_event.subscribe(), &stop).await;
}

/// Sends mails. At the stop it finishes those that have begun.
///
/// This is a service of its own, so that neither a mail server nor a receiver that hangs holds up
/// the other's deliveries.
#[service(after = [migrations], stop_timeout = "6s")]
pub async fn mails(
    db: Dep<db>,
    clock: Dep<clock>,
    mailer: Dep<mailer>,
    latest_event: Dep<latest_event>,
    stop: Stop,
) {
    let target = Mails { mailer };
    Courier { target, patience: MAIL_TIMEOUT, db, clock }
        .run(latest_event.subscribe(), &stop)
        .await;
}

struct Webhook {
    http: Dep<http_client>,
    url: String,
    timeout: Duration,
}

impl Target for Webhook {
    const NAME: &'static str = "webhook";

    async fn give(&self, delivery: &Delivery) -> Result<(), BoxError> {
        let request = self
            .http
            .post(&self.url)
            .timeout(self.timeout)
            .header("content-type", "application/json")
            .header("idempotency-key", &delivery.key)
            .header("x-event", &delivery.kind)
            .header("x-event-id", delivery.seq)
            .body(delivery.body.clone());
        // Somebody who knows the URL of a webhook may be able to use it, so the log does not
        // contain it.
        let response = request.send().await.map_err(reqwest::Error::without_url)?;
        match response.status() {
            status if status.is_success() => Ok(()),
            status => Err(format!("the receiver answers {status}").into()),
        }
    }
}

struct Mails {
    mailer: Dep<mailer>,
}

impl Target for Mails {
    const NAME: &'static str = "mail";

    async fn give(&self, delivery: &Delivery) -> Result<(), BoxError> {
        let mail = Mail {
            id: delivery.key.clone(),
            to: delivery.email.clone(),
            subject: "Your order".to_owned(),
            text: format!("We have your order:\n\n{}\n", delivery.body),
        };
        tokio::time::timeout(MAIL_TIMEOUT, self.mailer.send(mail)).await?
    }
}

/// Service loop that makes the deliveries to one target.
struct Courier<T> {
    target: T,
    /// Longest time that a delivery may take.
    patience: Duration,
    db: Dep<db>,
    clock: Dep<clock>,
}

impl<T: Target> Courier<T> {
    async fn run(&self, mut latest_event: watch::Receiver<i64>, stop: &Stop) {
        while !stop.is_requested() {
            latest_event.mark_unchanged();
            match self.round(stop).await {
                Ok(0) => {}
                Ok(_) => continue,
                // Orders can't be taken either, and `/readyz` reports it; to give up would help
                // nobody.
                Err(error) => tracing::warn!(target = T::NAME, "the outbox can't be read: {error}"),
            }
            changed(&mut latest_event, stop).await;
        }
    }

    /// Makes some of the deliveries that are due, and returns their number.
    async fn round(&self, stop: &Stop) -> sqlx::Result<usize> {
        let due: Vec<Delivery> = sqlx::query_as(
            "SELECT seq, attempts, due_at, key, kind, body, email \
             FROM deliveries JOIN events USING (seq) JOIN users ON users.id = events.user_id \
             WHERE target = $1 AND due_at <= $2 ORDER BY due_at, seq LIMIT 64",
        )
        .bind(T::NAME)
        .bind(self.clock.now().as_millisecond())
        .fetch_all(&**self.db)
        .await?;
        let number = due.len();
        let begun = stream::iter(due).take_while(|_| ready(!stop.is_requested()));
        let ended: Vec<_> =
            begun.map(|delivery| self.carry(delivery)).buffer_unordered(AT_ONCE).collect().await;
        // An error is returned only now, as one failure is no reason to drop the other deliveries
        // half way.
        ended.into_iter().collect::<sqlx::Result<()>>()?;
        Ok(number)
    }

    /// Makes one delivery, unless another process does.
    async fn carry(&self, delivery: Delivery) -> sqlx::Result<()> {
        let delivery = &delivery;
        if !self.claim(delivery).await? {
            return Ok(());
        }
        match self.target.give(delivery).await {
            Ok(()) => self.finish(delivery).await,
            Err(error) => {
                let attempts = delivery.attempts + 1;
                let error = with_causes(&*error);
                tracing::warn!(
                    seq = delivery.seq,
                    target = T::NAME,
                    attempts,
                    "not delivered: {error}"
                );
                self.put_off(delivery).await
            }
        }
    }

    /// Claims a delivery for as long as it may take, and counts the attempt. A second process finds
    /// the row changed, and gets `false`.
    async fn claim(&self, delivery: &Delivery) -> sqlx::Result<bool> {
        let patience = i64::try_from(self.patience.as_millis()).unwrap_or(LONGEST_WAIT);
        let until = self.clock.now().as_millisecond() + 2 * patience;
        let claimed = sqlx::query(
            "UPDATE deliveries SET due_at = $1, attempts = attempts + 1 \
             WHERE seq = $2 AND target = $3 AND due_at = $4 AND attempts = $5",
        )
        .bind(until)
        .bind(delivery.seq)
        .bind(T::NAME)
        .bind(delivery.due_at)
        .bind(delivery.attempts)
        .execute(&**self.db)
        .await?;
        Ok(claimed.rows_affected() == 1)
    }

    async fn finish(&self, delivery: &Delivery) -> sqlx::Result<()> {
        sqlx::query("DELETE FROM deliveries WHERE seq = $1 AND target = $2")
            .bind(delivery.seq)
            .bind(T::NAME)
            .execute(&**self.db)
            .await
            .map(drop)
    }

    async fn put_off(&self, delivery: &Delivery) -> sqlx::Result<()> {
        sqlx::query("UPDATE deliveries SET due_at = $1 WHERE seq = $2 AND target = $3")
            .bind(self.clock.now().as_millisecond() + wait(delivery.attempts, fastrand::f64()))
            .bind(delivery.seq)
            .bind(T::NAME)
            .execute(&**self.db)
            .await
            .map(drop)
    }
}

/// Returns the wait after this many earlier attempts, in milliseconds. It doubles each time, and
/// chance takes up to half of it away.
fn wait(attempts: i64, chance: f64) -> i64 {
    let doubled = FIRST_WAIT << attempts.clamp(0, 20);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "at most five minutes"
    )]
    let shortened = (doubled.min(LONGEST_WAIT) as f64 * (1.0 - chance / 2.0)) as i64;
    shortened
}
