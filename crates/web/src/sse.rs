//! `GET /api/v1/integrations/gong/events`: the connection as it changes. Every event holds the whole state, so that one
//! that was missed does not matter. Who may look is asked again every three seconds.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use accounts::Permission;
use axum::{
    extract::State,
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use db::News;
use http::{HeaderName, HeaderValue, StatusCode};
use kernel::{OrganizationId, Scope};
use tokio::{
    sync::{broadcast, mpsc},
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};
use tokio_stream::wrappers::ReceiverStream;

use crate::{
    AppState, Problem,
    api::answers::Reading,
    auth::{self, ApiCaller, Credential},
    gong_view::GongView,
};

/// The most streams of one process.
const MOST: usize = 2_000;
/// The most streams of one organization.
const MOST_OF_ONE: usize = 100;
/// At most two events a second.
const GAP: Duration = Duration::from_millis(500);
/// While something moves there is an event at least this often.
const MOVING: Duration = Duration::from_secs(5);
/// How often it is asked whether the caller still may look.
const RECHECK: Duration = Duration::from_secs(3);
/// How often a comment keeps proxies from closing the stream.
const BEAT: Duration = Duration::from_secs(15);

/// The open streams, counted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Streams(Arc<Mutex<Open>>);

#[derive(Debug, Default)]
struct Open {
    all: usize,
    of: HashMap<OrganizationId, usize>,
}

/// One open stream; dropped when it ends.
#[derive(Debug)]
struct Place {
    streams: Streams,
    organization: OrganizationId,
}

impl Streams {
    fn take(&self, organization: OrganizationId) -> Result<Place, Problem> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if open.all >= MOST {
            let detail = "Too many live streams are open. Ask with GET instead, or try again later.";
            return Err(
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_streams", detail).after(MOVING)
            );
        }
        let own = open.of.entry(organization).or_default();
        if *own >= MOST_OF_ONE {
            let detail = "This organization has 100 live streams open. Close some first.";
            return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_streams", detail).after(MOVING));
        }
        *own += 1;
        open.all += 1;
        metrics::gauge!("soundpost_event_streams").increment(1.0);
        Ok(Place { streams: self.clone(), organization })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.streams.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.all = open.all.saturating_sub(1);
        if let Some(own) = open.of.get_mut(&self.organization) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                open.of.remove(&self.organization);
            }
        }
        metrics::gauge!("soundpost_event_streams").decrement(1.0);
    }
}

/// Live events: `status` events with what `GET /api/v1/integrations/gong` answers, one at once and one when it changes.
#[utoipa::path(
    get, path = "/api/v1/integrations/gong/events", tag = "gong", operation_id = "watchGongConnection",
    responses(
        (status = 200, description = "Server-sent events named `status` with an increasing id.", body = String, content_type = "text/event-stream"),
        (status = 429, description = "The organization has too many streams open.", content_type = "application/problem+json"),
        Reading
    ),
)]
pub(crate) async fn events(State(state): State<AppState>, caller: ApiCaller) -> Result<Response, Problem> {
    caller.require(&state, Permission::ViewConnection).await?;
    let place = state.streams.take(caller.scope.organization())?;
    let (sender, receiver) = mpsc::channel::<Result<Event, Infallible>>(2);
    let stream = Stream {
        news: state.events.subscribe(),
        next_id: u64::try_from(state.ambient.now().unix_timestamp_nanos() / 1_000_000).unwrap_or(0),
        scope: caller.scope,
        credential: caller.credential.clone(),
        last: String::new(),
        moving: false,
        state,
        sender,
        _place: place,
    };
    tokio::spawn(stream.run());
    let events =
        Sse::new(ReceiverStream::new(receiver)).keep_alive(KeepAlive::new().interval(BEAT).text("beat"));
    let mut response = events.into_response();
    // nginx would hold events back otherwise.
    let name = HeaderName::from_static("x-accel-buffering");
    response.headers_mut().insert(name, HeaderValue::from_static("no"));
    Ok(response)
}

struct Stream {
    state: AppState,
    scope: Scope,
    credential: Credential,
    news: broadcast::Receiver<News>,
    sender: mpsc::Sender<Result<Event, Infallible>>,
    next_id: u64,
    last: String,
    moving: bool,
    _place: Place,
}

/// Why a stream goes on or ends.
enum Wake {
    Look,
    Recheck,
    End,
}

