//! Hashing and checking passwords, a few at a time. Knows no users.
//!
//! Each check takes 19 MiB and tens of milliseconds on purpose, so a flood of log-ins must neither fill the memory nor
//! take all processors: a fixed number run, a bounded number wait, the rest are told to come back.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use argon2::{
    Algorithm, Argon2, Block, Params, Version,
    password_hash::{
        CustomizedPasswordHasher as _,
        phc::{Output, PasswordHash},
    },
};
use kernel::{Ambient, ExposeSecret, SecretString};
use tokio::sync::Semaphore;

use crate::{AccountsError, fields::PASSWORD_MOST};

/// How many may wait for each that runs.
const WAITING_PER_RUNNING: usize = 16;
/// How many more may wait who are recognised.
const RECOGNISED: usize = 16;

/// A hash of no known password with the cost of all others: what a guess for an unknown user is compared to.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$c291bmRwb3N0bm9ib2R5$kq7Zs0cWn3rHk1uXw9m2yB5vTt8fJd4aLg6oPe0iRzQ";

/// Hashes and checks passwords with argon2id (19 MiB, two passes, one lane), off the async threads.
#[derive(Debug, Clone)]
pub struct PasswordHasher {
    admitted: Arc<Semaphore>,
    recognised: Arc<Semaphore>,
    /// Strangers come to the head of the queue for `running` as many at a time as may run: whoever is recognised waits behind
    /// no more of them.
    ahead: Arc<Semaphore>,
    running: Arc<Semaphore>,
    desks: Arc<Desks>,
}

/// The memory of checks, kept from one to the next: allocated anew by whichever thread comes, it would stay with the
/// allocator once for each thread, and a flood would hold hundreds of megabytes. No more of them than checks run at once.
#[derive(Default)]
struct Desks(Mutex<Vec<Vec<Block>>>);

impl fmt::Debug for Desks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Desks")
    }
}

impl Desks {
    /// Whether the password belongs to a hash; no to one that cannot be read.
    fn check(&self, password: &[u8], hash: &PasswordHash) -> bool {
        let mut blocks = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        let right = matches(password, hash, &mut blocks).unwrap_or(false);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(blocks);
        right
    }
}

fn matches(password: &[u8], hash: &PasswordHash, blocks: &mut Vec<Block>) -> Option<bool> {
    let (salt, expected) = (hash.salt.as_ref()?, hash.hash.as_ref()?);
    let params = Params::try_from(hash).ok()?;
    let algorithm = Algorithm::try_from(hash.algorithm.as_str()).ok()?;
    let version = hash.version.map_or(Some(Version::default()), |version| Version::try_from(version).ok())?;
    blocks.resize(usize::try_from(params.m_cost()).ok()?, Block::default());
    let mut computed = vec![0; expected.as_bytes().len()];
    let argon2 = Argon2::new(algorithm, version, params);
    argon2.hash_password_into_with_memory(password, salt.as_ref(), &mut computed, blocks).ok()?;
    // Compared in constant time.
    Some(Output::new(&computed).ok()? == *expected)
}

impl Default for PasswordHasher {
    fn default() -> Self {
        Self::new(2)
    }
}

impl PasswordHasher {
    /// Lets `concurrency` hashes run at once and sixteen times as many wait.
    pub fn new(concurrency: usize) -> Self {
        let concurrency = concurrency.clamp(1, 64);
        Self::with_queue(concurrency, concurrency * WAITING_PER_RUNNING)
    }

    /// Lets `concurrency` hashes run at once and `waiting` wait.
    pub fn with_queue(concurrency: usize, waiting: usize) -> Self {
        Self {
            admitted: Arc::new(Semaphore::new(concurrency + waiting)),
            recognised: Arc::new(Semaphore::new(RECOGNISED)),
            ahead: Arc::new(Semaphore::new(concurrency)),
            running: Arc::new(Semaphore::new(concurrency)),
            desks: Arc::default(),
        }
    }

