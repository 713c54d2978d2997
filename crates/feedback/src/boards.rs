//! Boards, their categories, and tags.

use db::Tx;
use kernel::{Ambient, BoardId};

use crate::{FeedbackError, conversation::clean, store::boards as store};

/// Boards of one organization.
const BOARDS_MOST: usize = 200;
/// Categories of a board.
const CATEGORIES_MOST: usize = 50;
/// Tags of an organization.
const TAGS_MOST: usize = 500;

/// Where posts hang.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Board {
    /// The board.
    pub id: BoardId,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// How many published posts hang there.
    pub posts: i64,
    /// Its categories, in alphabetical order.
    pub categories: Vec<String>,
}

/// Whether there is a board for posts to hang on; nothing is counted for it.
///
/// # Errors
/// When the database fails.
pub async fn has_board(tx: &mut Tx) -> Result<bool, FeedbackError> {
    Ok(!store::live(tx).await?.is_empty())
}

/// The boards, the oldest first.
///
/// # Errors
/// When the database fails.
pub async fn boards(tx: &mut Tx) -> Result<Vec<Board>, FeedbackError> {
    store::list(tx).await
}

/// The names of all boards, those that were put away too: posts may still hang there.
///
/// # Errors
/// When the database fails.
pub async fn board_names(tx: &mut Tx) -> Result<Vec<(BoardId, String)>, FeedbackError> {
    store::names(tx).await
}

/// Makes a board.
///
/// # Errors
/// [`FeedbackError::Setting`] for a name that cannot be or is there already.
pub async fn create_board(
    tx: &mut Tx,
    name: &str,
    description: &str,
    ambient: &dyn Ambient,
) -> Result<BoardId, FeedbackError> {
    let (name, description) = (board_name(name)?, clean(description));
    if description.chars().count() > 500 {
        return Err(FeedbackError::Setting { field: "description", fix: "may have 500 letters" });
    }
    if store::list(tx).await?.len() >= BOARDS_MOST {
        return Err(FeedbackError::Setting {
            field: "name",
            fix: "cannot be added: there are 200 boards already",
        });
    }
    let id = BoardId::mint(ambient);
    if !store::insert(tx, id, &name, &description, ambient.now()).await? {
        return Err(FeedbackError::Setting { field: "name", fix: "is the name of another board already" });
    }
    // Calls may have waited for the first board.
    crate::store::ledger::wake(tx, "no_board", ambient.now()).await?;
    crate::ledger::send(tx).await?;
    tx.announce("feedback").await?;
    Ok(id)
}

/// Gives a board another name and description.
///
/// # Errors
/// [`FeedbackError::Setting`] for a name that cannot be, [`FeedbackError::NotFound`].
pub async fn rename_board(
    tx: &mut Tx,
    board: BoardId,
    name: &str,
    description: &str,
) -> Result<(), FeedbackError> {
    let name = board_name(name)?;
    if store::rename(tx, board, &name, &clean(description)).await? {
        return Ok(());
    }
    Err(FeedbackError::NotFound { what: "board" })
}

/// Puts a board away; its posts stay and can be found without it.
///
/// # Errors
/// [`FeedbackError::NotFound`].
pub async fn archive_board(tx: &mut Tx, board: BoardId, ambient: &dyn Ambient) -> Result<(), FeedbackError> {
    if store::archive(tx, board, ambient.now()).await? {
        return Ok(());
    }
    Err(FeedbackError::NotFound { what: "board" })
}

/// Replaces the categories of a board.
///
/// # Errors
/// [`FeedbackError::Setting`] for names that cannot be, [`FeedbackError::NotFound`].
pub async fn set_categories(
    tx: &mut Tx,
    board: BoardId,
    names: &[String],
    ambient: &dyn Ambient,
) -> Result<(), FeedbackError> {
    if !store::is_live(tx, board).await? {
        return Err(FeedbackError::NotFound { what: "board" });
    }
    let names = short_names("categories", names, CATEGORIES_MOST)?;
    let names: Vec<_> = names.into_iter().map(|name| (ambient.uuid(), name)).collect();
    store::set_categories(tx, board, &names).await
}

/// The tags, in alphabetical order.
///
/// # Errors
/// When the database fails.
pub async fn tags(tx: &mut Tx) -> Result<Vec<String>, FeedbackError> {
    store::tags(tx).await
}

/// Replaces the tags. Posts keep theirs.
///
/// # Errors
/// [`FeedbackError::Setting`] for names that cannot be.
pub async fn set_tags(tx: &mut Tx, names: &[String], ambient: &dyn Ambient) -> Result<(), FeedbackError> {
    let names: Vec<String> =
        short_names("tags", names, TAGS_MOST)?.into_iter().map(|name| name.to_lowercase()).collect();
    store::set_tags(tx, &names, ambient.now()).await
}

fn board_name(name: &str) -> Result<String, FeedbackError> {
    let name = clean(name);
    if name.is_empty() || name.chars().count() > 80 {
        return Err(FeedbackError::Setting { field: "name", fix: "must have 1 to 80 letters" });
    }
    Ok(name)
}

fn short_names(field: &'static str, names: &[String], most: usize) -> Result<Vec<String>, FeedbackError> {
    let mut all: Vec<String> = Vec::new();
    for name in names.iter().map(|name| clean(name)).filter(|name| !name.is_empty()) {
        if name.chars().count() > 40 {
            return Err(FeedbackError::Setting { field, fix: "may have 40 letters each" });
        }
        if !all.iter().any(|one| one.eq_ignore_ascii_case(&name)) {
            all.push(name);
        }
    }
    if all.len() > most {
        return Err(FeedbackError::Setting { field, fix: "are too many" });
    }
    Ok(all)
}
