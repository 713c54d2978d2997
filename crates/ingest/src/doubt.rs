//! "No calls", or "this key may not see calls"? Gong answers both alike [D]. A connection that brought nothing for a week,
//! of a company that has users, is in doubt: a fact beside its status, which ends with the next call.

use gong::GongError;
use time::Duration;

use crate::{IngestError, Work, store::schedules};

/// A silence this long is looked into.
const SILENCE: Duration = Duration::days(7);
/// From one question about users to the next.
const ASK_EVERY: Duration = Duration::days(1);

/// After a poll: asks Gong for its users where nothing came for a week, once a day, and notes the doubt or its end.
///
/// # Errors
/// When the database fails, or Gong does not accept the credential. Whatever else Gong answers is no failure of the poll, and
/// leaves the doubt as it is.
pub async fn doubt(work: &Work<'_>) -> Result<(), IngestError> {
    let now = work.ambient.now();
    let mut tx = work.begin().await?;
    let silence = schedules::silence(&mut tx, work.connection, now - SILENCE).await?;
    let Some(silence) = silence.filter(|silence| silence.is_silent) else {
        schedules::end_doubt(&mut tx, work.connection).await?;
        return Ok(tx.commit().await?);
    };
    if silence.asked_at.is_some_and(|at| now - at < ASK_EVERY) {
        return Ok(());
    }
    schedules::doubt_asked(&mut tx, work.connection, now).await?;
    tx.commit().await?;
    let users = match work.gong.users(None).await {
        Ok(page) => !page.users.is_empty(),
        Err(error @ GongError::Unauthorized { .. }) => return Err(IngestError::Gong(error)),
        Err(error) => {
            tracing::debug!(code = error.code(), "Gong did not say whether it has users.");
            return Ok(());
        }
    };
    let mut tx = work.begin().await?;
    schedules::note_doubt(&mut tx, work.connection, users, now).await?;
    tx.announce("progress").await?;
    Ok(tx.commit().await?)
}
