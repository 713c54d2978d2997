//! `GET /api/v1/integrations/gong/events`: the connection as it changes; `GET /api/v1/feedback/events`: how feedback stands. Every event holds the whole state, so that one
//! that was missed does not matter. Who may look is asked again every three seconds; whoever still may hears a beat, so that
//! silence means a stream that something on the way holds back.

mod reader;

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
        sse::{Event, Sse},
    },
};
use http::{HeaderName, HeaderValue, StatusCode};
use kernel::{OrganizationId, Scope};
use tokio::{
    sync::{mpsc, watch},
    time::{MissedTickBehavior, interval},
};
use tokio_stream::wrappers::ReceiverStream;

use crate::{
    AppState, Problem,
    api::answers::Reading,
    auth::{self, ApiCaller, Credential},
};
pub(crate) use reader::Readers;
use reader::{About, MOVING, Seen};

/// The most streams of one process.
const MOST: usize = 2_000;
/// The most streams of one organization.
const MOST_OF_ONE: usize = 100;
/// How often it is asked whether the caller still may look, and a beat sent.
const RECHECK: Duration = Duration::from_secs(3);

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

/// Live events: `status` events with what `GET /api/v1/integrations/gong` answers, one at once and one when it changes; every
/// three seconds a `beat` without content. Asking for them does not keep a session alive.
#[utoipa::path(
    get, path = "/api/v1/integrations/gong/events", tag = "gong", operation_id = "watchGongConnection",
    responses(
        (status = 200, description = "Server-sent events: `status` with an increasing id, and `beat`.", body = String, content_type = "text/event-stream"),
        (status = 429, description = "The organization has too many streams open.", content_type = "application/problem+json"),
        Reading
    ),
)]
pub(crate) async fn events(State(state): State<AppState>, caller: ApiCaller) -> Result<Response, Problem> {
    open(state, caller, (Permission::ViewConnection, About::Gong)).await
}

/// Live events: `status` events with what `GET /api/v1/feedback/status` answers, one at once and one when it changes; every
/// three seconds a `beat` without content. Asking for them does not keep a session alive.
#[utoipa::path(
    get, path = "/api/v1/feedback/events", tag = "feedback", operation_id = "watchFeedback",
    responses(
        (status = 200, description = "Server-sent events: `status` with an increasing id, and `beat`.", body = String, content_type = "text/event-stream"),
        (status = 429, description = "The organization has too many streams open.", content_type = "application/problem+json"),
        Reading
    ),
)]
pub(crate) async fn feedback_events(
    State(state): State<AppState>,
    caller: ApiCaller,
) -> Result<Response, Problem> {
    open(state, caller, (Permission::ViewFeedback, About::Feedback)).await
}

async fn open(
    state: AppState,
    caller: ApiCaller,
    (permission, about): (Permission, About),
) -> Result<Response, Problem> {
    caller.require(&state, permission).await?;
    let place = state.streams.take(caller.scope.organization())?;
    let (sender, receiver) = mpsc::channel::<Result<Event, Infallible>>(2);
    let stream = Stream {
        seen: state.readers.follow(&state, (caller.scope.organization(), about)),
        permission,
        scope: caller.scope,
        credential: caller.credential.clone(),
        state,
        sender,
        _place: place,
    };
    tokio::spawn(stream.run());
    let mut response = Sse::new(ReceiverStream::new(receiver)).into_response();
    // nginx would hold events back otherwise.
    let name = HeaderName::from_static("x-accel-buffering");
    response.headers_mut().insert(name, HeaderValue::from_static("no"));
    Ok(response)
}

struct Stream {
    state: AppState,
    scope: Scope,
    permission: Permission,
    credential: Credential,
    seen: watch::Receiver<Option<Arc<Seen>>>,
    sender: mpsc::Sender<Result<Event, Infallible>>,
    _place: Place,
}

impl Stream {
    /// Passes on what is seen for as long as the caller listens and may look.
    async fn run(mut self) {
        let mut recheck = interval(RECHECK);
        recheck.set_missed_tick_behavior(MissedTickBehavior::Delay);
        recheck.reset();
        self.seen.mark_changed();
        loop {
            let stop = self.state.stop.clone();
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.sender.closed() => return,
                // A database that does not answer now is asked again in three seconds.
                _ = recheck.tick() => match auth::recheck(&self.state, &self.credential).await {
                    Ok(Some(scope)) if may_look(&scope, &self.scope, self.permission) => {
                        if !self.send(Event::default().event("beat").data("{}")).await {
                            return;
                        }
                    }
                    Ok(_) => return,
                    Err(_) => {}
                },
                changed = self.seen.changed() => {
                    if changed.is_err() || !self.pass_on().await {
                        return;
                    }
                }
            }
        }
    }

    /// Sends what was seen last; false when nobody listens any longer.
    async fn pass_on(&mut self) -> bool {
        let Some(seen) = self.seen.borrow_and_update().clone() else { return true };
        self.send(Event::default().event("status").id(seen.id.to_string()).data(&seen.text)).await
    }

    async fn send(&self, event: Event) -> bool {
        tokio::select! {
            sent = self.sender.send(Ok(event)) => sent.is_ok(),
            () = self.state.stop.cancelled() => false,
        }
    }
}

fn may_look(now: &Scope, then: &Scope, permission: Permission) -> bool {
    now.organization() == then.organization() && permission.granted_to(now.actor())
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
}
