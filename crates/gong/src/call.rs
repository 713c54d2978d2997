//! A call as Gong lists it. Knows Gong's field names and that almost each of them can be missing; must never know which calls we
//! keep.

use serde::Deserialize;
use serde_json::value::RawValue;
use time::OffsetDateTime;

use crate::{page::Malformed, scalar::Scalar};

const MOST_TEXT: usize = 1000;
const MOST_WORD: usize = 100;
const MOST_PARTIES: usize = 1000;

/// What Gong says about one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Gong's id.
    pub id: String,
    /// The title, 1,000 characters at most.
    pub title: Option<String>,
    /// Its page at Gong; http or https, nothing else.
    pub url: Option<String>,
    /// When the recording began, in UTC.
    pub started: OffsetDateTime,
    /// For when it was planned, in UTC.
    pub scheduled: Option<OffsetDateTime>,
    /// How long it took, in seconds.
    pub duration_seconds: Option<i64>,
    /// `Inbound`, `Outbound`, `Conference`, `Unknown` or a word that is new.
    pub direction: Option<String>,
    /// What it was held with, such as `Zoom`.
    pub system: Option<String>,
    /// `Internal`, `External`, `Unknown` or a word that is new.
    pub scope: Option<String>,
    /// `Video`, `Audio` or a word that is new.
    pub media: Option<String>,
    /// ISO 639-2/B, such as `eng`.
    pub language: Option<String>,
    /// Gong's id of the workspace.
    pub workspace_id: Option<String>,
    /// Gong's id of the host.
    pub primary_user_id: Option<String>,
    /// Whether it is private; `None` when Gong did not say so in as many words, which counts as private.
    pub is_private: Option<bool>,
    /// Who took part; `None` when Gong did not list them.
    pub parties: Option<Vec<Party>>,
}

/// Somebody who took part in a call.
#[derive(Clone, PartialEq, Eq)]
pub struct Party {
    /// Gong's id of the participant within this call.
    pub id: Option<String>,
    /// The key into the transcript; `None` when the person never spoke.
    pub speaker_id: Option<String>,
    /// Gong's id of the user, when it is one.
    pub user_id: Option<String>,
    /// The name.
    pub name: Option<String>,
    /// The e-mail address.
    pub email: Option<String>,
    /// The phone number.
    pub phone: Option<String>,
    /// The title or role.
    pub title: Option<String>,
    /// On which side of the table.
    pub affiliation: Affiliation,
}

impl std::fmt::Debug for Party {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Party")
            .field("id", &self.id)
            .field("affiliation", &self.affiliation)
            .finish_non_exhaustive()
    }
}

/// On which side of the table somebody sits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Affiliation {
    /// Of the Gong company.
    Internal,
    /// Of somebody else.
    External,
    /// Gong does not know, or said something new.
    Unknown,
}

impl Affiliation {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::External => "external",
            Self::Unknown => "unknown",
        }
    }

    fn parse(word: Option<&str>) -> Self {
        match word {
            Some(word) if word.eq_ignore_ascii_case("internal") => Self::Internal,
            Some(word) if word.eq_ignore_ascii_case("external") => Self::External,
            _ => Self::Unknown,
        }
    }
}

/// The element of `/v2/calls/extensive`.
#[derive(Deserialize)]
struct Element<'a> {
    #[serde(rename = "metaData", borrow)]
    meta: Meta<'a>,
    #[serde(borrow, default)]
    parties: Option<&'a RawValue>,
    #[serde(rename = "isPrivate", borrow, default)]
    private: Scalar<'a>,
}

/// The element of `/v2/calls`, and `metaData` elsewhere.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
struct Meta<'a> {
    #[serde(default)]
    id: Scalar<'a>,
    #[serde(default)]
    title: Scalar<'a>,
    #[serde(default)]
    url: Scalar<'a>,
    #[serde(default)]
    started: Scalar<'a>,
    #[serde(default)]
    scheduled: Scalar<'a>,
    #[serde(default)]
    duration: Scalar<'a>,
    #[serde(default)]
    direction: Scalar<'a>,
    #[serde(default)]
    system: Scalar<'a>,
    #[serde(default)]
    scope: Scalar<'a>,
    #[serde(default)]
    media: Scalar<'a>,
    #[serde(default)]
    language: Scalar<'a>,
    #[serde(default)]
    workspace_id: Scalar<'a>,
    #[serde(default)]
    primary_user_id: Scalar<'a>,
    #[serde(default)]
    is_private: Scalar<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
