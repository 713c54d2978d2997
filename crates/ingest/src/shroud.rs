//! What lies over people that were erased: recognises them by keyed hashes, and takes them out of whatever is to be stored.
//!
//! Pure. Knows no address in clear, and never needs one: everything that could be one is hashed and compared.

mod mask;
mod names;

use std::collections::HashSet;

use gong::CallPage;
use hmac::{Hmac, Mac};
use kernel::{ExposeSecret, SecretString};
use serde_json::Value;
use sha2::Sha256;
use time::{Duration, OffsetDateTime};

use crate::{IngestError, calls::Party};

/// What stands where an erased person's name stood.
pub(crate) const ERASED_NAME: &str = "Erased person";
/// What stands where an erased person's words or address stood.
const ERASED_TEXT: &str = "[erased]";

/// A keyed hash.
pub(crate) type Mark = [u8; 32];

/// What kind of address a person is recognised by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressKind {
    /// An e-mail address.
    Email,
    /// A phone number.
    Phone,
}

impl AddressKind {
    /// The word in tables and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone",
        }
    }

    /// The one way in which an address of this kind is written, or what is wrong with it.
    pub(crate) fn canonical(self, text: &str) -> Result<String, IngestError> {
        match self {
            Self::Email => {
                email(text).ok_or(IngestError::Setting { field: "email", fix: "must be an e-mail address" })
            }
            Self::Phone => phone(text).ok_or(IngestError::Setting {
                field: "phone",
                fix: "must be a phone number of 7 to 15 digits, with its country code",
            }),
        }
    }
}

fn email(text: &str) -> Option<String> {
    let text = text.trim().to_lowercase();
    let (name, host) = text.split_once('@')?;
    let plain = |part: &str| {
        !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || c == '@' || c.is_control())
    };
    (plain(name) && plain(host) && text.len() <= 320).then_some(text)
}

/// The digits alone, without the signs for "international".
fn phone(text: &str) -> Option<String> {
    let text = text.trim();
    let fits =
        |c: char| c.is_ascii_digit() || matches!(c, '+' | ' ' | '-' | '.' | '/' | '(' | ')' | '\u{a0}');
    if !text.chars().all(fits) {
        return None;
    }
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let digits = digits.strip_prefix("00").unwrap_or(&digits);
    (7..=15).contains(&digits.len()).then(|| digits.to_owned())
}

/// The key of one organization.
#[derive(Clone)]
pub struct ShroudKey(Hmac<Sha256>);

impl std::fmt::Debug for ShroudKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ShroudKey")
    }
}

impl ShroudKey {
    /// The key made of the organization's secret.
    ///
    /// # Errors
    /// Never with a secret of ours; an HMAC takes keys of any length.
    pub fn new(secret: &SecretString) -> Result<Self, IngestError> {
        let mac = Hmac::new_from_slice(secret.expose_secret().as_bytes());
        Ok(Self(mac.map_err(|_| IngestError::Damaged { what: "the organization's secret" })?))
    }

    /// The keyed hash of a text of one sort.
    pub(crate) fn mark(&self, sort: &str, text: &str) -> Mark {
        let mut mac = self.0.clone();
        mac.update(sort.as_bytes());
        mac.update(b"\0");
        mac.update(text.as_bytes());
        mac.finalize().into_bytes().into()
    }
}

/// Everything that has to be known before a call of this organization is stored.
#[derive(Debug, Default, Clone)]
pub struct Shroud {
    pub(crate) key: Option<ShroudKey>,
    /// How many erasures were asked for when this was read.
    pub(crate) erasures: i32,
    /// How long content may be kept.
    pub(crate) retention: Option<Duration>,
    pub(crate) addresses: HashSet<Mark>,
    pub(crate) names: HashSet<Mark>,
}

/// What was taken out of something.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) parties: i64,
    pub(crate) sentences: i64,
    pub(crate) mentions: i64,
}

impl Taken {
    pub(crate) const fn nothing(self) -> bool {
        self.parties == 0 && self.sentences == 0 && self.mentions == 0
    }
}

impl Shroud {
    pub(crate) fn is_empty(&self) -> bool {
        self.addresses.is_empty()
    }

    /// Before this moment no call's content may be stored.
    pub(crate) fn floor(&self, floor: OffsetDateTime, now: OffsetDateTime) -> OffsetDateTime {
        self.retention.map_or(floor, |days| floor.max(now - days))
    }

    fn hides(&self, email: Option<&str>, phone: Option<&str>) -> bool {
        let Some(key) = &self.key else { return false };
        let known = |sort: AddressKind, text: Option<&str>| {
            let canonical = text.and_then(|text| sort.canonical(text).ok());
            canonical.is_some_and(|text| self.addresses.contains(&key.mark(sort.as_str(), &text)))
        };
        known(AddressKind::Email, email) || known(AddressKind::Phone, phone)
    }

