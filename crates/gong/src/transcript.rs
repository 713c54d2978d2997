//! One transcript: checked in one pass over borrowed text, counted, and kept exactly as Gong sent it. Knows the shape of
//! monologues and sentences; must never know who said what.

use std::fmt;

use serde::{Deserialize, Deserializer, de};

use crate::{
    scalar::Scalar,
    splitter::{Broken, Element},
};

/// What was said in one call.
#[derive(Clone, PartialEq, Eq)]
pub struct Transcript {
    /// Gong's id of the call.
    pub call_id: String,
    /// The JSON of the list of monologues, byte for byte as it came. Checked: each monologue has `sentences`, each of them whole
    /// `start` and `end` (milliseconds) and a `text`; `speakerId` and `topic` may be null or absent.
    pub body: String,
    /// How many sentences there are.
    pub sentences: u32,
    /// How many words there are, separated by ASCII white space.
    pub words: u32,
    /// When the last sentence ends, in milliseconds from the start of the call; 0 when there is none.
    pub end_ms: i64,
}

impl fmt::Debug for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transcript")
            .field("call_id", &self.call_id)
            .field("sentences", &self.sentences)
            .finish_non_exhaustive()
    }
}

/// One element of a transcript answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TranscriptItem {
    /// A transcript.
    Ready(Transcript),
    /// Something that is not one, although it is JSON. The others are not concerned.
    Bad {
        /// Whose transcript it would be.
        call_id: Option<String>,
        /// What is wrong with it.
        why: &'static str,
    },
}

impl TranscriptItem {
    /// Gong's id of the call, where it can be read.
    pub fn call_id(&self) -> Option<&str> {
        match self {
            Self::Ready(transcript) => Some(&transcript.call_id),
            Self::Bad { call_id, .. } => call_id.as_deref(),
        }
    }
}

/// Reads one element; `None` when it says that there is no transcript yet.
pub(crate) fn read(element: &Element) -> Result<Option<TranscriptItem>, Broken> {
    let bad = |why| Ok(Some(TranscriptItem::Bad { call_id: id_of(element), why }));
    let Some(text) = element.whole() else { return bad("too_large") };
    let text = std::str::from_utf8(text).map_err(|_| "it is not UTF-8")?;
    let shape: Shape<'_> = match serde_json::from_str(text) {
        Ok(shape) => shape,
        // Grammar is checked without the meaning: half a surrogate pair, say, concerns this transcript only.
        Err(_) if serde_json::from_str::<de::IgnoredAny>(text).is_ok() => return bad("shape"),
        Err(_) => return Err("a transcript is not JSON"),
    };
    let Some(call_id) = shape.call_id.id() else { return bad("call_id") };
    let Some(count) = shape.transcript else { return Ok(None) };
    let body = element.field("transcript").and_then(|body| std::str::from_utf8(body).ok());
    let Some(body) = body.filter(|body| body.starts_with('[')) else { return bad("shape") };
    Ok(Some(TranscriptItem::Ready(Transcript {
        call_id,
        body: body.to_owned(),
        sentences: count.sentences,
        words: count.words,
        end_ms: count.end_ms,
    })))
}

fn id_of(element: &Element) -> Option<String> {
    serde_json::from_slice::<Scalar<'_>>(element.field("callId")?).ok()?.id()
}

#[derive(Deserialize)]
struct Shape<'a> {
    #[serde(rename = "callId", borrow)]
    call_id: Scalar<'a>,
    #[serde(default)]
    transcript: Option<Count>,
}

#[derive(Deserialize)]
struct Monologue {
    #[serde(rename = "speakerId", default)]
    _speaker: TextOrNumber,
    #[serde(rename = "topic", default)]
    _topic: TextOrNumber,
    sentences: Sentences,
}

#[derive(Deserialize)]
struct Sentence {
    start: i64,
    end: i64,
    text: Words,
}

/// Sentences, words and end of a list of monologues.
#[derive(Default, Clone, Copy)]
struct Count {
    sentences: u32,
    words: u32,
    end_ms: i64,
}

/// The same of the list of sentences of one monologue.
#[derive(Default)]
struct Sentences(Count);

