//! Tables `boards`, `board_categories` and `feedback_tags`.

use db::Tx;
use kernel::BoardId;
use sqlx::FromRow;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{Board, FeedbackError};

#[derive(FromRow)]
struct Row {
    id: BoardId,
    name: String,
    description: String,
    posts: i64,
    categories: Vec<String>,
}

/// The boards and their categories, the oldest first, without counting what hangs there.
pub(crate) async fn live(tx: &mut Tx) -> Result<Vec<(BoardId, Vec<String>)>, FeedbackError> {
    sqlx::query_as(
        "select b.id, array(select c.name from board_categories c where c.board_id = b.id order by lower(c.name))
         from boards b where b.organization_id = $1 and b.archived_at is null order by b.created_at, b.id limit 200",
    )
    .bind(tx.scope().organization())
    .fetch_all(&mut **tx)
    .await
    .map_err(FeedbackError::db("reading the boards"))
}

/// Live boards, the oldest first; at most 200 are ever made.
pub(crate) async fn list(tx: &mut Tx) -> Result<Vec<Board>, FeedbackError> {
    let rows: Vec<Row> = sqlx::query_as(
        "select b.id, b.name, b.description, coalesce(c.posts, 0) as posts,
            array(select c.name from board_categories c where c.board_id = b.id order by lower(c.name)) as categories
         from boards b left join (select board_id, sum(posts)::bigint as posts from post_counts
            where organization_id = $1 and state = 'published' group by 1) c on c.board_id = b.id
         where b.organization_id = $1 and b.archived_at is null order by b.created_at, b.id limit 200",
    )
    .bind(tx.scope().organization())
    .fetch_all(&mut **tx)
    .await
    .map_err(FeedbackError::db("listing boards"))?;
    let board = |row: Row| Board {
        id: row.id,
        name: row.name,
        description: row.description,
        posts: row.posts,
        categories: row.categories,
    };
    Ok(rows.into_iter().map(board).collect())
}

/// The names of the newest boards, those that were put away too.
pub(crate) async fn names(tx: &mut Tx) -> Result<Vec<(BoardId, String)>, FeedbackError> {
    sqlx::query_as(
        "select id, name from boards where organization_id = $1 order by created_at desc limit 1000",
    )
    .bind(tx.scope().organization())
    .fetch_all(&mut **tx)
    .await
    .map_err(FeedbackError::db("reading the names of boards"))
}

pub(crate) async fn is_live(tx: &mut Tx, board: BoardId) -> Result<bool, FeedbackError> {
    sqlx::query_scalar(
        "select exists (select from boards where organization_id = $1 and id = $2 and archived_at is null)",
    )
    .bind(tx.scope().organization())
    .bind(board)
    .fetch_one(&mut **tx)
    .await
    .map_err(FeedbackError::db("looking for a board"))
}

/// Makes a board; false when there is one of this name.
pub(crate) async fn insert(
    tx: &mut Tx,
    id: BoardId,
    name: &str,
    description: &str,
    now: OffsetDateTime,
) -> Result<bool, FeedbackError> {
    let done = sqlx::query(
        "insert into boards (id, organization_id, name, description, created_at) values ($1, $2, $3, $4, $5)
         on conflict do nothing",
    )
    .bind(id)
    .bind(tx.scope().organization())
    .bind(name)
    .bind(description)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map_err(FeedbackError::db("making a board"))?;
    Ok(done.rows_affected() == 1)
}

/// Gives a board another name; an error when another board has it.
pub(crate) async fn rename(
    tx: &mut Tx,
    id: BoardId,
    name: &str,
    description: &str,
) -> Result<bool, FeedbackError> {
    let done = sqlx::query(
        "update boards set name = $3, description = $4 where organization_id = $1 and id = $2 and archived_at is null",
    )
    .bind(tx.scope().organization())
    .bind(id)
    .bind(name)
    .bind(description)
    .execute(&mut **tx)
    .await;
    match done {
        Ok(done) => Ok(done.rows_affected() == 1),
        Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
            Err(FeedbackError::Setting { field: "name", fix: "is the name of another board already" })
        }
        Err(error) => Err(FeedbackError::db("renaming a board")(error)),
    }
}

/// Puts a board away; its posts stay.
pub(crate) async fn archive(tx: &mut Tx, id: BoardId, now: OffsetDateTime) -> Result<bool, FeedbackError> {
    let done = sqlx::query(
        "update boards set archived_at = $3 where organization_id = $1 and id = $2 and archived_at is null",
    )
    .bind(tx.scope().organization())
    .bind(id)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map_err(FeedbackError::db("putting a board away"))?;
    Ok(done.rows_affected() == 1)
}

/// Replaces the categories of a board.
pub(crate) async fn set_categories(
    tx: &mut Tx,
    board: BoardId,
    names: &[(Uuid, String)],
) -> Result<(), FeedbackError> {
    let (ids, names): (Vec<Uuid>, Vec<String>) = names.iter().cloned().unzip();
    sqlx::query("delete from board_categories where organization_id = $1 and board_id = $2")
        .bind(tx.scope().organization())
        .bind(board)
        .execute(&mut **tx)
        .await
        .map_err(FeedbackError::db("replacing categories"))?;
    sqlx::query(
        "insert into board_categories (id, organization_id, board_id, name)
         select n.id, $1, $2, n.name from unnest($3::uuid[], $4::text[]) as n (id, name) on conflict do nothing",
    )
    .bind(tx.scope().organization())
    .bind(board)
    .bind(ids)
    .bind(names)
    .execute(&mut **tx)
    .await
    .map_err(FeedbackError::db("replacing categories"))?;
    Ok(())
}

/// The tags, in alphabetical order.
pub(crate) async fn tags(tx: &mut Tx) -> Result<Vec<String>, FeedbackError> {
    sqlx::query_scalar("select name from feedback_tags where organization_id = $1 order by name limit 500")
        .bind(tx.scope().organization())
        .fetch_all(&mut **tx)
        .await
        .map_err(FeedbackError::db("listing tags"))
}

/// Replaces the tags.
pub(crate) async fn set_tags(
    tx: &mut Tx,
    names: &[String],
    now: OffsetDateTime,
) -> Result<(), FeedbackError> {
    sqlx::query("delete from feedback_tags where organization_id = $1 and name <> all ($2)")
        .bind(tx.scope().organization())
        .bind(names)
        .execute(&mut **tx)
        .await
        .map_err(FeedbackError::db("replacing tags"))?;
    add_tags(tx, names, now).await
}

/// Adds tags that are not there yet.
pub(crate) async fn add_tags(
    tx: &mut Tx,
    names: &[String],
    now: OffsetDateTime,
) -> Result<(), FeedbackError> {
    sqlx::query(
        "insert into feedback_tags (organization_id, name, created_at) select $1, n, $3 from unnest($2::text[]) n
         on conflict do nothing",
    )
    .bind(tx.scope().organization())
    .bind(names)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map_err(FeedbackError::db("adding tags"))?;
    Ok(())
}
