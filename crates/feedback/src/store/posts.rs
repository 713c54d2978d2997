//! Table `posts`.

use db::{Like, Tx};
use kernel::{BoardId, EvidenceId, PostId, PostState};
use sqlx::FromRow;
use time::OffsetDateTime;

use crate::{FeedbackError, Item, Post, PostQuery, PostSort};

#[derive(FromRow)]
struct Row {
    id: PostId,
    board_id: BoardId,
    title: String,
    summary: String,
    description: String,
    kind: String,
    sentiment: String,
    priority: String,
    area: String,
    category: Option<String>,
    tags: Vec<String>,
    status: String,
    state: String,
    is_edited: bool,
    analyzer: String,
    evidence_count: i32,
    account_count: i32,
    first_asked_at: Option<OffsetDateTime>,
    last_asked_at: Option<OffsetDateTime>,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
    version: i32,
}

impl TryFrom<Row> for Post {
    type Error = FeedbackError;
    fn try_from(row: Row) -> Result<Self, FeedbackError> {
        Ok(Self {
            id: row.id,
            board: row.board_id,
            title: row.title,
            summary: row.summary,
            description: row.description,
            kind: row.kind.parse()?,
            sentiment: row.sentiment.parse()?,
            priority: row.priority.parse()?,
            area: row.area,
            category: row.category,
            tags: row.tags,
            status: row.status.parse()?,
            state: row.state.parse()?,
            is_edited: row.is_edited,
            analyzer: row.analyzer,
            evidence: row.evidence_count,
            accounts: row.account_count,
            first_asked_at: row.first_asked_at,
            last_asked_at: row.last_asked_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
        })
    }
}

const COLUMNS: &str = "id, board_id, title, summary, description, kind, sentiment, priority, area, category, tags, status, state,
        text_of is null as is_edited, analyzer, evidence_count, account_count, first_asked_at, last_asked_at, created_at,
        updated_at, version";

/// Which posts: `$2..$9` filter, `$10..$12` are the post behind which the page begins, `$13` is its size.
const FILTER: &str = "organization_id = $1 and state = $2 and ($3::uuid is null or board_id = $3)
        and ($4::text is null or kind = $4) and ($5::text is null or status = $5) and ($6::text is null or sentiment = $6)
        and ($7::text is null or priority = $7)";

/// What no index serves under the policy of our role: a label, and words as the index has them.
const NARROW: &str = "($8::text is null or $8 = any (tags) or category = $8 or area = $8)
        and ($9::text is null or lower(title || ' ' || summary) like $9)";

/// When a post was asked for last, as the index has it.
const ASKED: &str = "(case when last_asked_at is null then created_at else last_asked_at end)";

/// So many posts at the head of the list are read one by one: a label or words that many posts have are found there at once.
const NEAR: i32 = 2_000;

/// A page of posts.
pub(crate) async fn page(tx: &mut Tx, query: &PostQuery, most: i64) -> Result<Vec<Post>, FeedbackError> {
    let like = query.search.as_deref().and_then(Like::containing);
    let (behind, order) = match query.sort {
        PostSort::MostAsked => (
            format!(
                "($12::uuid is null or (account_count, {ASKED}, id) < ($10::integer, $11::timestamptz, $12))"
            ),
            format!("account_count desc, {ASKED} desc, id desc"),
        ),
        PostSort::Newest => (
            "$10::integer is not distinct from $10 and ($12::uuid is null or (created_at, id) < ($11::timestamptz, $12))".to_owned(),
            "created_at desc, id desc".to_owned(),
        ),
    };
    let page = format!("order by {order} limit $13");
    if like.is_some() || query.label.is_some() {
        let near = format!(
            "select {COLUMNS} from (select * from posts where {FILTER} and {behind} order by {order} limit {NEAR}) near
             where {NARROW} {page}"
        );
        let found = rows(tx, near, query, like.as_ref(), most).await?;
        if i64::try_from(found.len()).is_ok_and(|found| found >= most) {
            return Ok(found);
        }
    }
    // By a function of the database, which may use an index. For less than three letters there is none.
    let among = match (&like, &query.label) {
        (_, Some(_)) => "and id = any (array(select soundpost_labelled_posts($8, $9, $2)))",
        (Some(like), None) if like.indexed => "and id = any (array(select soundpost_search_posts($9, $2)))",
        _ => "",
    };
    let all = format!("select {COLUMNS} from posts where {FILTER} and {behind} and {NARROW} {among} {page}");
    rows(tx, all, query, like.as_ref(), most).await
}

async fn rows(
    tx: &mut Tx,
    text: String,
    query: &PostQuery,
    like: Option<&Like>,
    most: i64,
) -> Result<Vec<Post>, FeedbackError> {
    let after = query.after.as_ref();
    // Planned each time: one plan for all filters would take each for a rare one, and read and sort all posts.
    let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(text))
        .persistent(false)
        .bind(tx.scope().organization())
        .bind(query.state.as_str())
        .bind(query.board)
        .bind(query.kind.map(|word| word.as_str()))
        .bind(query.status.map(|word| word.as_str()))
        .bind(query.sentiment.map(|word| word.as_str()))
        .bind(query.priority.map(|word| word.as_str()))
        .bind(query.label.as_deref())
        .bind(like.map(|like| like.pattern.as_str()))
        .bind(after.map(|after| after.accounts))
        .bind(after.map(|after| after.at))
        .bind(after.map(|after| after.id))
        .bind(most)
        .fetch_all(&mut **tx)
        .await
        .map_err(FeedbackError::db("listing posts"))?;
    rows.into_iter().map(Post::try_from).collect()
}