impl Count {
    fn add(&mut self, other: Self) {
        self.sentences = self.sentences.saturating_add(other.sentences);
        self.words = self.words.saturating_add(other.words);
        self.end_ms = self.end_ms.max(other.end_ms);
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Monologues;
        impl<'de> de::Visitor<'de> for Monologues {
            type Value = Count;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of monologues")
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Count, A::Error> {
                let mut count = Count::default();
                while let Some(monologue) = seq.next_element::<Monologue>()? {
                    count.add(monologue.sentences.0);
                }
                Ok(count)
            }
        }
        deserializer.deserialize_seq(Monologues)
    }
}

impl<'de> Deserialize<'de> for Sentences {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> de::Visitor<'de> for Reader {
            type Value = Sentences;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of sentences")
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Sentences, A::Error> {
                let mut count = Count::default();
                while let Some(Sentence { start, end, text }) = seq.next_element()? {
                    count.add(Count { sentences: 1, words: text.0, end_ms: end.max(start) });
                }
                Ok(Sentences(count))
            }
        }
        deserializer.deserialize_seq(Reader)
    }
}

/// The number of words of a text that itself is not kept.
struct Words(u32);

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl de::Visitor<'_> for Reader {
            type Value = Words;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }
            fn visit_str<E>(self, text: &str) -> Result<Words, E> {
                Ok(Words(words(text.as_bytes())))
            }
        }
        deserializer.deserialize_str(Reader)
    }
}

/// Each word begins where a visible byte follows a space, or nothing. Eight bytes at a time: this runs over every text there is.
fn words(text: &[u8]) -> u32 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = ONES << 7;
    let (mut count, mut before) = (0_u64, 0);
    let mut add = |bytes: [u8; 8]| {
        let word = u64::from_le_bytes(bytes);
        // the high bit of each byte that is greater than a space
        let visible = (((word & !HIGH) + ONES * 0x5f) | word) & HIGH;
        let begins = visible & !((visible << 8) | before);
        count += (begins >> 7).wrapping_mul(ONES) >> 56;
        before = visible >> 56;
    };
    let (chunks, rest) = text.as_chunks::<8>();
    chunks.iter().copied().for_each(&mut add);
    let mut last = [b' '; 8];
    last[..rest.len()].copy_from_slice(rest);
    add(last);
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// A text, a whole number or nothing, not kept.
#[derive(Default)]
struct TextOrNumber;

