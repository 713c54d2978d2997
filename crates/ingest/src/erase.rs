//! Erasing a person: asking for it, doing it step by step, and keeping the person away afterwards.
//!
//! What is stored of the request is a keyed hash. Two passes go over every call: the first takes the person out of the
//! parties and learns the names, the second takes words and mentions out of titles and transcripts. What comes later goes
//! through the same shroud before it is stored.

use db::Tx;
use kernel::{Ambient, ErasureId};
use time::{Duration, OffsetDateTime};

use crate::{
    IngestError,
    keep::search_text,
    purge::{progressed_organization, wake_organization},
    rules::task,
    shroud::{self, AddressKind, Shroud, ShroudKey, Taken},
    store::{erasures as store, privacy},
};

/// Calls in one transaction of the pass over people.
const PEOPLE_AT_ONCE: i64 = 200;
/// Calls in one transaction of the pass over texts.
const TEXTS_AT_ONCE: i64 = 25;
/// Erasures of one organization that may wait at once.
const MOST_OPEN: i64 = 100;

/// An erasure: the receipt, and how far it is.
#[derive(Debug, Clone)]
pub struct Erasure {
    /// Its id.
    pub id: ErasureId,
    /// `email` or `phone`.
    pub kind: String,
    /// The keyed hash of the address, in hex digits.
    pub fingerprint: String,
    /// When it was asked for.
    pub requested_at: OffsetDateTime,
    /// Who asked.
    pub requested_by: String,
    /// `waiting`, `running` or `done`.
    pub state: String,
    /// When it ended.
    pub finished_at: Option<OffsetDateTime>,
    /// 0 to 100.
    pub percent: i64,
    /// Calls that were changed.
    pub calls: i64,
    /// How often the person stood among those who took part.
    pub parties: i64,
    /// Sentences of the person that were removed.
    pub sentences: i64,
    /// Mentions in titles and in what others said.
    pub mentions: i64,
    /// Lines of the audit log, dead letters and names of keys.
    pub records: i64,
}

impl From<store::Row> for Erasure {
    fn from(row: store::Row) -> Self {
        let done = row.state == "done";
        Self {
            percent: if done { 100 } else { (row.calls_seen * 100 / row.calls_total.max(1)).min(99) },
            fingerprint: row.fingerprint.iter().map(|byte| format!("{byte:02x}")).collect(),
            id: row.id,
            kind: row.kind,
            requested_at: row.requested_at,
            requested_by: row.requested_by,
            state: row.state,
            finished_at: row.finished_at,
            calls: row.calls,
            parties: row.parties,
            sentences: row.sentences,
            mentions: row.mentions,
            records: row.records,
        }
    }
}

/// Whether anybody was ever erased here, so that the organization's key is needed.
///
/// # Errors
/// When the database fails.
pub async fn has_erasures(tx: &mut Tx) -> Result<bool, IngestError> {
    Ok(privacy::guard(tx).await?.0 > 0)
}

/// Reads what has to be known before calls are stored. Without erasures no key is needed.
///
/// # Errors
/// When the database fails.
pub async fn shroud(tx: &mut Tx, key: Option<ShroudKey>) -> Result<Shroud, IngestError> {
    let (erasures, days) = privacy::guard(tx).await?;
    let retention = days.map(|days| Duration::days(days.into()));
    let mut shroud = Shroud { erasures, retention, key, ..Shroud::default() };
    if erasures > 0 {
        for (address, names) in store::marks(tx).await? {
            add(&mut shroud, &address, &names);
        }
    }
    Ok(shroud)
}

fn add(shroud: &mut Shroud, address: &[u8], names: &[Vec<u8>]) {
    shroud.addresses.extend(shroud::Mark::try_from(address));
    shroud.names.extend(names.iter().filter_map(|name| shroud::Mark::try_from(name.as_slice()).ok()));
}

/// Asks for a person to be erased. The address itself is not kept. Asking twice is once, and looks again.
///
/// # Errors
/// When the address is none, too many erasures wait, or the database fails.
pub async fn request_erasure(
    tx: &mut Tx,
    key: &ShroudKey,
    (kind, address): (AddressKind, &str),
    requested_by: &str,
    ambient: &dyn Ambient,
) -> Result<ErasureId, IngestError> {
    let canonical = kind.canonical(address)?;
    if store::open(tx).await? >= MOST_OPEN {
        return Err(IngestError::TooManyErasures);
    }
    let mark = key.mark(kind.as_str(), &canonical);
    let id = ErasureId::mint(ambient);
    let id = store::request(tx, id, (kind.as_str(), &mark), requested_by, ambient.now()).await?;
    wake_organization(tx, task::ERASE).await?;
    tx.announce("privacy").await?;
    Ok(id)
}

/// A page of the erasures, newest first, and behind which the next page begins.
///
/// # Errors
/// When the database fails.
pub async fn erasures(
    tx: &mut Tx,
    after: Option<ErasureId>,
    limit: i64,
) -> Result<(Vec<Erasure>, Option<ErasureId>), IngestError> {
    let limit = limit.clamp(1, 200);
    let mut rows = store::page(tx, after, limit + 1).await?;
    let more = i64::try_from(rows.len()).is_ok_and(|rows| rows > limit);
    rows.truncate(usize::try_from(limit).unwrap_or(200));
    let next = rows.last().filter(|_| more).map(|row| row.id);
    Ok((rows.into_iter().map(Erasure::from).collect(), next))
}