    /// Takes erased people out of a page as Gong sent it; says which names they bore.
    pub(crate) fn page(&self, page: &mut CallPage) -> HashSet<Mark> {
        let mut learned = HashSet::new();
        let Some(key) = self.key.as_ref().filter(|_| !self.is_empty()) else { return learned };
        for call in &mut page.calls {
            let mut hit = false;
            for party in call.parties.iter_mut().flatten() {
                if !self.hides(party.email.as_deref(), party.phone.as_deref()) {
                    continue;
                }
                hit = true;
                learned.extend(party.name.iter().flat_map(|name| names::marks(key, name)));
                if party.user_id.is_some() && call.primary_user_id == party.user_id {
                    call.primary_user_id = None;
                }
                (party.email, party.phone, party.title, party.user_id) = (None, None, None, None);
                party.name = Some(ERASED_NAME.to_owned());
            }
            let known = |mark: &Mark| self.names.contains(mark) || learned.contains(mark);
            let mask = |text: &mut Option<String>| {
                if let Some((masked, _)) =
                    text.as_deref().and_then(|text| self.masked(key, text, hit, &known))
                {
                    *text = Some(masked);
                }
            };
            mask(&mut call.title);
            for party in call.parties.iter_mut().flatten() {
                mask(&mut party.name);
            }
        }
        learned
    }

    /// Takes erased people out of the parties of a stored call; says which names they bore and which Gong users they were.
    pub(crate) fn parties(&self, parties: &mut [Party]) -> (HashSet<Mark>, Vec<String>, i64) {
        let (mut learned, mut users, mut taken) = (HashSet::new(), Vec::new(), 0);
        let Some(key) = &self.key else { return (learned, users, taken) };
        for party in parties {
            if self.hides(party.email.as_deref(), party.phone.as_deref()) {
                learned.extend(party.name.iter().flat_map(|name| names::marks(key, name)));
                users.extend(party.user_id.take());
                (party.email, party.phone, party.title) = (None, None, None);
                party.name = Some(ERASED_NAME.to_owned());
                taken += 1;
            }
        }
        (learned, users, taken)
    }

    /// A text without erased people; `None` when none of them is in it. `present`: one of them took part in the call, so
    /// that single parts of a name mean the person.
    pub(crate) fn text(&self, text: &str, present: bool) -> Option<(String, i64)> {
        let key = self.key.as_ref()?;
        self.masked(key, text, present, &|mark| self.names.contains(mark))
    }

    fn masked(
        &self,
        key: &ShroudKey,
        text: &str,
        present: bool,
        known: &dyn Fn(&Mark) -> bool,
    ) -> Option<(String, i64)> {
        if self.is_empty() {
            return None;
        }
        let address = |sort: AddressKind, text: &str| {
            sort.canonical(text).is_ok_and(|text| self.addresses.contains(&key.mark(sort.as_str(), &text)))
        };
        let mut spans = mask::addresses(text, &address);
        spans.extend(names::spans(key, text, present, known));
        mask::without(text, spans)
    }

    /// A transcript without what erased people said and without what was said of them; `None` when there is nothing.
    pub(crate) fn transcript(&self, body: &str, parties: &[Party]) -> Option<(String, Taken)> {
        if self.is_empty() {
            return None;
        }
        let erased: Vec<&Party> = parties.iter().filter(|party| is_erased(party)).collect();
        let silent: HashSet<&str> = erased.iter().filter_map(|party| party.speaker_id.as_deref()).collect();
        let mut monologues: Value = serde_json::from_str(body).ok()?;
        let mut taken = Taken::default();
        for monologue in monologues.as_array_mut()? {
            let speaker = match monologue.get("speakerId") {
                Some(Value::String(id)) => Some(id.clone()),
                Some(Value::Number(id)) => Some(id.to_string()),
                _ => None,
            };
            let silenced = speaker.is_some_and(|id| silent.contains(id.as_str()));
            for sentence in monologue.get_mut("sentences").and_then(Value::as_array_mut).into_iter().flatten()
            {
                let Some(Value::String(text)) = sentence.get_mut("text") else { continue };
                if silenced && text != ERASED_TEXT {
                    ERASED_TEXT.clone_into(text);
                    taken.sentences += 1;
                } else if let Some((masked, mentions)) = self.text(text, !erased.is_empty()) {
                    *text = masked;
                    taken.mentions += mentions;
                }
            }
        }
        (!taken.nothing()).then(|| (monologues.to_string(), taken))
    }
}

/// Whether this party is what is left of an erased person.
pub(crate) fn is_erased(party: &Party) -> bool {
    party.name.as_deref() == Some(ERASED_NAME) && party.email.is_none() && party.phone.is_none()
}

/// How many words a transcript has.
pub(crate) fn words(body: &str) -> i32 {
    let parsed: Vec<crate::transcript::Monologue> = serde_json::from_str(body).unwrap_or_default();
    let sentences = parsed.iter().flat_map(|monologue| &monologue.sentences);
    i32::try_from(sentences.map(|s| s.text.split_ascii_whitespace().count()).sum::<usize>())
        .unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests;