struct RawParty<'a> {
    #[serde(default)]
    id: Scalar<'a>,
    #[serde(default)]
    speaker_id: Scalar<'a>,
    #[serde(default)]
    user_id: Scalar<'a>,
    #[serde(default)]
    name: Scalar<'a>,
    #[serde(default)]
    email_address: Scalar<'a>,
    #[serde(default)]
    phone_number: Scalar<'a>,
    #[serde(default)]
    title: Scalar<'a>,
    #[serde(default)]
    affiliation: Scalar<'a>,
}

/// Reads an element of `/v2/calls/extensive`.
pub(crate) fn extensive(json: &str) -> Result<Call, Malformed> {
    let Ok(Element { meta, parties, private }) = serde_json::from_str(json) else {
        return Err(rescue(json));
    };
    let private = merge(meta.is_private.flag(), private.flag());
    let parties = parties.and_then(|parties| people(parties.get()));
    assemble(&meta, private, parties)
}

/// Reads an element of `/v2/calls`.
pub(crate) fn basic(json: &str) -> Result<Call, Malformed> {
    let Ok(meta) = serde_json::from_str::<Meta<'_>>(json) else {
        return Err(Malformed { id: None, is_private: None, why: "shape" });
    };
    assemble(&meta, meta.is_private.flag(), None)
}

fn assemble(
    meta: &Meta<'_>,
    is_private: Option<bool>,
    parties: Option<Vec<Party>>,
) -> Result<Call, Malformed> {
    let id = meta.id.id();
    let malformed = |id: Option<String>, why| Err(Malformed { id, is_private, why });
    let Some(id) = id else { return malformed(None, "id") };
    let Some(started) = meta.started.moment() else { return malformed(Some(id), "started") };
    Ok(Call {
        id,
        title: meta.title.text(MOST_TEXT),
        url: meta.url.link(),
        started,
        scheduled: meta.scheduled.moment(),
        duration_seconds: meta.duration.whole().filter(|seconds| *seconds >= 0),
        direction: meta.direction.text(MOST_WORD),
        system: meta.system.text(MOST_WORD),
        scope: meta.scope.text(MOST_WORD),
        media: meta.media.text(MOST_WORD),
        language: meta.language.text(MOST_WORD),
        workspace_id: meta.workspace_id.id(),
        primary_user_id: meta.primary_user_id.id(),
        is_private,
        parties,
    })
}

/// Either flag makes a call private; only what says no and is not contradicted makes it public.
fn merge(meta: Option<bool>, outer: Option<bool>) -> Option<bool> {
    if outer == Some(true) { Some(true) } else { meta }
}

/// The people of a call; one that cannot be read is left out.
fn people(json: &str) -> Option<Vec<Party>> {
    let elements: Vec<&RawValue> = serde_json::from_str(json).ok()?;
    let read = elements.iter().take(MOST_PARTIES);
    Some(read.filter_map(|element| serde_json::from_str(element.get()).ok().map(person)).collect())
}

fn person(raw: RawParty<'_>) -> Party {
    Party {
        id: raw.id.id(),
        speaker_id: raw.speaker_id.id(),
        user_id: raw.user_id.id(),
        name: raw.name.text(MOST_TEXT),
        email: raw.email_address.text(320),
        phone: raw.phone_number.text(MOST_WORD),
        title: raw.title.text(MOST_TEXT),
        affiliation: Affiliation::parse(raw.affiliation.text(MOST_WORD).as_deref()),
    }
}

