//! Tables `evidence` and `evidence_partings`.

use db::Tx;
use kernel::{CallId, EvidenceId, PostId};
use sqlx::{FromRow, types::Json};
use time::OffsetDateTime;

use crate::{Evidence, FeedbackError, Item, Quote, Source};

#[derive(FromRow)]
struct Row {
    id: EvidenceId,
    post_id: PostId,
    call_id: CallId,
    title: String,
    summary: String,
    description: String,
    kind: String,
    sentiment: String,
    priority: String,
    area: String,
    pain_points: Vec<String>,
    quotes: Json<Vec<Quote>>,
    author: Option<String>,
    account: Option<String>,
    call_title: Option<String>,
    call_url: Option<String>,
    called_at: OffsetDateTime,
    similarity: Option<f32>,
    joined: String,
    doubt_post_id: Option<PostId>,
    analyzer: String,
}

impl TryFrom<Row> for Evidence {
    type Error = FeedbackError;
    fn try_from(row: Row) -> Result<Self, FeedbackError> {
        Ok(Self {
            id: row.id,
            post: row.post_id,
            call: row.call_id,
            title: row.title,
            summary: row.summary,
            description: row.description,
            kind: row.kind.parse()?,
            sentiment: row.sentiment.parse()?,
            priority: row.priority.parse()?,
            area: row.area,
            pain_points: row.pain_points,
            quotes: row.quotes.0,
            author: row.author,
            account: row.account,
            call_title: row.call_title,
            call_url: row.call_url,
            called_at: row.called_at,
            similarity: row.similarity,
            is_joined: row.joined == "joined",
            is_placed: row.joined == "person",
            doubt: row.doubt_post_id,
            analyzer: row.analyzer,
        })
    }
}

const COLUMNS: &str = "select id, post_id, call_id, title, summary, description, kind, sentiment, priority, area, pain_points, quotes,
    author, account, call_title, call_url, called_at, similarity, joined, doubt_post_id, analyzer from evidence";

async fn read(
    tx: &mut Tx,
    tail: &str,
    id: uuid::Uuid,
    more: Option<(OffsetDateTime, EvidenceId)>,
    most: i64,
) -> Result<Vec<Evidence>, FeedbackError> {
    let rows: Vec<Row> =
        sqlx::query_as(sqlx::AssertSqlSafe(format!("{COLUMNS} where organization_id = $1 and {tail}")))
            .bind(tx.scope().organization())
            .bind(id)
            .bind(more.map(|(at, _)| at))
            .bind(more.map(|(_, id)| id))
            .bind(most)
            .fetch_all(&mut **tx)
            .await
            .map_err(FeedbackError::db("reading evidence"))?;
    rows.into_iter().map(Evidence::try_from).collect()
}

/// A page of a post's evidence, the newest calls first.
pub(crate) async fn of_post(
    tx: &mut Tx,
    post: PostId,
    after: Option<(OffsetDateTime, EvidenceId)>,
    most: i64,
) -> Result<Vec<Evidence>, FeedbackError> {
    let tail = "post_id = $2 and ($4::uuid is null or (called_at, id) < ($3::timestamptz, $4)) order by called_at desc, id desc limit $5";
    read(tx, tail, post.uuid(), after, most).await
}

/// Everything that came of a call.
pub(crate) async fn of_call(tx: &mut Tx, call: CallId) -> Result<Vec<Evidence>, FeedbackError> {
    let tail = "call_id = $2 and $3::timestamptz is null and $4::uuid is null order by place limit $5";
    read(tx, tail, call.uuid(), None, 100).await
}

/// All evidence of the organization behind this one, in the order of ids.
pub(crate) async fn behind(
    tx: &mut Tx,
    after: Option<EvidenceId>,
    most: i64,
) -> Result<Vec<Evidence>, FeedbackError> {
    let tail = "id > $2 and $3::timestamptz is null and $4::uuid is null order by id limit $5";
    read(tx, tail, after.map_or_else(uuid::Uuid::nil, |id| id.uuid()), None, most).await
}

/// One piece of evidence.
pub(crate) async fn one(tx: &mut Tx, id: EvidenceId) -> Result<Option<Evidence>, FeedbackError> {
    let tail = "id = $2 and $3::timestamptz is null and $4::uuid is null limit $5";
    Ok(read(tx, tail, id.uuid(), None, 1).await?.pop())
}

/// New evidence.
pub(crate) struct New<'a> {
    pub(crate) id: EvidenceId,
    pub(crate) post: PostId,
    pub(crate) source: &'a Source,
    pub(crate) hash: &'a [u8],
    pub(crate) place: i16,
    pub(crate) item: &'a Item,
    pub(crate) similarity: Option<f32>,
    pub(crate) joined: &'static str,
    pub(crate) doubt: Option<PostId>,
    pub(crate) analyzer: &'a str,
    pub(crate) now: OffsetDateTime,
}