/// One post.
pub(crate) async fn load(tx: &mut Tx, post: PostId) -> Result<Option<Post>, FeedbackError> {
    let row: Option<Row> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "select {COLUMNS} from posts where organization_id = $1 and id = $2"
    )))
    .bind(tx.scope().organization())
    .bind(post)
    .fetch_optional(&mut **tx)
    .await
    .map_err(FeedbackError::db("reading a post"))?;
    row.map(Post::try_from).transpose()
}

/// A new post.
pub(crate) struct New<'a> {
    pub(crate) id: PostId,
    pub(crate) board: BoardId,
    pub(crate) item: &'a Item,
    pub(crate) state: PostState,
    /// Whose words these are.
    pub(crate) text_of: EvidenceId,
    pub(crate) analyzer: &'a str,
    pub(crate) now: OffsetDateTime,
}

pub(crate) async fn insert(tx: &mut Tx, new: &New<'_>) -> Result<(), FeedbackError> {
    sqlx::query(
        "insert into posts (id, organization_id, board_id, title, summary, description, kind, sentiment, priority, area,
            category, tags, state, text_of, analyzer, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $16)",
    )
    .bind(new.id)
    .bind(tx.scope().organization())
    .bind(new.board)
    .bind(&new.item.title)
    .bind(&new.item.summary)
    .bind(&new.item.description)
    .bind(new.item.kind.as_str())
    .bind(new.item.sentiment.as_str())
    .bind(new.item.priority.as_str())
    .bind(&new.item.area)
    .bind(&new.item.category)
    .bind(&new.item.tags)
    .bind(new.state.as_str())
    .bind(new.text_of)
    .bind(new.analyzer)
    .bind(new.now)
    .execute(&mut **tx)
    .await
    .map_err(FeedbackError::db("making a post"))?;
    Ok(())
}

/// Stores what a person changed; false when somebody was faster.
pub(crate) async fn store(tx: &mut Tx, post: &Post, now: OffsetDateTime) -> Result<bool, FeedbackError> {
    let done = sqlx::query(
        "update posts set board_id = $4, title = $5, summary = $6, description = $7, priority = $8, category = $9, tags = $10,
            status = $11, state = $12, text_of = case when $13 then null else text_of end, updated_at = $14, version = version + 1
         where organization_id = $1 and id = $2 and version = $3",
    )
    .bind(tx.scope().organization())
    .bind(post.id)
    .bind(post.version)
    .bind(post.board)
    .bind(&post.title)
    .bind(&post.summary)
    .bind(&post.description)
    .bind(post.priority.as_str())
    .bind(&post.category)
    .bind(&post.tags)
    .bind(post.status.as_str())
    .bind(post.state.as_str())
    .bind(post.is_edited)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map_err(FeedbackError::db("changing a post"))?;
    Ok(done.rows_affected() == 1)
}

/// The state of a post, which stays locked to the end of the transaction.
pub(crate) async fn state(tx: &mut Tx, post: PostId) -> Result<Option<PostState>, FeedbackError> {
    let word: Option<String> =
        sqlx::query_scalar("select state from posts where organization_id = $1 and id = $2 for update")
            .bind(tx.scope().organization())
            .bind(post)
            .fetch_optional(&mut **tx)
            .await
            .map_err(FeedbackError::db("locking a post"))?;
    Ok(word.map(|word| word.parse()).transpose()?)
}

/// How many posts are in which state.
pub(crate) async fn counts(tx: &mut Tx) -> Result<Vec<(String, i64)>, FeedbackError> {
    sqlx::query_as("select state, sum(posts)::bigint from post_counts where organization_id = $1 group by 1")
        .bind(tx.scope().organization())
        .fetch_all(&mut **tx)
        .await
        .map_err(FeedbackError::db("counting posts"))
}

/// How many published posts were made since then.
pub(crate) async fn new_since(tx: &mut Tx, since: OffsetDateTime) -> Result<i64, FeedbackError> {
    sqlx::query_scalar(
        "select count(*) from posts where organization_id = $1 and state = 'published' and created_at >= $2",
    )
    .bind(tx.scope().organization())
    .bind(since)
    .fetch_one(&mut **tx)
    .await
    .map_err(FeedbackError::db("counting new posts"))
}

/// How often a post was asked for, week by week, the oldest first.
pub(crate) async fn trend(tx: &mut Tx, post: PostId) -> Result<Vec<(OffsetDateTime, i64)>, FeedbackError> {
    sqlx::query_as(
        "select * from (select date_trunc('week', called_at) as week, count(*) from evidence
            where organization_id = $1 and post_id = $2 group by 1 order by 1 desc limit 53) newest order by 1",
    )
    .bind(tx.scope().organization())
    .bind(post)
    .fetch_all(&mut **tx)
    .await
    .map_err(FeedbackError::db("counting asks by week"))
}