/// Id and privacy of an element that cannot be read as a whole.
fn rescue(json: &str) -> Malformed {
    #[derive(Deserialize, Default)]
    #[serde(rename_all = "camelCase")]
    struct Probe<'a> {
        #[serde(borrow, default)]
        meta_data: Option<&'a RawValue>,
    }
    #[derive(Deserialize, Default)]
    #[serde(rename_all = "camelCase")]
    struct ProbeMeta<'a> {
        #[serde(borrow, default)]
        id: Option<&'a RawValue>,
        #[serde(borrow, default)]
        is_private: Option<&'a RawValue>,
    }
    let probe: Probe<'_> = serde_json::from_str(json).unwrap_or_default();
    let meta = probe.meta_data.and_then(|meta| serde_json::from_str::<ProbeMeta<'_>>(meta.get()).ok());
    let ProbeMeta { id, is_private } = meta.unwrap_or_default();
    Malformed {
        id: id.and_then(|id| serde_json::from_str::<Scalar<'_>>(id.get()).ok()?.id()),
        is_private: is_private.and_then(|flag| serde_json::from_str(flag.get()).ok()),
        why: "shape",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(meta: &str) -> Result<Call, Malformed> {
        extensive(&format!(
            r#"{{"metaData":{{"id":"7","started":"2026-03-05T14:01:12.482+02:00",{meta}"z":0}}}}"#
        ))
    }

    #[test]
    fn a_bare_call_has_an_id_and_a_start() {
        let call = with("").unwrap();
        assert_eq!(call.started, time::macros::datetime!(2026-03-05 12:01:12.482 UTC));
        assert_eq!((call.is_private, call.parties, call.title), (None, None, None));
    }

    #[test]
    fn privacy_is_known_only_when_it_is_said_in_as_many_words() {
        for (text, private) in [
            ("true", Some(true)),
            ("false", Some(false)),
            ("null", None),
            ("\"false\"", None),
            ("0", None),
            ("[]", None),
        ] {
            assert_eq!(with(&format!("\"isPrivate\":{text},")).unwrap().is_private, private, "{text}");
        }
        let outer =
            r#"{"isPrivate":true,"metaData":{"id":1,"started":"2026-03-05T14:01:12Z","isPrivate":false}}"#;
        assert_eq!(extensive(outer).unwrap().is_private, Some(true));
    }

    #[test]
    fn fields_of_another_type_are_as_good_as_missing() {
        let call = with(
            r#""title":5,"url":"javascript:x","duration":"long","scheduled":0,"direction":[],"workspaceId":1.5,"#,
        );
        let call = call.unwrap();
        assert_eq!((call.title, call.url, call.duration_seconds, call.scheduled), (None, None, None, None));
        assert_eq!((call.direction, call.workspace_id), (None, None));
    }

    #[test]
    fn a_call_without_id_or_start_is_malformed_but_keeps_its_privacy() {
        for (json, id, private, why) in [
            (r#"{"metaData":{"id":"7","isPrivate":true}}"#, Some("7"), Some(true), "started"),
            (r#"{"metaData":{"id":"7","started":"soon"}}"#, Some("7"), None, "started"),
            (r#"{"metaData":{"id":1e3,"started":"2026-03-05T14:01:12Z"}}"#, None, None, "id"),
            (r#"{"metaData":{"id":"7","isPrivate":true,"title":"\ud800"}}"#, Some("7"), Some(true), "shape"),
            (r#"{"metaData":null}"#, None, None, "shape"),
            (r#"{}"#, None, None, "shape"),
            ("null", None, None, "shape"),
            ("[]", None, None, "shape"),
            ("7", None, None, "shape"),
        ] {
            let expected = Malformed { id: id.map(Into::into), is_private: private, why };
            assert_eq!(extensive(json), Err(expected), "{json}");
        }
    }

    #[test]
    fn parties_are_read_one_by_one() {
        let json = r#"{"metaData":{"id":7000000000000000011,"started":"2026-03-05T14:01:12Z"},"parties":[
            {"id":"1","affiliation":"Unknown","name":"Phone Caller #1","speakerId":"8000000000000000021","methods":["Attendee"]},
            {"id":2,"affiliation":"Internal","emailAddress":"rep@example.com","speakerId":null,"userId":18446744073709551615},
            null, 5, {"affiliation":"Alien"}]}"#;
        let parties = extensive(json).unwrap().parties.unwrap();
        assert_eq!(parties.len(), 3);
        assert_eq!(parties[0].speaker_id.as_deref(), Some("8000000000000000021"));
        assert_eq!(parties[1].user_id.as_deref(), Some("18446744073709551615"));
        assert_eq!(parties[1].affiliation, Affiliation::Internal);
        assert_eq!(parties[2].affiliation, Affiliation::Unknown);
        assert!(!format!("{parties:?}").contains("rep@"));
        for text in ["null", "{}", "\"x\""] {
            let json =
                format!(r#"{{"metaData":{{"id":"7","started":"2026-03-05T14:01:12Z"}},"parties":{text}}}"#);
            assert_eq!(extensive(&json).unwrap().parties, None);
        }
    }
}
