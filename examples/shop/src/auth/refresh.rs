//! Refresh tokens: each is good for one use, which gives the next one.
//!
//! A token that comes a second time has been copied, and nobody knows which of the two is the thief: all that came of this
//! sign-in is revoked.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use lifecycle_runtime::BoxError;
use sha2::{Digest, Sha256};
use sqlx::FromRow;
use uuid::Uuid;

use crate::problem::Problem;
use crate::store::Store;

/// Whom a token is for.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Holder {
    pub family: String,
    pub user_id: i64,
    pub scopes: String,
}

impl Holder {
    /// Somebody who has just signed in.
    pub fn new(user_id: i64, scopes: String) -> Self {
        Self { family: Uuid::new_v4().to_string(), user_id, scopes }
    }
}

/// A new token. The database gets its hash only.
pub async fn issue(
    store: &Store,
    holder: &Holder,
    now: Timestamp,
    lifetime: SignedDuration,
) -> Result<String, Problem> {
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(|error| Problem::Internal(BoxError::from(error)))?;
    let token = URL_SAFE_NO_PAD.encode(random);
    sqlx::query("INSERT INTO refresh_tokens (hash, family, user_id, scopes, expires_at) VALUES ($1, $2, $3, $4, $5)")
        .bind(hash(&token))
        .bind(&holder.family)
        .bind(holder.user_id)
        .bind(&holder.scopes)
        .bind((now + lifetime).as_millisecond())
        .execute(&**store)
        .await?;
    Ok(token)
}

/// Takes a token, which is then used up; nothing if it is not good any more.
pub async fn redeem(store: &Store, token: &str, now: Timestamp) -> sqlx::Result<Option<Holder>> {
    let (hash, now) = (hash(token), now.as_millisecond());
    let holder = sqlx::query_as(
        "UPDATE refresh_tokens SET used_at = $1 WHERE hash = $2 AND used_at IS NULL AND expires_at > $1 \
         RETURNING family, user_id, scopes",
    )
    .bind(now)
    .bind(&hash)
    .fetch_optional(&**store)
    .await?;
    if holder.is_none() {
        let revoked = sqlx::query(
            "DELETE FROM refresh_tokens \
             WHERE family = (SELECT family FROM refresh_tokens WHERE hash = $1 AND used_at IS NOT NULL)",
        )
        .bind(&hash)
        .execute(&**store)
        .await?
        .rows_affected();
        if revoked > 0 {
            tracing::warn!("a refresh token was used twice; {revoked} of its family are revoked");
        }
    }
    Ok(holder)
}

fn hash(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(token))
}
