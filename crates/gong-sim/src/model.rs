//! Companies, people, calls and what was said: the data that the simulator serves.
//! Knows nothing of HTTP; how a thing is written as JSON is in `api`.

use crate::limit::{Limit, Limiter};
use crate::talk::Talk;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::net::SocketAddr;
use time::{OffsetDateTime, UtcOffset};

/// One company that uses Gong; the number is its place in order of adding, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CompanyId(pub usize);

impl std::fmt::Display for CompanyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Things that differ from company to company; `CompanyOptions::named` is right for most tests.
#[derive(Clone, Debug)]
pub struct CompanyOptions {
    /// Name, also shown on the consent page.
    pub name: String,
    /// Offset of the times that Gong writes for this company, in minutes.
    pub offset_minutes: i32,
    /// Number of workspaces (at least 1).
    pub workspaces: usize,
    /// Number of users (at least 2).
    pub users: usize,
}

impl CompanyOptions {
    /// A company with two workspaces, eight users and two hours of offset.
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned(), offset_minutes: 120, workspaces: 2, users: 8 }
    }
}

#[derive(Debug)]
pub(crate) struct Company {
    pub(crate) id: CompanyId,
    pub(crate) name: String,
    pub(crate) domain: String,
    pub(crate) cell: String,
    pub(crate) address: SocketAddr,
    pub(crate) offset: UtcOffset,
    pub(crate) workspaces: Vec<(String, String)>,
    pub(crate) users: Vec<User>,
    pub(crate) calls: HashMap<String, Call>,
    pub(crate) access_keys: Vec<(String, String)>,
    pub(crate) ip_blocked: bool,
    pub(crate) limit: Option<Option<Limit>>,
    pub(crate) limiter: Limiter,
    pub(crate) cursor_key: [u8; 32],
    pub(crate) fresh_made: u64,
}

/// One Gong user.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) first: String,
    pub(crate) last: String,
    pub(crate) title: Option<String>,
    pub(crate) email: String,
    pub(crate) created: OffsetDateTime,
    pub(crate) active: bool,
}

/// One sentence; times in milliseconds from the start of the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentence {
    /// Start in milliseconds.
    pub start_ms: i64,
    /// End in milliseconds.
    pub end_ms: i64,
    /// The words, byte for byte as they are served.
    pub text: String,
}

/// Sentences that one speaker said in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Monologue {
    /// Key into the parties; `None` is served as null.
    pub speaker_id: Option<String>,
    /// Topic; `None` is served as null.
    pub topic: Option<String>,
    /// At least one.
    pub sentences: Vec<Sentence>,
}

/// One participant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Party {
    /// Id within this call.
    pub id: String,
    /// Name; made up by Gong for unknown callers.
    pub name: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// Job title.
    pub title: Option<String>,
    /// Phone number.
    pub phone: Option<String>,
    /// Gong user id of an internal party.
    pub user_id: Option<String>,
    /// Key into the transcript; `None` when the person never spoke.
    pub speaker_id: Option<String>,
    /// `Internal`, `External`, `Unknown` or something new.
    pub affiliation: String,
    /// `Invitee`, `Attendee`.
    pub methods: Vec<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) id: String,
    pub(crate) number: u64,
    pub(crate) title: Option<String>,
    pub(crate) started: OffsetDateTime,
    pub(crate) scheduled: Option<OffsetDateTime>,
    pub(crate) duration_s: i64,
    pub(crate) primary_user: Option<String>,
    pub(crate) direction: String,
    pub(crate) system: Option<String>,
    pub(crate) scope: String,
    pub(crate) media: String,
    pub(crate) language: Option<String>,
    pub(crate) workspace_id: Option<String>,
    pub(crate) private: Option<bool>,
    pub(crate) privacy_changes: Vec<(OffsetDateTime, Option<bool>)>,
    pub(crate) visible_at: OffsetDateTime,
    pub(crate) transcript_at: Option<OffsetDateTime>,
    pub(crate) ai_at: Option<OffsetDateTime>,
    pub(crate) vanish_at: Option<OffsetDateTime>,
    pub(crate) deleted: bool,
    /// Its transcript is no UTF-8.
    pub(crate) spoilt: bool,
    pub(crate) parties: Option<Vec<Party>>,
    pub(crate) talk: Talk,
    pub(crate) extra: Map<String, Value>,
}

impl Call {
    /// The privacy flag at a time.
    pub(crate) fn private_at(&self, now: OffsetDateTime) -> Option<bool> {
        self.privacy_changes
            .iter()
            .filter(|(at, _)| *at <= now)
            .max_by_key(|(at, _)| *at)
            .map_or(self.private, |(_, flag)| *flag)
    }

    /// When the recording started.
    pub(crate) fn started(&self) -> OffsetDateTime {
        self.started
    }

    /// Whether the call still exists at a time.
    pub(crate) fn exists_at(&self, now: OffsetDateTime) -> bool {
        !self.deleted && self.vanish_at.is_none_or(|at| now < at)
    }

    /// Whether the call is listed at a time.
    pub(crate) fn visible_at(&self, now: OffsetDateTime) -> bool {
        self.exists_at(now) && self.visible_at <= now
    }

    /// Whether the transcript is served at a time (it may come before the call is listed).
    pub(crate) fn transcribed_at(&self, now: OffsetDateTime) -> bool {
        self.exists_at(now) && self.transcript_at.is_some_and(|at| at <= now)
    }

    /// The time that `GET /v2/calls` filters on: the scheduled one for web conferences.
    pub(crate) fn listed_time(&self) -> OffsetDateTime {
        match self.scheduled {
            Some(at) if self.direction == "Conference" => at,
            _ => self.started,
        }
    }
}

/// What a test may compare a client's knowledge with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Truth {
    /// Call id.
    pub id: String,
    /// Title.
    pub title: Option<String>,
    /// Start.
    #[serde(with = "time::serde::rfc3339")]
    pub started: OffsetDateTime,
    /// The privacy flag now; `None` = absent.
    pub private: Option<bool>,
    /// Whether the call is listed now.
    pub visible_now: bool,
    /// Whether the transcript is served now.
    pub has_transcript_now: bool,
    /// Number of sentences that the transcript has or will have.
    pub sentences: usize,
}