impl Stream {
    async fn run(mut self) {
        let mut recheck = interval(RECHECK);
        recheck.set_missed_tick_behavior(MissedTickBehavior::Delay);
        recheck.reset();
        let mut failures = 0;
        loop {
            match self.look().await {
                Ok(true) => failures = 0,
                Ok(false) => return,
                Err(_) if failures < 10 => failures += 1,
                Err(_) => return,
            }
            let looked = Instant::now();
            loop {
                match self.wait(looked, &mut recheck).await {
                    Wake::Look => break,
                    Wake::End => return,
                    // A database that does not answer now is asked again in three seconds.
                    Wake::Recheck => match auth::recheck(&self.state, &self.credential).await {
                        Ok(Some(scope)) if may_look(&scope, &self.scope) => {}
                        Ok(_) => return,
                        Err(_) => {}
                    },
                }
            }
        }
    }

    /// Sends the state if it is another than before; false when nobody listens any longer.
    async fn look(&mut self) -> Result<bool, Problem> {
        let mut tx = self.state.db.begin(&self.scope).await?;
        let view = GongView::read(&self.state, &mut tx).await?;
        drop(tx);
        self.moving = view.is_moving();
        let Ok(text) = serde_json::to_string(&view) else { return Ok(true) };
        if text == self.last {
            return Ok(true);
        }
        self.next_id += 1;
        let event = Event::default().event("status").id(self.next_id.to_string()).data(&text);
        self.last = text;
        let sent = tokio::select! {
            sent = self.sender.send(Ok(event)) => sent.is_ok(),
            () = self.state.stop.cancelled() => false,
        };
        Ok(sent)
    }

    async fn wait(&mut self, looked: Instant, recheck: &mut tokio::time::Interval) -> Wake {
        let organization = self.scope.organization();
        let moving = self.moving;
        tokio::select! {
            () = self.state.stop.cancelled() => Wake::End,
            () = self.sender.closed() => Wake::End,
            _ = recheck.tick() => Wake::Recheck,
            () = sleep_until(looked + MOVING), if moving => Wake::Look,
            heard = news_of(&mut self.news, organization) => {
                if heard {
                    // More news of the same moment are part of the same look.
                    sleep_until(looked + GAP).await;
                    Wake::Look
                } else {
                    Wake::End
                }
            }
        }
    }
}

fn may_look(now: &Scope, then: &Scope) -> bool {
    now.organization() == then.organization() && Permission::ViewConnection.granted_to(now.actor())
}

/// Waits for news of an organization that this stream is about; false when there will be none any longer.
async fn news_of(news: &mut broadcast::Receiver<News>, organization: OrganizationId) -> bool {
    loop {
        match news.recv().await {
            Ok(one) if one.organization == organization && one.topic.as_ref() != "members" => return true,
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

    #[test]
    fn streams_are_bounded_and_places_come_back() {
        let streams = Streams::default();
        let organization = OrganizationId::mint(&SystemAmbient);
        let mut places: Vec<Place> = (0..MOST_OF_ONE).map(|_| streams.take(organization).unwrap()).collect();
        assert_eq!(streams.take(organization).unwrap_err().status, StatusCode::TOO_MANY_REQUESTS);
        places.pop();
        drop(streams.take(organization).unwrap());
        drop(places);
        assert!(streams.0.lock().unwrap().of.is_empty());
        let all: Vec<Place> =
            (0..MOST).map(|_| streams.take(OrganizationId::mint(&SystemAmbient)).unwrap()).collect();
        assert_eq!(streams.take(organization).unwrap_err().status, StatusCode::SERVICE_UNAVAILABLE);
        drop(all);
    }

    #[tokio::test]
    async fn news_of_others_and_of_members_do_not_wake() {
        let (sender, mut receiver) = broadcast::channel(8);
        let (ours, others) = (OrganizationId::mint(&SystemAmbient), OrganizationId::mint(&SystemAmbient));
        let news = |organization, topic: &str| News { organization, topic: topic.into() };
        sender.send(news(others, "connection")).unwrap();
        sender.send(news(ours, "members")).unwrap();
        let waiting = tokio::time::timeout(Duration::from_millis(50), news_of(&mut receiver, ours)).await;
        assert!(waiting.is_err());
        sender.send(news(ours, "progress")).unwrap();
        assert!(news_of(&mut receiver, ours).await);
        drop(sender);
        assert!(!news_of(&mut receiver, ours).await);
    }
}