/// One erasure; `None` when this organization has no such one.
///
/// # Errors
/// When the database fails.
pub async fn erasure(tx: &mut Tx, id: ErasureId) -> Result<Option<Erasure>, IngestError> {
    Ok(store::one(tx, id).await?.map(Erasure::from))
}

/// What is to be done next.
#[derive(Debug)]
pub enum Erasing {
    /// Nothing; nobody waits to be erased.
    Idle,
    /// More of the same.
    More,
    /// The calls are done. What is left are records of other rooms: mask them with this shroud, then call
    /// [`finish_erasure`].
    Records(ErasureId, Box<Shroud>),
}

/// Goes on erasing, one batch of calls.
///
/// # Errors
/// When the database fails.
pub async fn erase_some(tx: &mut Tx, key: &ShroudKey) -> Result<Erasing, IngestError> {
    let Some(row) = store::next(tx).await? else { return Ok(Erasing::Idle) };
    let mut shroud = Shroud { key: Some(key.clone()), ..Shroud::default() };
    add(&mut shroud, &row.fingerprint, &row.names);
    if row.pass > 1 {
        return Ok(Erasing::Records(row.id, Box::new(shroud)));
    }
    let texts = row.pass == 1;
    let most = if texts { TEXTS_AT_ONCE } else { PEOPLE_AT_ONCE };
    let calls = store::calls(tx, row.after_call, most, texts).await?;
    let mut step = store::Step {
        pass: row.pass,
        after_call: calls.last().map(|call| call.id),
        seen: i64::try_from(calls.len()).unwrap_or(most),
        calls: 0,
        taken: Taken::default(),
    };
    let ended = step.seen < most;
    for call in calls {
        let changed = if texts {
            texts_of(tx, &shroud, call, &mut step.taken).await?
        } else {
            people_of(tx, &shroud, (row.id, call), &mut step.taken).await?
        };
        step.calls += i64::from(changed);
    }
    if ended {
        (step.pass, step.after_call) = (row.pass + 1, None);
    }
    store::step(tx, row.id, &step).await?;
    progressed_organization(tx, task::ERASE).await?;
    tx.announce("privacy").await?;
    Ok(Erasing::More)
}

/// Takes the person out of those who took part in a call.
async fn people_of(
    tx: &mut Tx,
    shroud: &Shroud,
    (erasure, mut call): (ErasureId, store::Stored),
    taken: &mut Taken,
) -> Result<bool, IngestError> {
    let (names, users, parties) = shroud.parties(&mut call.parties.0);
    if parties == 0 {
        return Ok(false);
    }
    let names: Vec<Vec<u8>> = names.iter().map(|mark| mark.to_vec()).collect();
    store::learn(tx, Some(erasure), &names).await?;
    call.primary_user_id = call.primary_user_id.take().filter(|user| !users.contains(user));
    taken.parties += parties;
    let text = search_text(call.title.as_deref(), &call.parties.0);
    store::rewrite(tx, &call, &text).await?;
    Ok(true)
}

/// Takes the person's words, and mentions of the person, out of a call.
pub(crate) async fn texts_of(
    tx: &mut Tx,
    shroud: &Shroud,
    mut call: store::Stored,
    taken: &mut Taken,
) -> Result<bool, IngestError> {
    let present = call.parties.0.iter().any(shroud::is_erased);
    let mut mentions = 0;
    let names = call.parties.0.iter_mut().filter(|p| !shroud::is_erased(p)).map(|party| &mut party.name);
    for text in std::iter::once(&mut call.title).chain(names) {
        if let Some((masked, found)) = text.as_deref().and_then(|text| shroud.text(text, present)) {
            *text = Some(masked);
            mentions += found;
        }
    }
    if mentions > 0 {
        let text = search_text(call.title.as_deref(), &call.parties.0);
        store::rewrite(tx, &call, &text).await?;
    }
    let body = call.body.as_deref().and_then(|body| shroud.transcript(body, &call.parties.0));
    if let Some((body, found)) = &body {
        store::rewrite_transcript(tx, call.id, body, shroud::words(body)).await?;
        taken.sentences += found.sentences;
        mentions += found.mentions;
    }
    taken.mentions += mentions;
    // A call in which the person took part was counted by the first pass.
    Ok(!present && (mentions > 0 || body.is_some()))
}

/// Ends an erasure after `records` of other rooms were masked; says what the receipt says.
///
/// # Errors
/// When the database fails.
pub async fn finish_erasure(
    tx: &mut Tx,
    id: ErasureId,
    shroud: &Shroud,
    records: i64,
    now: OffsetDateTime,
) -> Result<Option<Erasure>, IngestError> {
    let mut masked = 0;
    for (receipt, asker) in store::askers(tx).await? {
        if let Some((asker, _)) = shroud.text(&asker, false) {
            store::rename_asker(tx, receipt, &asker).await?;
            masked += 1;
        }
    }
    store::finish(tx, id, records + masked, now).await?;
    tx.announce("privacy").await?;
    tx.announce("calls").await?;
    erasure(tx, id).await
}

impl Shroud {
    /// A text without the erased people; `None` when none of them is named in it.
    pub fn mask(&self, text: &str) -> Option<String> {
        self.text(text, false).map(|(masked, _)| masked)
    }
}