    /// Hashes a password under a fresh salt; the text holds the salt and the cost.
    ///
    /// # Errors
    /// [`AccountsError::Busy`] when too many wait already.
    pub async fn hash(
        &self,
        password: &SecretString,
        ambient: &dyn Ambient,
    ) -> Result<String, AccountsError> {
        let password = password.clone();
        let salt: [u8; 16] = ambient.random();
        self.in_turn(true, move || {
            let bytes = password.expose_secret().as_bytes();
            let params = Params::new(19_456, 2, 1, None).map_err(|e| AccountsError::Hash(e.into()))?;
            Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone())
                .hash_password_with_params(bytes, &salt, params)
                .map(|hash| hash.to_string())
                .map_err(AccountsError::Hash)
        })
        .await
    }

    /// Whether a password belongs to a stored hash. Without a hash (no such user) the answer is no, after as long a time.
    ///
    /// # Errors
    /// [`AccountsError::Busy`] when too many wait already; [`AccountsError::Corrupt`] when the hash cannot be read.
    pub async fn verify(
        &self,
        password: &SecretString,
        stored: Option<String>,
    ) -> Result<bool, AccountsError> {
        self.verify_of(false, password, stored).await
    }

    /// As [`PasswordHasher::verify`]; whoever is `recognised` by a browser that logged in before has places of their own, which
    /// no flood of strangers can take.
    ///
    /// # Errors
    /// As there.
    pub async fn verify_of(
        &self,
        recognised: bool,
        password: &SecretString,
        stored: Option<String>,
    ) -> Result<bool, AccountsError> {
        let (password, desks) = (password.clone(), Arc::clone(&self.desks));
        self.in_turn(recognised, move || {
            let acceptable = password.expose_secret().chars().nth(PASSWORD_MOST).is_none();
            let bytes = if acceptable { password.expose_secret().as_bytes() } else { b"too long".as_slice() };
            let hash = PasswordHash::new(stored.as_deref().unwrap_or(NOBODY))
                .map_err(|_| AccountsError::Corrupt { what: "password hash" })?;
            let right = desks.check(bytes, &hash);
            Ok(right && acceptable && stored.is_some())
        })
        .await
    }

    async fn in_turn<T: Send + 'static>(
        &self,
        recognised: bool,
        work: impl FnOnce() -> Result<T, AccountsError> + Send + 'static,
    ) -> Result<T, AccountsError> {
        let places = if recognised { &self.recognised } else { &self.admitted };
        let place = Arc::clone(places).try_acquire_owned().map_err(|_| AccountsError::Busy)?;
        let ahead = if recognised {
            None
        } else {
            Some(Arc::clone(&self.ahead).acquire_owned().await.map_err(|_| AccountsError::Busy)?)
        };
        let turn = Arc::clone(&self.running).acquire_owned().await.map_err(|_| AccountsError::Busy)?;
        tokio::task::spawn_blocking(move || {
            // Given back by the thread, not by the caller: a caller that goes away must not let another hash start.
            let _held = (place, ahead, turn);
            work()
        })
        .await
        .map_err(AccountsError::Interrupted)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::SystemAmbient;

    #[tokio::test]
    async fn a_password_opens_its_own_hash_only() {
        let hasher = PasswordHasher::default();
        let password = SecretString::from("a horse, a boat");
        let one = hasher.hash(&password, &SystemAmbient).await.unwrap();
        let two = hasher.hash(&password, &SystemAmbient).await.unwrap();
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{one}");
        assert_ne!(one, two, "each hash has its own salt");
        assert!(hasher.verify(&password, Some(one.clone())).await.unwrap());
        assert!(!hasher.verify(&"a horse, a boar".into(), Some(one)).await.unwrap());
    }

    #[tokio::test]
    async fn lod_07_checks_share_the_memory_of_those_that_may_run_at_once() {
        let hasher = PasswordHasher::new(2);
        let checks: Vec<_> = (0..12)
            .map(|_| {
                let hasher = hasher.clone();
                tokio::spawn(async move { hasher.verify(&"a guess of somebody".into(), None).await })
            })
            .collect();
        for check in checks {
            assert!(!check.await.unwrap().unwrap());
        }
        let desks = hasher.desks.0.lock().unwrap();
        assert!((1..=2).contains(&desks.len()), "{}", desks.len());
        assert!(desks.iter().all(|desk| desk.len() == 19_456), "19 MiB each");
    }

    #[tokio::test]
    async fn lod_07_who_is_recognised_gets_a_turn_beside_a_flood_of_strangers() {
        let hasher = PasswordHasher::with_queue(1, 3);
        let held = Arc::clone(&hasher.running).acquire_owned().await.unwrap();
        let order = Arc::new(Mutex::new(Vec::new()));
        let check = |recognised: bool| {
            let (hasher, order) = (hasher.clone(), order.clone());
            tokio::spawn(async move {
                hasher.verify_of(recognised, &"x".into(), None).await.unwrap();
                order.lock().unwrap().push(recognised);
            })
        };
        let strangers: Vec<_> = (0..4).map(|_| check(false)).collect();
        while hasher.admitted.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert!(matches!(hasher.verify(&"x".into(), None).await, Err(AccountsError::Busy)));
        let known = check(true);
        while hasher.recognised.available_permits() == RECOGNISED {
            tokio::task::yield_now().await;
        }
        drop(held);
        known.await.unwrap();
        for stranger in strangers {
            stranger.await.unwrap();
        }
        let order = order.lock().unwrap().clone();
        assert!(
            order.iter().position(|known| *known).unwrap() <= 1,
            "one stranger is ahead at most: {order:?}"
        );
    }

    #[tokio::test]
    async fn nobody_has_no_password_and_costs_the_same() {
        let hash = PasswordHash::new(NOBODY).unwrap();
        assert_eq!(hash.params.to_string(), "m=19456,t=2,p=1");
        let hasher = PasswordHasher::default();
        assert!(!hasher.verify(&"whatever it is".into(), None).await.unwrap());
        let broken = hasher.verify(&"whatever it is".into(), Some("plain".to_owned())).await;
        assert_eq!(broken.unwrap_err().code(), "stored_value_unreadable");
    }

    #[tokio::test]
    async fn an_overlong_password_is_wrong_and_not_hashed_whole() {
        let hasher = PasswordHasher::default();
        let stored = hasher.hash(&"too long".into(), &SystemAmbient).await.unwrap();
        assert!(!hasher.verify(&"x".repeat(201).into(), Some(stored)).await.unwrap());
    }

    #[tokio::test]
    async fn more_than_the_queue_holds_are_told_to_come_back() {
        let hasher = PasswordHasher::with_queue(1, 1);
        let held = Arc::clone(&hasher.running).acquire_owned().await.unwrap();
        let waiting: Vec<_> = (0..2)
            .map(|_| {
                let hasher = hasher.clone();
                tokio::spawn(async move { hasher.verify(&"x".into(), None).await })
            })
            .collect();
        while hasher.admitted.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert!(matches!(hasher.verify(&"x".into(), None).await, Err(AccountsError::Busy)));
        drop(held);
        for one in waiting {
            assert!(!one.await.unwrap().unwrap());
        }
        assert!(hasher.verify(&"x".into(), None).await.is_ok(), "places are given back");
    }
}
