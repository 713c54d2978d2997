//! A stored transcript, read back. It is kept as Gong sent it; here it gets its structure.

use db::Tx;
use kernel::CallId;
use serde::{Deserialize, Deserializer, de};
use time::OffsetDateTime;

use crate::{IngestError, store::views};

/// What was said in one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transcript {
    /// In the order of time.
    pub monologues: Vec<Monologue>,
    /// How many sentences.
    pub sentences: i64,
    /// How many words.
    pub words: i64,
    /// When it was stored.
    pub stored_at: OffsetDateTime,
}

/// What one person said without being interrupted.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Monologue {
    /// The speaker's key among the parties; Gong does not always know it.
    #[serde(rename = "speakerId", default, deserialize_with = "id")]
    pub speaker_id: Option<String>,
    /// Gong's topic.
    #[serde(default)]
    pub topic: Option<String>,
    /// The sentences.
    #[serde(default)]
    pub sentences: Vec<Sentence>,
}

/// One sentence.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Sentence {
    /// Milliseconds from the call's beginning.
    #[serde(rename = "start")]
    pub start_ms: i64,
    /// Milliseconds from the call's beginning.
    #[serde(rename = "end")]
    pub end_ms: i64,
    /// The words, as Gong wrote them.
    pub text: String,
}

/// Ids are text; where Gong sends a number it is taken digit by digit, never through a float.
fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Id {
        Text(String),
        Positive(u64),
        Negative(i64),
    }
    Ok(Option::<Id>::deserialize(deserializer).map_err(de::Error::custom)?.map(|id| match id {
        Id::Text(text) => text,
        Id::Positive(number) => number.to_string(),
        Id::Negative(number) => number.to_string(),
    }))
}

/// The transcript of a call; `None` when it is not here.
///
/// # Errors
/// When the database fails or the stored text is damaged.
pub async fn transcript(tx: &mut Tx, call: CallId) -> Result<Option<Transcript>, IngestError> {
    let Some(row) = views::transcript(tx, call).await? else { return Ok(None) };
    let monologues =
        serde_json::from_str(&row.body).map_err(|_| IngestError::Damaged { what: "a stored transcript" })?;
    Ok(Some(Transcript {
        monologues,
        sentences: row.sentences.into(),
        words: row.words.into(),
        stored_at: row.stored_at,
    }))
}

/// Which of these calls have a transcript here, with the time at which it was stored.
///
/// # Errors
/// When the database fails.
pub async fn stored_among(
    tx: &mut Tx,
    calls: &[CallId],
) -> Result<Vec<(CallId, OffsetDateTime)>, IngestError> {
    views::stored_among(tx, calls).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_speaker_is_read() {
        let text = r#"[{"speakerId":"18446744073709551615","topic":null,"sentences":[{"start":0,"end":1,"text":"a"}]},
            {"speakerId":18446744073709551615,"sentences":[]},{"speakerId":null,"more":1},{}]"#;
        let read: Vec<Monologue> = serde_json::from_str(text).unwrap();
        let speakers: Vec<_> = read.iter().map(|m| m.speaker_id.as_deref()).collect();
        assert_eq!(speakers, [Some("18446744073709551615"), Some("18446744073709551615"), None, None]);
    }
}
