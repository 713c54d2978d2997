//! Keeping erased people away: out of every page and transcript that comes, and out of what is stored of a call in which they
//! are recognised only later.

use std::collections::HashMap;

use db::Tx;
use gong::{CallFilter, CallPage, Cursor, GongError, Purpose, Turn};
use kernel::CallId;

use crate::{
    IngestError, Work,
    calls::Party,
    erase::{shroud, texts_of},
    shroud::{self, Taken},
    store::{calls::NewCall, erasures as store, ledger},
};

impl Work<'_> {
    /// Lists calls, and takes erased people out before anybody sees the page.
    pub(crate) async fn list_calls(
        &self,
        filter: &CallFilter,
        cursor: Option<&Cursor>,
        purpose: Purpose,
    ) -> Result<CallPage, GongError> {
        let turn = self.gong.turn(purpose).await?;
        self.list_calls_in(turn, filter, cursor).await
    }

    /// The same in a turn that was waited for before.
    pub(crate) async fn list_calls_in(
        &self,
        turn: Turn,
        filter: &CallFilter,
        cursor: Option<&Cursor>,
    ) -> Result<CallPage, GongError> {
        let mut page = self.gong.list_calls_in(turn, filter, cursor).await?;
        let learned = self.shroud.page(&mut page);
        if learned.iter().any(|mark| !self.shroud.names.contains(mark)) {
            let names: Vec<Vec<u8>> = learned.iter().map(|mark| mark.to_vec()).collect();
            let learnt = async {
                let mut tx = self.begin().await?;
                store::learn(&mut tx, None, &names).await?;
                tx.commit().await.map_err(IngestError::from)
            };
            if let Err(error) = learnt.await {
                // The page is without them; only mentions in its transcripts may stay until the next look.
                tracing::warn!(error = %error, "The names of an erased person could not be noted.");
            }
        }
        Ok(page)
    }

    /// Of calls that are about to be stored anew those in which an erased person is recognised only now.
    pub(crate) async fn recognised_late(
        &self,
        tx: &mut Tx,
        rows: &[NewCall<'_>],
    ) -> Result<Vec<CallId>, IngestError> {
        let erased = |parties: &[Party]| -> Vec<Option<String>> {
            let mut speakers: Vec<_> =
                parties.iter().filter(|p| shroud::is_erased(p)).map(|p| p.speaker_id.clone()).collect();
            speakers.sort_unstable();
            speakers
        };
        let hidden: HashMap<&str, Vec<Option<String>>> = rows
            .iter()
            .map(|row| (row.gong_call_id, erased(&row.parties)))
            .filter(|(_, speakers)| !speakers.is_empty())
            .collect();
        if hidden.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<&str> = hidden.keys().copied().collect();
        let stored = store::parties_by_gong_id(tx, self.connection, &ids).await?;
        let late =
            stored.into_iter().filter(|(_, id, parties)| hidden.get(&**id) != Some(&erased(&parties.0)));
        Ok(late.map(|(id, ..)| id).collect())
    }

    /// Takes erased people out of what is already stored of calls in which they were recognised late.
    pub(crate) async fn veil_stored(&self, tx: &mut Tx, late: &[CallId]) -> Result<(), IngestError> {
        if late.is_empty() {
            return Ok(());
        }
        // With the names that were learned with the page.
        let shroud = shroud(tx, self.shroud.key.clone()).await?;
        for id in late {
            if let Some(call) = store::call(tx, *id).await? {
                texts_of(tx, &shroud, call, &mut Taken::default()).await?;
            }
        }
        Ok(())
    }

    /// Takes erased people out of transcripts that are to be stored.
    pub(crate) async fn veil(&self, tx: &mut Tx, batch: &mut ledger::Batch) -> Result<(), IngestError> {
        if self.shroud.is_empty() {
            return Ok(());
        }
        let parties = store::parties_of(tx, &batch.calls).await?;
        for (call, parties) in parties {
            let Some(at) = batch.calls.iter().position(|id| *id == call) else { continue };
            let body = batch.bodies.get_mut(at);
            if let Some((body, (masked, _))) =
                body.and_then(|body| self.shroud.transcript(body, &parties.0).map(|masked| (body, masked)))
            {
                if let Some(words) = batch.words.get_mut(at) {
                    *words = shroud::words(&masked);
                }
                *body = masked;
            }
        }
        Ok(())
    }
}
