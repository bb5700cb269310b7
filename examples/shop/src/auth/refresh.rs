//! Refresh tokens: each is good for one use, which gives the next one.
//!
//! A token that is used twice has been copied, and nobody knows which of the two users is the
//! thief. So all tokens of that sign-in are revoked.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use lifecycle_runtime::{BoxError, Dep, Stop, service};
use sha2::{Digest, Sha256};
use sqlx::any::AnyExecutor;
use sqlx::{AnyConnection, FromRow};
use uuid::Uuid;

use crate::clock::clock;
use crate::problem::Problem;
use crate::store::{Store, db, migrations};

/// The user, the sign-in and the scopes that a token stands for.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Holder {
    pub family: String,
    pub user_id: i64,
    pub scopes: String,
}

impl Holder {
    /// Returns the holder of a new sign-in.
    pub fn new(user_id: i64, scopes: String) -> Self {
        Self { family: Uuid::new_v4().to_string(), user_id, scopes }
    }
}

/// Issues a new token. The database stores only its hash.
pub async fn issue(
    database: impl AnyExecutor<'_>,
    holder: &Holder,
    now: Timestamp,
    lifetime: SignedDuration,
) -> Result<String, Problem> {
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(|error| Problem::Internal(BoxError::from(error)))?;
    let token = URL_SAFE_NO_PAD.encode(random);
    sqlx::query(
        "INSERT INTO refresh_tokens (hash, family, user_id, scopes, expires_at) \
         VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(hash(&token))
    .bind(&holder.family)
    .bind(holder.user_id)
    .bind(&holder.scopes)
    .bind((now + lifetime).as_millisecond())
    .execute(database)
    .await?;
    Ok(token)
}

/// Exchanges a token, which is then used up, for a new one; `None` if it is not good any more.
///
/// This is one transaction: a client that is cut off before its end still has its token.
pub async fn redeem(
    store: &Store,
    token: &str,
    now: Timestamp,
    lifetime: SignedDuration,
) -> Result<Option<(Holder, String)>, Problem> {
    let hash = hash(token);
    let mut transaction = store.write().await?;
    // Changes nothing, but locks the user's row until the end. So requests with one user's tokens
    // run one after the other, even in PostgreSQL, and a request that revokes a family misses no
    // token that another is adding to it.
    let may_have: Option<String> = sqlx::query_scalar(
        "UPDATE users SET scopes = scopes \
         WHERE id = (SELECT user_id FROM refresh_tokens WHERE hash = $1) \
         RETURNING scopes",
    )
    .bind(&hash)
    .fetch_optional(&mut *transaction)
    .await?;
    let Some(may_have) = may_have else { return Ok(None) };
    let holder: Option<Holder> = sqlx::query_as(
        "UPDATE refresh_tokens SET used_at = $1 \
         WHERE hash = $2 AND used_at IS NULL AND expires_at > $1 \
         RETURNING family, user_id, scopes",
    )
    .bind(now.as_millisecond())
    .bind(&hash)
    .fetch_optional(&mut *transaction)
    .await?;
    let redeemed = match holder {
        Some(mut holder) => {
            holder.scopes = both(&holder.scopes, &may_have);
            let token = issue(&mut *transaction, &holder, now, lifetime).await?;
            Some((holder, token))
        }
        None => {
            revoke(&mut transaction, &hash).await?;
            None
        }
    };
    transaction.commit().await?;
    Ok(redeemed)
}

/// Deletes the family of a token that was used before.
async fn revoke(connection: &mut AnyConnection, hash: &str) -> sqlx::Result<()> {
    let revoked = sqlx::query(
        "DELETE FROM refresh_tokens \
         WHERE family = (SELECT family FROM refresh_tokens \
         WHERE hash = $1 AND used_at IS NOT NULL)",
    )
    .bind(hash)
    .execute(connection)
    .await?
    .rows_affected();
    if revoked > 0 {
        tracing::warn!("a refresh token was used twice; {revoked} of its family are revoked");
    }
    Ok(())
}

/// Returns the scopes of a token that the user still has.
fn both(scopes: &str, may_have: &str) -> String {
    let has = |scope: &&str| may_have.split(' ').any(|may| may == *scope);
    scopes.split(' ').filter(has).collect::<Vec<_>>().join(" ")
}

/// Deletes expired tokens, which would take more and more space.
#[service(after = [migrations])]
pub async fn forget_tokens(db: Dep<db>, clock: Dep<clock>, stop: Stop) {
    loop {
        let forgotten = sqlx::query("DELETE FROM refresh_tokens WHERE expires_at <= $1")
            .bind(clock.now().as_millisecond())
            .execute(&**db)
            .await;
        // Expired tokens are refused even if they are still there.
        if let Err(error) = forgotten {
            tracing::warn!("expired refresh tokens can't be deleted: {error}");
        }
        if tokio::time::timeout(Duration::from_secs(60 * 60), stop.requested()).await.is_ok() {
            return;
        }
    }
}

fn hash(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(token))
}