impl<'de> Deserialize<'de> for TextOrNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl de::Visitor<'_> for Reader {
            type Value = TextOrNumber;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, a whole number or null")
            }
            fn visit_str<E>(self, _: &str) -> Result<TextOrNumber, E> {
                Ok(TextOrNumber)
            }
            fn visit_u64<E>(self, _: u64) -> Result<TextOrNumber, E> {
                Ok(TextOrNumber)
            }
            fn visit_i64<E>(self, _: i64) -> Result<TextOrNumber, E> {
                Ok(TextOrNumber)
            }
            fn visit_unit<E>(self) -> Result<TextOrNumber, E> {
                Ok(TextOrNumber)
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::splitter::Splitter;

    fn item(element: &[u8]) -> Result<Option<TranscriptItem>, Broken> {
        let text = [b"{\"callTranscripts\":[", element, b"]}"].concat();
        let mut splitter = Splitter::new(1 << 20);
        let (_, element) = splitter.feed(&text)?;
        read(element.ok_or("no element")?)
    }

    #[test]
    fn a_transcript_is_counted_and_kept_byte_for_byte() {
        let body = r#"[ {"speakerId":"8","topic":null,"sentences":[{"start":0,"end":1500,"text":"Hm,  \u00e4h \"yes\"\n"},
            {"end":900, "start":800, "text":"", "new":{"x":[1]}}]}, {"speakerId":null,"sentences":[]}, {"sentences":[], "speakerId":9} ]"#;
        for text in [
            format!(r#"{{"callId":"7000000000000000011","transcript": {body} }}"#),
            format!(r#"{{"extra":[{{"transcript":[]}}],"transcript":{body},"callId":7000000000000000011}}"#),
        ] {
            let Some(TranscriptItem::Ready(transcript)) = item(text.as_bytes()).unwrap() else {
                panic!("{text}")
            };
            assert_eq!(transcript.body, body);
            assert_eq!(transcript.call_id, "7000000000000000011");
            assert_eq!((transcript.sentences, transcript.words, transcript.end_ms), (2, 3, 1500));
            assert!(!format!("{transcript:?}").contains("yes"));
        }
    }

    #[test]
    fn what_is_no_transcript_concerns_only_itself() {
        let sentence = |s: &str| format!(r#"{{"callId":"7","transcript":[{{"sentences":[{s}]}}]}}"#);
        let cases = [
            r#"{"callId":"7","transcript":{}}"#.to_owned(),
            r#"{"callId":"7","transcript":[1]}"#.to_owned(),
            r#"{"callId":"7","transcript":[{}]}"#.to_owned(),
            r#"{"callId":"7","transcript":[{"sentences":null}]}"#.to_owned(),
            r#"{"callId":"7","transcript":[{"sentences":[],"topic":{}}]}"#.to_owned(),
            r#"{"callId":"7","transcript":[],"transcript":[]}"#.to_owned(),
            r#"{"callId":"7","tr\u0061nscript":[]}"#.to_owned(),
            sentence(r#"{"start":1.5,"end":2,"text":"a"}"#),
            sentence(r#"{"start":"1","end":2,"text":"a"}"#),
            sentence(r#"{"start":1,"text":"a"}"#),
            sentence(r#"{"start":1,"end":2,"text":null}"#),
            sentence(r#"{"start":1,"end":2,"text":"\ud83d"}"#),
            sentence(r#"{"start":1,"end":99999999999999999999,"text":"a"}"#),
        ];
        for text in cases {
            let expected = TranscriptItem::Bad { call_id: Some("7".into()), why: "shape" };
            assert_eq!(item(text.as_bytes()), Ok(Some(expected)), "{text}");
        }
        for text in [r#"{"callId":"a b","transcript":[]}"#, r#"{"callId":null,"transcript":[]}"#] {
            let expected = TranscriptItem::Bad { call_id: None, why: "call_id" };
            assert_eq!(item(text.as_bytes()), Ok(Some(expected)), "{text}");
        }
    }

    #[test]
    fn a_call_without_a_transcript_yet_is_passed_over() {
        assert_eq!(item(br#"{"callId":"7","transcript":null}"#), Ok(None));
        assert_eq!(item(br#"{"callId":"7"}"#), Ok(None));
        assert!(matches!(item(br#"{"callId":"7","transcript":[]}"#), Ok(Some(TranscriptItem::Ready(_)))));
    }

    #[test]
    fn what_is_not_json_ends_the_answer() {
        for text in [
            b"{\"callId\":\"7\",\"transcript\":[}".as_slice(),
            b"{\"callId\":\"7\" \"transcript\":[]}",
            b"{\"callId\":\"7\",\"transcript\":[{\"sentences\":[{\"start\":01,\"end\":2,\"text\":\"a\"}]}]}",
            b"{\"callId\":\"7\",\"transcript\":[{\"sentences\":[{\"start\":1,\"end\":2,\"text\":\"\xff\"}]}]}",
            b"{\"callId\":\"7\",\"transcript\":[{\"sentences\":[{\"start\":1,\"end\":2,\"text\":\"a\x00b\"}]}]}",
        ] {
            assert!(item(text).is_err(), "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn an_escaped_nul_stays_six_harmless_characters() {
        let text = br#"{"callId":"7","transcript":[{"sentences":[{"start":1,"end":2,"text":"a\u0000b"}]}]}"#;
        let Ok(Some(TranscriptItem::Ready(transcript))) = item(text) else { panic!() };
        assert!(transcript.body.contains("\\u0000") && !transcript.body.contains('\0'));
    }

    #[test]
    fn words_are_counted_by_the_spaces_between_them() {
        let long = "ä bc def ghij klmno pqrstu vwxyz12 34567890 end";
        for (text, count) in [
            (long, 9),
            (&long[3..], 8),
            ("12345678", 1),
            ("1234567 9", 2),
            ("12345678 9", 2),
            ("", 0),
            (" ", 0),
            ("a", 1),
            (" a  b\tc ", 3),
            ("über ein", 2),
            ("don't", 1),
        ] {
            assert_eq!(words(text.as_bytes()), count, "{text:?}");
        }
    }
}
