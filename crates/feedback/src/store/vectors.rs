//! Table `post_vectors`.

use db::Tx;
use kernel::PostId;
use models::Embedding;
use sqlx::FromRow;

use crate::{FeedbackError, near};

#[derive(FromRow)]
pub(crate) struct Row {
    pub(crate) post_id: PostId,
    pub(crate) vector: Vec<u8>,
    pub(crate) changed: i64,
}

/// Nobody else of this organization puts wishes together until the transaction ends.
pub(crate) async fn lock(tx: &mut Tx) -> Result<(), FeedbackError> {
    sqlx::query("select pg_advisory_xact_lock(hashtextextended('feedback:' || $1::text, 0))")
        .bind(tx.scope().organization())
        .execute(&mut **tx)
        .await
        .map_err(FeedbackError::db("waiting for the turn to put wishes together"))?;
    Ok(())
}

/// How many vectors have gone so far.
pub(crate) async fn gone(tx: &mut Tx) -> Result<i64, FeedbackError> {
    sqlx::query_scalar("select vectors_gone from feedback_settings where organization_id = $1")
        .bind(tx.scope().organization())
        .fetch_one(&mut **tx)
        .await
        .map_err(FeedbackError::db("counting vectors"))
}

/// Vectors of a model that came behind a change, in order.
pub(crate) async fn since(
    tx: &mut Tx,
    model: &str,
    changed: i64,
    most: i64,
) -> Result<Vec<Row>, FeedbackError> {
    sqlx::query_as(
        "select post_id, vector, changed from post_vectors
         where organization_id = $1 and changed > $2 and model = $3 order by changed limit $4",
    )
    .bind(tx.scope().organization())
    .bind(changed)
    .bind(model)
    .bind(most)
    .fetch_all(&mut **tx)
    .await
    .map_err(FeedbackError::db("reading vectors"))
}

/// Every post with a vector of a model, and of which change that is.
pub(crate) async fn marks(tx: &mut Tx, model: &str) -> Result<Vec<(PostId, i64)>, FeedbackError> {
    sqlx::query_as("select post_id, changed from post_vectors where organization_id = $1 and model = $2")
        .bind(tx.scope().organization())
        .bind(model)
        .fetch_all(&mut **tx)
        .await
        .map_err(FeedbackError::db("listing vectors"))
}

/// Vectors of these posts, as far as they have one of this model.
pub(crate) async fn of(tx: &mut Tx, model: &str, posts: &[PostId]) -> Result<Vec<Row>, FeedbackError> {
    let posts: Vec<_> = posts.iter().map(|post| post.uuid()).collect();
    sqlx::query_as(
        "select post_id, vector, changed from post_vectors
         where organization_id = $1 and model = $2 and post_id = any ($3)",
    )
    .bind(tx.scope().organization())
    .bind(model)
    .bind(posts)
    .fetch_all(&mut **tx)
    .await
    .map_err(FeedbackError::db("reading vectors of posts"))
}

/// Puts a post's vector in the place of its last one.
pub(crate) async fn put(
    tx: &mut Tx,
    post: PostId,
    model: &str,
    vector: &Embedding,
) -> Result<(), FeedbackError> {
    sqlx::query(
        "insert into post_vectors (post_id, organization_id, model, vector) values ($1, $2, $3, $4)
         on conflict (post_id) do update set model = excluded.model, vector = excluded.vector, changed = default",
    )
        .bind(post)
        .bind(tx.scope().organization())
        .bind(model)
        .bind(near::to_bytes(vector))
        .execute(&mut **tx)
        .await
        .map_err(FeedbackError::db("storing a vector"))?;
    Ok(())
}

/// Posts whose words have no vector of this model, with those words.
pub(crate) async fn missing(
    tx: &mut Tx,
    model: &str,
    most: i64,
) -> Result<Vec<(PostId, String, String, i32)>, FeedbackError> {
    sqlx::query_as(
        "select p.id, p.title, p.summary, p.version from posts p
         where p.organization_id = $1 and p.state <> 'withdrawn'
            and not exists (select from post_vectors v where v.post_id = p.id and v.model = $2)
         limit $3",
    )
    .bind(tx.scope().organization())
    .bind(model)
    .bind(most)
    .fetch_all(&mut **tx)
    .await
    .map_err(FeedbackError::db("looking for posts without a vector"))
}
