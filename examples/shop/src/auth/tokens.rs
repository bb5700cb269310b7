//! Access tokens: signed, short-lived, and checked without the database.

use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use lifecycle_runtime::{BoxError, on_startup};
use serde::{Deserialize, Serialize};

use crate::problem::Problem;

/// Issuer of the tokens. A token of another service with the same secret is refused.
const ISSUER: &str = "shop";

/// Shortest secret in bytes, as long as the output of SHA-256, as HMAC requires (RFC 7518, 3.2).
const SHORTEST_SECRET: usize = 32;

/// Keys that sign tokens and read them.
pub struct TokenKeys {
    signs: EncodingKey,
    reads: DecodingKey,
    rules: Validation,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    #[error(
        "JWT_SECRET is not set: nobody could sign in; set it to {SHORTEST_SECRET} random bytes \
         or more, like those of `openssl rand -hex 32`"
    )]
    Missing,
    #[error(
        "JWT_SECRET has {0} bytes, and could be guessed; set it to {SHORTEST_SECRET} random bytes \
         or more, like those of `openssl rand -hex 32`"
    )]
    Short(usize),
    #[error(
        "JWT_SECRET repeats itself, and could be guessed; set it to random bytes, \
         like those of `openssl rand -hex 32`"
    )]
    Plain,
}

/// Reads the secret, from the environment only. A start without a sufficient secret fails.
#[on_startup]
pub fn token_keys() -> Result<TokenKeys, SecretError> {
    TokenKeys::new(&std::env::var("JWT_SECRET").map_err(|_| SecretError::Missing)?)
}

/// Contents of a token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Claims {
    sub: String,
    scope: String,
    iss: String,
    iat: i64,
    exp: i64,
}

impl TokenKeys {
    pub fn new(secret: &str) -> Result<Self, SecretError> {
        if secret.len() < SHORTEST_SECRET {
            return Err(SecretError::Short(secret.len()));
        }
        let mut bytes = secret.as_bytes().to_vec();
        bytes.sort_unstable();
        bytes.dedup();
        if bytes.len() < 8 {
            return Err(SecretError::Plain);
        }
        // The token does not choose the algorithm: `none` and other kinds of keys are refused.
        let mut rules = Validation::new(Algorithm::HS256);
        rules.set_issuer(&[ISSUER]);
        rules.set_required_spec_claims(&["exp", "iss", "sub"]);
        // The time comes from `clock`, so `read` compares it.
        rules.validate_exp = false;
        Ok(Self {
            signs: EncodingKey::from_secret(secret.as_bytes()),
            reads: DecodingKey::from_secret(secret.as_bytes()),
            rules,
        })
    }

    /// Makes a token for this user.
    pub fn sign(
        &self,
        user: i64,
        scope: &str,
        now: Timestamp,
        lifetime: SignedDuration,
    ) -> Result<String, BoxError> {
        let (iat, exp) = (now.as_second(), now.as_second() + lifetime.as_secs());
        let claims = Claims {
            sub: user.to_string(),
            scope: scope.to_owned(),
            iss: ISSUER.to_owned(),
            iat,
            exp,
        };
        Ok(jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.signs)?)
    }

    /// Reads a token, if it is one of this service and still good.
    pub fn read(&self, token: &str, now: Timestamp) -> Result<Claims, Problem> {
        // The reason would only help an attacker.
        let read = jsonwebtoken::decode::<Claims>(token, &self.reads, &self.rules);
        let claims = read.map_err(|_| Problem::Unauthorized("the token is not valid"))?.claims;
        if claims.exp > now.as_second() {
            Ok(claims)
        } else {
            Err(Problem::Unauthorized("the token has expired"))
        }
    }
}

impl Claims {
    pub fn allows(&self, permission: &str) -> bool {
        self.scope.split(' ').any(|name| name == permission)
    }

    /// Returns the time at which the token expires.
    pub fn until(&self) -> Timestamp {
        Timestamp::from_second(self.exp).unwrap_or(Timestamp::MAX)
    }

    pub fn user(&self) -> Result<i64, Problem> {
        self.sub.parse().map_err(|_| Problem::Unauthorized("the token is not valid"))
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub const SECRET: &str = "a secret of a test, which is long enough";

    fn now() -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap()
    }

    #[test]
    fn a_token_says_what_was_signed_until_it_expires() {
        let keys = TokenKeys::new(SECRET).unwrap();
        let token = keys.sign(7, "orders:read", now(), SignedDuration::from_secs(60)).unwrap();
        let claims = keys.read(&token, now() + SignedDuration::from_secs(59)).unwrap();
        assert_eq!(claims.user().unwrap(), 7);
        assert!(claims.allows("orders:read"));
        assert!(!claims.allows("orders") && !claims.allows("admin") && !claims.allows(""));
        let expired = keys.read(&token, now() + SignedDuration::from_secs(60)).unwrap_err();
        assert_eq!(expired.to_string(), "the token has expired");
    }

    #[test]
    fn a_secret_that_is_none_is_refused() {
        let refused = |secret: &str| TokenKeys::new(secret).err();
        assert_eq!(refused("short"), Some(SecretError::Short(5)));
        assert_eq!(refused(&"x".repeat(31)), Some(SecretError::Short(31)));
        assert_eq!(refused(&"x".repeat(64)), Some(SecretError::Plain));
        assert_eq!(refused(SECRET), None);
    }
}
