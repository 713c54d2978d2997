//! What of this room's tables may name a person, page by page.

use db::Tx;
use kernel::{CallId, EvidenceId, PostId};
use sqlx::types::Json;

use crate::{Evidence, FeedbackError, store::evidence};

/// Evidence of the organization behind this one, in the order of ids.
pub(crate) async fn evidence_behind(
    tx: &mut Tx,
    after: Option<EvidenceId>,
    most: i64,
) -> Result<Vec<Evidence>, FeedbackError> {
    evidence::behind(tx, after, most).await
}

/// Stores the texts of evidence anew, and with them the words of the post that has them from there.
pub(crate) async fn rewrite(tx: &mut Tx, one: &Evidence) -> Result<(), FeedbackError> {
    sqlx::query(
        "update evidence set title = $3, summary = $4, description = $5, area = $6, pain_points = $7, quotes = $8, call_title = $9
         where organization_id = $1 and id = $2",
    )
    .bind(tx.scope().organization())
    .bind(one.id)
    .bind(&one.title)
    .bind(&one.summary)
    .bind(&one.description)
    .bind(&one.area)
    .bind(&one.pain_points)
    .bind(Json(&one.quotes))
    .bind(one.call_title.as_deref())
    .execute(&mut **tx)
    .await
    .map_err(FeedbackError::db("masking evidence"))?;
    sqlx::query(
        "with reworded as (
            update posts p set title = e.title, summary = e.summary, description = e.description, area = e.area
            from evidence e where p.organization_id = $1 and p.text_of = $2 and e.id = p.text_of returning p.id),
         stale as (
            delete from feedback_stages s using evidence e
            where s.organization_id = $1 and e.id = $2 and s.call_id = e.call_id)
         delete from post_vectors v using reworded r where v.post_id = r.id",
    )
    .bind(tx.scope().organization())
    .bind(one.id)
    .execute(&mut **tx)
    .await
    .map_err(FeedbackError::db("masking the words of a post"))?;
    Ok(())
}

/// Words of posts: title, summary, description, area.
pub(crate) async fn posts_behind(
    tx: &mut Tx,
    after: Option<PostId>,
    most: i64,
) -> Result<Vec<(PostId, [String; 4])>, FeedbackError> {
    let rows: Vec<(PostId, String, String, String, String)> = sqlx::query_as(
        "select id, title, summary, description, area from posts
         where organization_id = $1 and text_of is null and state <> 'withdrawn' and ($2::uuid is null or id > $2)
         order by id limit $3",
    )
    .bind(tx.scope().organization())
    .bind(after)
    .bind(most)
    .fetch_all(&mut **tx)
    .await
    .map_err(FeedbackError::db("reading the words of posts"))?;
    Ok(rows.into_iter().map(|(id, title, summary, text, area)| (id, [title, summary, text, area])).collect())
}

/// Gives a post other words; its vector is made anew.
pub(crate) async fn reword(tx: &mut Tx, post: PostId, words: &[String; 4]) -> Result<(), FeedbackError> {
    let [title, summary, description, area] = words;
    sqlx::query(
        "with gone as (delete from post_vectors where organization_id = $1 and post_id = $2)
         update posts set title = $3, summary = $4, description = $5, area = $6, version = version + 1
         where organization_id = $1 and id = $2",
    )
    .bind(tx.scope().organization())
    .bind(post)
    .bind(title)
    .bind(summary)
    .bind(description)
    .bind(area)
    .execute(&mut **tx)
    .await
    .map_err(FeedbackError::db("masking a post"))?;
    Ok(())
}

/// Wishes that somebody took out of posts; there are few.
pub(crate) async fn partings(tx: &mut Tx) -> Result<Vec<(CallId, String, PostId)>, FeedbackError> {
    sqlx::query_as(
        "select call_id, title, post_id from evidence_partings where organization_id = $1 limit 10000",
    )
    .bind(tx.scope().organization())
    .fetch_all(&mut **tx)
    .await
    .map_err(FeedbackError::db("reading partings"))
}

/// Gives a parting another title.
pub(crate) async fn rename_parting(
    tx: &mut Tx,
    (call, title, post): (CallId, &str, PostId),
    new: &str,
) -> Result<(), FeedbackError> {
    sqlx::query(
        "update evidence_partings p set title = $5
         where p.organization_id = $1 and p.call_id = $2 and p.title = $3 and p.post_id = $4
            and not exists (select from evidence_partings o where o.call_id = $2 and o.title = $5 and o.post_id = $4)",
    )
    .bind(tx.scope().organization())
    .bind(call)
    .bind(title)
    .bind(post)
    .bind(new)
    .execute(&mut **tx)
    .await
    .map_err(FeedbackError::db("masking a parting"))?;
    Ok(())
}
