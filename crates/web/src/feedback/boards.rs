//! Boards and tags: made, changed, put away.

use accounts::{Permission, actions};
use db::Tx;
use feedback::Board;
use kernel::BoardId;
use serde_json::json;

use super::note;
use crate::{
    AppState, Problem,
    auth::Caller,
    conditional::{IfMatch, Version},
};

/// One of the boards that were not put away.
///
/// # Errors
/// 404.
pub(crate) async fn board(tx: &mut Tx, id: BoardId) -> Result<Board, Problem> {
    let mut boards = feedback::boards(tx).await?;
    let at = boards.iter().position(|board| board.id == id).ok_or_else(|| Problem::not_found("board"))?;
    Ok(boards.swap_remove(at))
}

/// The version of what can be changed of a board.
pub(crate) fn board_version(board: &Board) -> Version {
    Version::of(&(&board.name, &board.description, &board.categories))
}

/// Makes a board.
///
/// # Errors
/// 403 below admin; 422 naming the field.
pub(crate) async fn create_board(
    state: &AppState,
    caller: &Caller,
    (name, description): (&str, &str),
    categories: &[String],
) -> Result<Board, Problem> {
    caller.require(state, Permission::ManageFeedback).await?;
    let mut tx = caller.begin(state).await?;
    let id = feedback::create_board(&mut tx, name, description, &*state.ambient).await?;
    feedback::set_categories(&mut tx, id, categories, &*state.ambient).await?;
    let made = board(&mut tx, id).await?;
    let detail = json!({ "name": made.name, "categories": made.categories });
    note(&mut tx, state, caller, (actions::BOARD_CREATED, Some(id.to_string())), detail).await?;
    tx.commit().await?;
    Ok(made)
}

/// What to change of a board; `None` leaves it.
#[derive(Debug, Default)]
pub(crate) struct BoardChange {
    pub(crate) name: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) categories: Option<Vec<String>>,
}

/// Changes a board.
///
/// # Errors
/// 403 below admin; 404; 412 when somebody was faster; 422 naming the field.
pub(crate) async fn change_board(
    state: &AppState,
    caller: &Caller,
    id: BoardId,
    from: &IfMatch,
    change: BoardChange,
) -> Result<Board, Problem> {
    caller.require(state, Permission::ManageFeedback).await?;
    let mut tx = caller.begin(state).await?;
    let old = board(&mut tx, id).await?;
    from.check(&board_version(&old))?;
    let name = change.name.as_deref().unwrap_or(&old.name);
    let description = change.description.as_deref().unwrap_or(&old.description);
    feedback::rename_board(&mut tx, id, name, description).await?;
    if let Some(categories) = &change.categories {
        feedback::set_categories(&mut tx, id, categories, &*state.ambient).await?;
    }
    let new = board(&mut tx, id).await?;
    if board_version(&new) != board_version(&old) {
        let detail = json!({
            "before": { "name": old.name, "categories": old.categories },
            "after": { "name": new.name, "categories": new.categories },
        });
        note(&mut tx, state, caller, (actions::BOARD_CHANGED, Some(id.to_string())), detail).await?;
        tx.announce("feedback").await?;
    }
    tx.commit().await?;
    Ok(new)
}

/// Puts a board away; its posts stay.
///
/// # Errors
/// 403 below admin; 404.
pub(crate) async fn archive_board(state: &AppState, caller: &Caller, id: BoardId) -> Result<(), Problem> {
    caller.require(state, Permission::ManageFeedback).await?;
    let mut tx = caller.begin(state).await?;
    let old = board(&mut tx, id).await?;
    feedback::archive_board(&mut tx, id, &*state.ambient).await?;
    // New posts hang on the oldest board again.
    let mut settings = feedback::settings(&mut tx).await?;
    if settings.default_board == Some(id) {
        settings.default_board = None;
        feedback::change_settings(&mut tx, &settings).await?;
    }
    let detail = json!({ "name": old.name, "posts": old.posts });
    note(&mut tx, state, caller, (actions::BOARD_ARCHIVED, Some(id.to_string())), detail).await?;
    tx.announce("feedback").await?;
    tx.commit().await?;
    Ok(())
}

/// Replaces the tags.
///
/// # Errors
/// 403 below admin; 412 when somebody was faster; 422 naming the field.
pub(crate) async fn set_tags(
    state: &AppState,
    caller: &Caller,
    from: &IfMatch,
    tags: &[String],
) -> Result<Vec<String>, Problem> {
    caller.require(state, Permission::ManageFeedback).await?;
    let mut tx = caller.begin(state).await?;
    let old = feedback::tags(&mut tx).await?;
    from.check(&Version::of(&old))?;
    feedback::set_tags(&mut tx, tags, &*state.ambient).await?;
    let new = feedback::tags(&mut tx).await?;
    if new != old {
        let added: Vec<&String> = new.iter().filter(|tag| !old.contains(tag)).collect();
        let removed: Vec<&String> = old.iter().filter(|tag| !new.contains(tag)).collect();
        let detail = json!({ "added": added, "removed": removed });
        note(&mut tx, state, caller, (actions::TAGS_CHANGED, None), detail).await?;
    }
    tx.commit().await?;
    Ok(new)
}
