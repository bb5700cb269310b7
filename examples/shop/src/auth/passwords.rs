//! Passwords, which are kept as argon2id hashes. A hash takes time by design.

use std::cell::RefCell;
use std::sync::Arc;

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::password_hash::{self, CustomizedPasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Block, Params, RECOMMENDED_SALT_LEN, Version};
use lifecycle_runtime::{BoxError, on_startup};
use rayon::{ThreadPool, ThreadPoolBuilder};
use tokio::sync::{Semaphore, oneshot};

use crate::problem::Problem;

/// Number of hashes that are made at the same time: each takes 19 MiB and a processor.
const AT_ONCE: usize = 4;

/// Most requests for a hash that may wait for a thread.
const MOST_WAITING: usize = 64;

/// Password hasher, which makes hashes and compares passwords with them.
pub struct Passwords {
    /// Few threads, for hashes only: each keeps the memory that it makes hashes in. They end with
    /// this value.
    threads: ThreadPool,
    queue: Arc<Semaphore>,
    /// Hash of a password that nobody has. The password of an unknown user is compared with it, so
    /// that the answer takes as long as for a known one.
    nobody: String,
}

#[on_startup]
pub fn passwords() -> Result<Passwords, BoxError> {
    let mut random = [0; 32];
    getrandom::fill(&mut random)?;
    let threads = ThreadPoolBuilder::new()
        .num_threads(AT_ONCE)
        .thread_name(|number| format!("passwords-{number}"))
        // The caller of `in_turn` learns of a panic, as it gets no answer. By default a panic would
        // end the process.
        .panic_handler(drop)
        .build()?;
    let nobody = threads.install(|| hash(&random))?;
    Ok(Passwords { threads, queue: Arc::new(Semaphore::new(MOST_WAITING)), nobody })
}

thread_local! {
    /// Memory in which hashes are made. The allocator would take more: small allocations would land
    /// where a hash was made, and the next hash would need another place.
    static BLOCKS: RefCell<Vec<Block>> = const { RefCell::new(Vec::new()) };
}

/// Argon2id hasher that works in the memory of its thread.
struct InPlace;

impl CustomizedPasswordHasher<PasswordHash> for InPlace {
    type Params = Params;

    fn hash_password_customized(
        &self,
        password: &[u8],
        salt: &[u8],
        algorithm: Option<&str>,
        version: Option<u32>,
        params: Params,
    ) -> password_hash::Result<PasswordHash> {
        let algorithm = algorithm.map(Algorithm::try_from).transpose()?.unwrap_or_default();
        let version = version.map(Version::try_from).transpose()?.unwrap_or_default();
        let described = ParamsString::try_from(&params)?;
        let mut made = [0; Params::DEFAULT_OUTPUT_LEN];
        BLOCKS.with_borrow_mut(|blocks| {
            blocks.resize(params.block_count(), Block::default());
            Argon2::new(algorithm, version, params)
                .hash_password_into_with_memory(password, salt, &mut made, blocks)
        })?;
        Ok(PasswordHash {
            algorithm: algorithm.ident(),
            version: Some(version.into()),
            params: described,
            salt: Some(Salt::new(salt)?),
            hash: Some(Output::new(&made)?),
        })
    }
}

fn hash(password: &[u8]) -> Result<String, BoxError> {
    let mut salt = [0; RECOMMENDED_SALT_LEN];
    getrandom::fill(&mut salt)?;
    let hash = InPlace.hash_password_customized(password, &salt, None, None, Params::default());
    Ok(hash.map_err(|error| error.to_string())?.to_string())
}

fn matches(password: &[u8], hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| InPlace.verify_password(password, &hash).is_ok())
}

impl Passwords {
    /// Makes the hash of a new password.
    pub async fn hash(&self, password: String) -> Result<String, Problem> {
        let made = self.in_turn(move || hash(password.as_bytes())).await?;
        made.map_err(Problem::Internal)
    }

    /// Returns whether this is the password of a user with this hash. Without a user it returns
    /// `false`, after as long a time.
    pub async fn verify(&self, password: String, hash: Option<String>) -> Result<bool, Problem> {
        let is_somebody = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.nobody.clone());
        Ok(self.in_turn(move || matches(password.as_bytes(), &hash)).await? && is_somebody)
    }

    /// Does some work on one of the threads, or returns [`Problem::Busy`] if too many requests wait
    /// already. The work is skipped if its request is gone by then.
    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let place = Arc::clone(&self.queue).try_acquire_owned().map_err(|_| Problem::Busy)?;
        let (answer, asker) = oneshot::channel();
        self.threads.spawn(move || {
            drop(place);
            if !answer.is_closed() {
                let _ = answer.send(work());
            }
        });
        asker.await.map_err(|error| Problem::Internal(error.into()))
    }
}

#[cfg(test)]
mod tests;