pub(crate) async fn insert(tx: &mut Tx, new: &New<'_>) -> Result<(), FeedbackError> {
    let first = new.item.quotes.first();
    sqlx::query(
        "insert into evidence (id, organization_id, post_id, call_id, content_hash, place, title, summary, description, kind,
            sentiment, priority, area, pain_points, quotes, author, account, call_title, call_url, called_at, similarity, joined,
            doubt_post_id, analyzer, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25)",
    )
    .bind(new.id)
    .bind(tx.scope().organization())
    .bind(new.post)
    .bind(new.source.call)
    .bind(new.hash)
    .bind(new.place)
    .bind(&new.item.title)
    .bind(&new.item.summary)
    .bind(&new.item.description)
    .bind(new.item.kind.as_str())
    .bind(new.item.sentiment.as_str())
    .bind(new.item.priority.as_str())
    .bind(&new.item.area)
    .bind(&new.item.pain_points)
    .bind(Json(&new.item.quotes))
    .bind(first.and_then(|quote| quote.speaker.clone()))
    .bind(first.and_then(|quote| quote.account.clone()))
    .bind(&new.source.title)
    .bind(&new.source.url)
    .bind(new.source.started_at)
    .bind(new.similarity)
    .bind(new.joined)
    .bind(new.doubt)
    .bind(new.analyzer)
    .bind(new.now)
    .execute(&mut **tx)
    .await
    .map_err(FeedbackError::db("storing evidence"))?;
    Ok(())
}

/// Makes room for what is found now: what was found before is taken away when that is stored.
pub(crate) async fn make_way(tx: &mut Tx, call: CallId) -> Result<(), FeedbackError> {
    sqlx::query(
        "update evidence set place = -1 - place where organization_id = $1 and call_id = $2 and place >= 0",
    )
    .bind(tx.scope().organization())
    .bind(call)
    .execute(&mut **tx)
    .await
    .map_err(FeedbackError::db("making room for evidence"))?;
    Ok(())
}

/// Takes evidence away.
pub(crate) async fn delete(tx: &mut Tx, ids: &[EvidenceId]) -> Result<(), FeedbackError> {
    let ids: Vec<_> = ids.iter().map(|id| id.uuid()).collect();
    sqlx::query("delete from evidence where organization_id = $1 and id = any ($2)")
        .bind(tx.scope().organization())
        .bind(ids)
        .execute(&mut **tx)
        .await
        .map_err(FeedbackError::db("taking evidence away"))?;
    Ok(())
}

/// Hangs evidence on another post, because somebody said so.
pub(crate) async fn place(tx: &mut Tx, id: EvidenceId, post: PostId) -> Result<(), FeedbackError> {
    sqlx::query(
        "update evidence set post_id = $3, joined = 'person', doubt_post_id = null where organization_id = $1 and id = $2",
    )
    .bind(tx.scope().organization())
    .bind(id)
    .bind(post)
    .execute(&mut **tx)
    .await
    .map_err(FeedbackError::db("moving evidence"))?;
    Ok(())
}

/// Hangs all evidence of a post on another one.
pub(crate) async fn place_all(tx: &mut Tx, from: PostId, to: PostId) -> Result<u64, FeedbackError> {
    let done = sqlx::query(
        "update evidence set post_id = $3, joined = 'person', doubt_post_id = null where organization_id = $1 and post_id = $2",
    )
    .bind(tx.scope().organization())
    .bind(from)
    .bind(to)
    .execute(&mut **tx)
    .await
    .map_err(FeedbackError::db("moving evidence"))?;
    Ok(done.rows_affected())
}

/// Who was said to be like a post that was merged is like the post that it was merged into.
pub(crate) async fn redirect_doubts(tx: &mut Tx, from: PostId, to: PostId) -> Result<(), FeedbackError> {
    sqlx::query(
        "update evidence set doubt_post_id = case when post_id = $3 then null else $3 end
         where organization_id = $1 and doubt_post_id = $2",
    )
    .bind(tx.scope().organization())
    .bind(from)
    .bind(to)
    .execute(&mut **tx)
    .await
    .map_err(FeedbackError::db("moving doubts"))?;
    Ok(())
}

/// The doubt about a post's evidence is settled.
pub(crate) async fn settle_doubt(tx: &mut Tx, post: PostId) -> Result<(), FeedbackError> {
    sqlx::query(
        "update evidence set doubt_post_id = null where organization_id = $1 and post_id = $2 and doubt_post_id is not null",
    )
    .bind(tx.scope().organization())
    .bind(post)
    .execute(&mut **tx)
    .await
    .map_err(FeedbackError::db("settling a doubt"))?;
    Ok(())
}

/// Remembers that this wish does not belong to that post.
pub(crate) async fn part(tx: &mut Tx, call: CallId, title: &str, post: PostId) -> Result<(), FeedbackError> {
    sqlx::query(
        "insert into evidence_partings (organization_id, call_id, title, post_id) values ($1, $2, lower($3), $4)
         on conflict do nothing",
    )
    .bind(tx.scope().organization())
    .bind(call)
    .bind(title)
    .bind(post)
    .execute(&mut **tx)
    .await
    .map_err(FeedbackError::db("remembering a parting"))?;
    Ok(())
}

/// The posts that wishes of this call were taken out of, with the wish's title in lower case.
pub(crate) async fn partings(tx: &mut Tx, call: CallId) -> Result<Vec<(String, PostId)>, FeedbackError> {
    sqlx::query_as("select title, post_id from evidence_partings where organization_id = $1 and call_id = $2")
        .bind(tx.scope().organization())
        .bind(call)
        .fetch_all(&mut **tx)
        .await
        .map_err(FeedbackError::db("reading partings"))
}
