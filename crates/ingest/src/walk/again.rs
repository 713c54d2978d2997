//! Beginning a window again, when Gong's cursor died under the walk.

use db::Tx;
use kernel::{Ambient, RunState};

use super::{WALKS_MOST, Walk};
use crate::{IngestError, Work, store::runs, window::Window};

impl Walk {
    /// The cursor died: the walk begins again.
    pub(super) async fn start_again(&mut self, work: &Work<'_>, window: Window) -> Result<bool, IngestError> {
        let mut tx = work.begin().await?;
        let step = runs::Step { requests: 1, ..runs::Step::default() };
        let alive = runs::step(&mut tx, self.run.id, &step).await?;
        let again = self.begin_again(&mut tx, window, work.ambient).await?;
        tx.commit().await?;
        if self.gave_up { Err(IngestError::WindowWillNotEnd) } else { Ok(again && alive) }
    }

    /// Begins again at what is left of the window, in halves when nothing could be cut off.
    pub(super) async fn begin_again(
        &mut self,
        tx: &mut Tx,
        window: Window,
        ambient: &dyn Ambient,
    ) -> Result<bool, IngestError> {
        let advanced = window != self.whole;
        let walked_again = if advanced { 0 } else { self.walked_again + 1 };
        if walked_again > WALKS_MOST {
            let code = IngestError::WindowWillNotEnd.code();
            runs::finish(tx, self.run.id, RunState::Failed, Some(code), ambient.now()).await?;
            self.gave_up = true;
            return Ok(false);
        }
        runs::remove_window(tx, self.run.id, window.from).await?;
        match window.halves().filter(|_| !advanced) {
            Some([newer, older]) => {
                runs::add_window(tx, self.run.id, newer, walked_again).await?;
                runs::add_window(tx, self.run.id, older, walked_again).await?;
            }
            None => runs::add_window(tx, self.run.id, window, walked_again).await?,
        }
        self.next(tx, ambient).await
    }
}
