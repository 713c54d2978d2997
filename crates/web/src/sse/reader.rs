//! One reader for all streams of an organization in this process: it looks when there are news, and hands the same text to
//! each. A hundred people who watch one page cost as much as one.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use db::News;
use kernel::{OrganizationId, Scope};
use tokio::{
    sync::{broadcast, watch},
    time::{Instant, sleep_until},
};

use crate::{AppState, Problem, api::FeedbackStatus, gong_view::GongView};

/// At most two looks a second.
const GAP: Duration = Duration::from_millis(500);
/// While something moves there is a look at least this often.
pub(super) const MOVING: Duration = Duration::from_secs(5);
/// A look that failed is repeated after this long.
const AGAIN: Duration = Duration::from_secs(1);
/// After so many failures in a row the streams end; browsers come back by themselves.
const FAILURES: u32 = 10;

/// What a stream is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum About {
    /// The Gong connection.
    Gong,
    /// Posts, and calls on the way to them.
    Feedback,
}

impl About {
    /// Whether news of this topic are about it.
    fn concerns(self, topic: &str) -> bool {
        match self {
            Self::Gong => !matches!(topic, "members" | "feedback"),
            Self::Feedback => topic == "feedback",
        }
    }
}

type Place = (OrganizationId, About);

/// What was seen last.
#[derive(Debug)]
pub(super) struct Seen {
    /// Grows from event to event.
    pub(super) id: u64,
    /// The state as JSON.
    pub(super) text: String,
}

type Latest = Option<Arc<Seen>>;

/// The readers at work, by organization and what they look at.
#[derive(Debug, Clone, Default)]
pub(crate) struct Readers(Arc<Mutex<HashMap<Place, Arc<watch::Sender<Latest>>>>>);

impl Readers {
    /// What the organization's reader sees from now on; starts one where none works.
    pub(super) fn follow(&self, state: &AppState, place: Place) -> watch::Receiver<Latest> {
        let mut readers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = readers.get(&place) {
            return sender.subscribe();
        }
        let (sender, receiver) = watch::channel(None);
        let sender = Arc::new(sender);
        readers.insert(place, sender.clone());
        let reader = Reader {
            readers: self.clone(),
            place,
            news: state.events.subscribe(),
            next_id: u64::try_from(state.ambient.now().unix_timestamp_nanos() / 1_000_000).unwrap_or(0),
            moving: false,
            ends_in: None,
            state: state.clone(),
            sender,
        };
        tokio::spawn(reader.run());
        receiver
    }

    /// Ends a reader, unless `idle_only` is asked for and somebody began to follow it meanwhile.
    fn end(&self, place: Place, sender: &watch::Sender<Latest>, idle_only: bool) -> bool {
        let mut readers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if idle_only && sender.receiver_count() > 0 {
            return false;
        }
        readers.remove(&place);
        true
    }
}

struct Reader {
    readers: Readers,
    state: AppState,
    place: Place,
    news: broadcast::Receiver<News>,
    sender: Arc<watch::Sender<Latest>>,
    next_id: u64,
    moving: bool,
    /// How long after the last look the connect request is over that was open then.
    ends_in: Option<Duration>,
}

/// Why a reader goes on or ends.
enum Wake {
    Look,
    Unwatched,
    End,
}

impl Reader {
    async fn run(mut self) {
        let mut failures = 0;
        loop {
            failures = if self.look().await.is_ok() { 0 } else { failures + 1 };
            if failures >= FAILURES {
                break;
            }
            match self.wait(Instant::now(), failures > 0).await {
                Wake::Look => {}
                Wake::End => break,
                Wake::Unwatched => {
                    if self.readers.end(self.place, &self.sender, true) {
                        return;
                    }
                }
            }
        }
        // The streams end with the sender, which the map must not keep.
        self.readers.end(self.place, &self.sender, false);
    }

