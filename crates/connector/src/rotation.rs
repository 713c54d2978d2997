//! The order of steps in which a token is replaced; the order is the point.
//!
//! Knows no database, no file and no network: hands do what is decided here. The product has real hands, and a model world
//! has hands that can be cut off between any two steps.

use std::future::Future;

use time::OffsetDateTime;

use crate::refresh::Outcome;

/// What came of the one request.
#[derive(Debug)]
pub(crate) enum Answer<G, E> {
    /// New tokens.
    Granted(G),
    /// Gong says clearly that the token is no longer good.
    Spent,
    /// Nothing was said about the token.
    Failed(E),
}

/// What the holder of the lease can do for one generation of one connection.
pub(crate) trait Hands {
    type Token: Send + Sync;
    type Grant: Send + Sync;
    type Failure: Send + Sync;
    type Error: Send;

    /// Stores an answer for this generation that waits in escrow; whether there was one.
    fn replay(&self) -> impl Future<Output = Result<bool, Self::Error>> + Send;
    /// Opens the refresh token, or says how it ends without.
    fn open(&self) -> impl Future<Output = Result<Result<Self::Token, Outcome>, Self::Error>> + Send;
    /// Waits for a turn among the company's requests; not for long.
    fn wait_for_turn(&self) -> impl Future<Output = ()> + Send;
    /// Whether this generation is still the stored one and may be asked for; else how it ends.
    fn stands(&self) -> impl Future<Output = Result<Result<(), Outcome>, Self::Error>> + Send;
    /// Whether the lease lasts for a whole request.
    fn in_time(&self) -> bool;
    /// Asks Gong, once.
    fn ask(&self, token: &Self::Token) -> impl Future<Output = Answer<Self::Grant, Self::Failure>> + Send;
    /// Writes the answer where it survives a crash.
    fn deposit(&self, grant: &Self::Grant) -> impl Future<Output = ()> + Send;
    /// Stores the answer where the generation is still the one that was replaced.
    fn store(
        &self,
        grant: &Self::Grant,
        token: &Self::Token,
    ) -> impl Future<Output = Result<bool, Self::Error>> + Send;
    /// Waits before another try to store.
    fn pause(&self, millis: u64) -> impl Future<Output = ()> + Send;
    /// Removes the answer from where it was deposited.
    fn forget(&self) -> impl Future<Output = ()> + Send;
    /// Marks this generation as refused, where it is still the stored one.
    fn bury(&self) -> impl Future<Output = Result<Outcome, Self::Error>> + Send;
    /// Gives the lease back until a later moment.
    fn postpone(&self, why: &Self::Failure) -> impl Future<Output = Result<Outcome, Self::Error>> + Send;
}

/// The holder's part, from the lease to its end.
pub(crate) async fn hold<H: Hands + Sync>(hands: &H) -> Result<Outcome, H::Error> {
    if hands.replay().await? {
        return Ok(Outcome::Replaced);
    }
    let token = match hands.open().await? {
        Ok(token) => token,
        Err(outcome) => return Ok(outcome),
    };
    hands.wait_for_turn().await;
    if let Err(outcome) = hands.stands().await? {
        return Ok(outcome);
    }
    if !hands.in_time() {
        // A slow database or file used the lease up; somebody else may have it before our request would end.
        return Ok(Outcome::InProgress);
    }
    match hands.ask(&token).await {
        Answer::Granted(grant) => keep(hands, &grant, &token).await,
        Answer::Spent => hands.bury().await,
        Answer::Failed(why) => hands.postpone(&why).await,
    }
}

/// Escrow first, then the database; a database that fails leaves the answer in escrow for the next try.
async fn keep<H: Hands + Sync>(hands: &H, grant: &H::Grant, token: &H::Token) -> Result<Outcome, H::Error> {
    hands.deposit(grant).await;
    let mut last = Ok(false);
    for millis in [0, 200, 1_000, 3_000] {
        hands.pause(millis).await;
        last = hands.store(grant, token).await;
        if last.is_ok() {
            break;
        }
    }
    last?;
    hands.forget().await;
    Ok(Outcome::Replaced)
}

/// The stored state, as far as somebody without the lease can tell from it what becomes of generation `seen`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stored {
    pub(crate) generation: i64,
    pub(crate) dead: bool,
    pub(crate) retry_at: Option<OffsetDateTime>,
}

/// What somebody learns who did not get the lease; `None`: another one has it, it is worth waiting.
pub(crate) fn without_lease(stored: Option<Stored>, seen: i64, now: OffsetDateTime) -> Option<Outcome> {
    match stored {
        None => Some(Outcome::Dead),
        Some(stored) if stored.generation > seen => Some(Outcome::Newer),
        Some(stored) if stored.dead => Some(Outcome::Dead),
        Some(stored) => stored.retry_at.filter(|at| *at > now).map(Outcome::Later),
    }
}

#[cfg(test)]
mod model;
