//! Finding calls by text: the newest first, then all of them by the index that the text allows. Gives out ids.

use db::Tx;
use kernel::{CallId, TranscriptState};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{IngestError, calls::CallCursor, search::Needle};

/// So many of the newest calls are read one by one: a text that many calls have is found there at once.
const NEAR: i32 = 4_000;

/// Which calls, and how many.
pub(crate) struct Wish<'a> {
    pub(crate) needle: &'a Needle,
    pub(crate) state: Option<TranscriptState>,
    /// Behind this call.
    pub(crate) cursor: Option<CallCursor>,
    pub(crate) most: i32,
}

impl Wish<'_> {
    fn state(&self) -> Option<&'static str> {
        self.state.map(TranscriptState::as_str)
    }

    /// Without a cursor: before the end of time.
    fn before(&self) -> (OffsetDateTime, Uuid) {
        let end = (time::macros::datetime!(9999-12-31 0:00 UTC), Uuid::max());
        self.cursor.map_or(end, |cursor| (cursor.started_at, cursor.id.uuid()))
    }
}

/// The newest calls that have the text.
pub(crate) async fn find(tx: &mut Tx, wish: &Wish<'_>) -> Result<Vec<CallId>, IngestError> {
    let near = among_newest(tx, wish).await?;
    if near.len() >= usize::try_from(wish.most).unwrap_or(usize::MAX) {
        Ok(near)
    } else if wish.needle.like.indexed {
        by_trigrams(tx, wish).await
    } else {
        by_signs(tx, wish).await
    }
}

async fn among_newest(tx: &mut Tx, wish: &Wish<'_>) -> Result<Vec<CallId>, IngestError> {
    sqlx::query_scalar(
        "select n.id from (
            select id, started_at, search_text from gong_calls
            where organization_id = $1 and ($2::text is null or transcript_state = $2) and (started_at, id) < ($4, $5)
            order by started_at desc, id desc limit $7
         ) n where n.search_text like $3 order by n.started_at desc, n.id desc limit $6",
    )
    .bind(tx.scope().organization())
    .bind(wish.state())
    .bind(&wish.needle.like.pattern)
    .bind(wish.before().0)
    .bind(wish.before().1)
    .bind(wish.most)
    .bind(NEAR)
    .fetch_all(&mut **tx)
    .await
    .map_err(IngestError::db("searching the newest calls"))
}

/// By a function of the database: under the policy of our role no index may serve `like`. It looks into the organization
/// that this transaction entered, and no other.
async fn by_trigrams(tx: &mut Tx, wish: &Wish<'_>) -> Result<Vec<CallId>, IngestError> {
    sqlx::query_scalar("select soundpost_search_calls($1, $2, $3, $4, $5)")
        .bind(&wish.needle.like.pattern)
        .bind(wish.state())
        .bind(wish.before().0)
        .bind(wish.before().1)
        .bind(wish.most)
        .fetch_all(&mut **tx)
        .await
        .map_err(IngestError::db("searching calls by trigrams"))
}

/// For what has no trigrams: an index tells which calls have all the signs, and only those are read.
async fn by_signs(tx: &mut Tx, wish: &Wish<'_>) -> Result<Vec<CallId>, IngestError> {
    sqlx::query_scalar(
        "select c.id from gong_calls c
         cross join lateral (
            select 1 from gong_calls t where t.organization_id = $1 and t.id = c.id and t.search_text like $3 limit 1
         ) has
         where c.organization_id = $1 and ($2::text is null or c.transcript_state = $2)
           and (c.started_at, c.id) < ($4, $5) and c.search_signs & $7 = $7
         order by c.started_at desc, c.id desc limit $6",
    )
    .bind(tx.scope().organization())
    .bind(wish.state())
    .bind(&wish.needle.like.pattern)
    .bind(wish.before().0)
    .bind(wish.before().1)
    .bind(wish.most)
    .bind(wish.needle.signs)
    .fetch_all(&mut **tx)
    .await
    .map_err(IngestError::db("searching calls by signs"))
}