    /// Hands on the state if it is another than before.
    async fn look(&mut self) -> Result<(), Problem> {
        let mut tx = self.state.db.begin(&Scope::job(self.place.0)).await?;
        let text = match self.place.1 {
            About::Gong => {
                let view = GongView::read(&self.state, &mut tx).await?;
                self.moving = view.is_moving();
                let now = self.state.ambient.now();
                self.ends_in =
                    view.connecting_until.map(|until| (until - now).try_into().unwrap_or_default());
                serde_json::to_string(&view)
            }
            About::Feedback => {
                let status = FeedbackStatus::read(&self.state, &mut tx).await?;
                self.moving = status.calls.wanted > 0;
                serde_json::to_string(&status)
            }
        };
        drop(tx);
        let Ok(text) = text else { return Ok(()) };
        if self.sender.borrow().as_ref().is_none_or(|seen| seen.text != text) {
            self.next_id += 1;
            self.sender.send_replace(Some(Arc::new(Seen { id: self.next_id, text })));
        }
        Ok(())
    }

    async fn wait(&mut self, looked: Instant, failed: bool) -> Wake {
        let (place, moving) = (self.place, self.moving);
        let over = self.ends_in.map(|rest| looked + rest.max(GAP));
        tokio::select! {
            () = self.state.stop.cancelled() => Wake::End,
            () = self.sender.closed() => Wake::Unwatched,
            () = sleep_until(looked + AGAIN), if failed => Wake::Look,
            () = sleep_until(looked + MOVING), if moving => Wake::Look,
            () = sleep_until(over.unwrap_or(looked)), if over.is_some() => Wake::Look,
            heard = news_of(&mut self.news, place) => {
                // More news of the same moment are part of the same look.
                sleep_until(looked + GAP).await;
                if heard { Wake::Look } else { Wake::End }
            }
        }
    }
}

/// Waits for news of an organization that streams are about; false when there will be none any longer.
async fn news_of(news: &mut broadcast::Receiver<News>, (organization, about): Place) -> bool {
    loop {
        match news.recv().await {
            Ok(one) if one.organization == organization && about.concerns(&one.topic) => return true,
            Ok(_) => {}
            // What was missed may have been ours.
            Err(broadcast::error::RecvError::Lagged(_)) => return true,
            Err(broadcast::error::RecvError::Closed) => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::SystemAmbient;

    #[tokio::test]
    async fn news_of_others_and_of_members_do_not_wake() {
        let (sender, mut receiver) = broadcast::channel(8);
        let (ours, others) = (OrganizationId::mint(&SystemAmbient), OrganizationId::mint(&SystemAmbient));
        let news = |organization, topic: &str| News { organization, topic: topic.into() };
        sender.send(news(others, "connection")).unwrap();
        sender.send(news(ours, "members")).unwrap();
        sender.send(news(ours, "feedback")).unwrap();
        let gong = (ours, About::Gong);
        let waiting = tokio::time::timeout(Duration::from_millis(50), news_of(&mut receiver, gong)).await;
        assert!(waiting.is_err());
        sender.send(news(ours, "progress")).unwrap();
        assert!(news_of(&mut receiver, gong).await);
        sender.send(news(ours, "progress")).unwrap();
        sender.send(news(ours, "feedback")).unwrap();
        assert!(news_of(&mut receiver, (ours, About::Feedback)).await);
        drop(sender);
        assert!(!news_of(&mut receiver, gong).await);
    }

    #[test]
    fn a_reader_that_somebody_follows_again_goes_on() {
        let readers = Readers::default();
        let organization = OrganizationId::mint(&SystemAmbient);
        let (sender, receiver) = watch::channel(None);
        let sender = Arc::new(sender);
        let place = (organization, About::Gong);
        readers.0.lock().unwrap().insert(place, sender.clone());
        assert!(!readers.end(place, &sender, true));
        drop(receiver);
        assert!(readers.end(place, &sender, true));
        assert!(readers.0.lock().unwrap().is_empty());
    }
}
