//! Requests that are done once: whoever sends the same key again gets the first answer. Knows no HTTP beyond a status, header
//! lines and bytes.
//!
//! A request is claimed before it is done. Its transactions mark the claim as they commit (`kernel::Scope::claimed`), so that a
//! process that dies leaves one of two things: a claim without effect, which a later try takes over, or one with an effect whose
//! answer is lost, which nobody does again.

use base64::{Engine, engine::general_purpose::STANDARD};
use db::{FleetTx, Tx};
use kernel::{Ambient, ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;
use vault::{Context, KeyRing};

use crate::{AccountsError, store::claims as store, store::fleet};

/// How long an answer is kept.
pub const ANSWER_LIVES: Duration = Duration::hours(24);
/// The most requests of one organization that are remembered at a time.
pub const MOST_CLAIMS: i64 = 10_000;
/// The most bytes of an answer that is kept; a longer one is lost.
const MOST_ANSWER: usize = 128 * 1024;

/// What was asked for, hashed.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Who asks for which operation with which key.
    pub key_hash: [u8; 32],
    /// With which content, as keyed hashes: it may hold a password or an address. The first is stored, any is recognised.
    pub fingerprints: Vec<[u8; 32]>,
}

/// An answer as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAnswer {
    /// The HTTP status.
    pub status: u16,
    /// Header names and values, in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// How a request stands that wants to be done once.
#[derive(Debug, PartialEq, Eq)]
pub enum Claimed {
    /// It is to be done now, under this claim.
    Mine(Uuid),
    /// It was done; this was the answer.
    Answered(KeptAnswer),
    /// Somebody is doing it.
    InFlight,
    /// It was done, and the answer cannot be had any longer.
    AnswerLost,
    /// The key was used for something else.
    OtherRequest,
    /// The organization used too many keys within a day.
    TooMany,
}

/// Claims a request, or says what became of it. Commit afterwards, outside of any claim.
///
/// # Errors
/// When the database fails.
pub async fn claim_request(
    tx: &mut Tx,
    asked: Asked,
    keys: &KeyRing,
    ambient: &dyn Ambient,
) -> Result<Claimed, AccountsError> {
    let now = ambient.now();
    store::forget_old(tx, asked.key_hash, now - ANSWER_LIVES).await?;
    if store::count(tx, MOST_CLAIMS).await? >= MOST_CLAIMS && store::find(tx, asked.key_hash).await?.is_none()
    {
        return Ok(Claimed::TooMany);
    }
    let claim = ambient.uuid();
    if store::insert(tx, claim, &asked, now).await? {
        return Ok(Claimed::Mine(claim));
    }
    // Given back between the two looks: whoever asks again will find it free.
    let Some(row) = store::find(tx, asked.key_hash).await? else { return Ok(Claimed::InFlight) };
    if !asked.fingerprints.iter().any(|mark| mark.as_slice() == row.fingerprint) {
        return Ok(Claimed::OtherRequest);
    }
    if row.answered {
        return Ok(open(tx, &row, keys).map_or(Claimed::AnswerLost, Claimed::Answered));
    }
    match (row.is_over, row.effected) {
        (false, _) => Ok(Claimed::InFlight),
        (true, true) => Ok(Claimed::AnswerLost),
        (true, false) if store::take_over(tx, row.id, claim).await? => Ok(Claimed::Mine(claim)),
        (true, false) => Ok(Claimed::InFlight),
    }
}

#[derive(Serialize, Deserialize)]
struct Written {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

/// Where a kept answer is at home: the claim stands where a credential names its connection.
fn home(tx: &Tx, claim: Uuid) -> Context {
    Context {
        organization: tx.scope().organization(),
        connection: kernel::ConnectionId::from_uuid(claim),
        field: "kept_answer",
        generation: 1,
    }
}

fn open(tx: &Tx, row: &store::Row, keys: &KeyRing) -> Option<KeptAnswer> {
    let (key_id, sealed) = (row.key_id.as_deref()?, row.answer_sealed.as_deref()?);
    let text = keys.open(&home(tx, row.id), key_id, sealed).ok()?;
    let written: Written = serde_json::from_str(text.expose_secret()).ok()?;
    let body = STANDARD.decode(written.body).ok()?;
    Some(KeptAnswer { status: written.status, headers: written.headers, body })
}

/// Keeps the answer, sealed: it may hold a secret that is shown once. One that is too long is not kept.
///
/// # Errors
/// When the database fails.
pub async fn keep_answer(
    tx: &mut Tx,
    claim: Uuid,
    answer: KeptAnswer,
    keys: &KeyRing,
    ambient: &dyn Ambient,
) -> Result<(), AccountsError> {
    let written =
        Written { status: answer.status, headers: answer.headers, body: STANDARD.encode(&answer.body) };
    let text = serde_json::to_string(&written).unwrap_or_default();
    let fits = answer.body.len() <= MOST_ANSWER && text.len() <= 2 * MOST_ANSWER;
    let sealed = fits.then(|| keys.seal(&home(tx, claim), &SecretString::from(text)));
    store::answer(tx, claim, sealed.as_ref(), ambient.now()).await
}

/// Gives a claim back whose request had no effect; false when it had one.
///
/// # Errors
/// When the database fails.
pub async fn give_back(tx: &mut Tx, claim: Uuid) -> Result<bool, AccountsError> {
    store::give_back(tx, claim).await
}

/// Throws away claims that are older than a day, at most 10,000 at a time.
///
/// # Errors
/// When the database fails.
pub async fn sweep_claims(fleet: &mut FleetTx, now: OffsetDateTime) -> Result<u64, AccountsError> {
    fleet::claims::sweep(fleet, now - ANSWER_LIVES).await
}
