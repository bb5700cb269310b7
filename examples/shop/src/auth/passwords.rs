//! Passwords: kept as argon2id hashes, which take their time.

use actix_web::web;
use argon2::Argon2;
use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash};
use lifecycle_runtime::{BoxError, on_startup};
use tokio::sync::Semaphore;

use crate::problem::Problem;

/// How many hashes are made at the same time: each takes 19 MiB and a processor.
const AT_ONCE: usize = 4;

/// Makes hashes, and compares with them.
pub struct Passwords {
    turns: Semaphore,
    /// Of a password that nobody has: compared with where there is no user, so that it takes as long as if there were one.
    nobody: String,
}

#[on_startup]
pub fn passwords() -> Result<Passwords, BoxError> {
    let mut random = [0; 32];
    getrandom::fill(&mut random)?;
    Ok(Passwords { turns: Semaphore::new(AT_ONCE), nobody: hash(&random)? })
}

fn hash(password: &[u8]) -> Result<String, BoxError> {
    Ok(Argon2::default().hash_password(password).map_err(|error| error.to_string())?.to_string())
}

fn matches(password: &[u8], hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| Argon2::default().verify_password(password, &hash).is_ok())
}

impl Passwords {
    /// The hash to keep.
    pub async fn hash(&self, password: String) -> Result<String, Problem> {
        let made = self.in_turn(move || hash(password.as_bytes())).await?;
        made.map_err(Problem::Internal)
    }

    /// Whether this is the password of a user with this hash; without a user, after as long a time, that it is not.
    pub async fn verify(&self, password: String, hash: Option<String>) -> Result<bool, Problem> {
        let is_somebody = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.nobody.clone());
        Ok(self.in_turn(move || matches(password.as_bytes(), &hash)).await? && is_somebody)
    }

    /// On a thread that may be blocked; there are only so many at a time.
    async fn in_turn<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
        let _turn = self.turns.acquire().await.map_err(|_| Problem::Busy)?;
        web::block(work).await.map_err(|_| Problem::Busy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix_web::test]
    async fn only_the_right_password_of_somebody_matches() {
        let passwords = passwords().unwrap();
        let kept = passwords.hash("correct horse".to_owned()).await.unwrap();
        assert!(kept.starts_with("$argon2id$"), "{kept}");
        assert!(passwords.verify("correct horse".to_owned(), Some(kept.clone())).await.unwrap());
        assert!(!passwords.verify("correct horsf".to_owned(), Some(kept)).await.unwrap());
        assert!(!passwords.verify("correct horse".to_owned(), None).await.unwrap());
        assert!(!passwords.verify("correct horse".to_owned(), Some("no hash".to_owned())).await.unwrap());
    }
}
