//! An answer full of transcripts, read while it arrives. Knows the limits of such an answer; must never hold more than one
//! transcript.

use std::{collections::HashSet, fmt};

use reqwest::Response;
use serde::{Deserialize, Deserializer, de::IgnoredAny};

use crate::{
    Brake, Cursor, GongError, TranscriptItem,
    body::broken,
    page::{Records, malformed},
    splitter::Splitter,
    transcript,
};

/// The most that one transcript may have.
const MOST_TRANSCRIPT: usize = 32 * 1024 * 1024;
/// The most that one answer may have.
const MOST_ANSWER: u64 = 1024 * 1024 * 1024;

/// The transcripts of one answer, one after the other.
pub struct TranscriptStream {
    /// `None` once the answer has ended, well or not.
    response: Option<Response>,
    chunk: bytes::Bytes,
    splitter: Splitter,
    asked: HashSet<String>,
    read: u64,
    unasked: u64,
    cursor: Option<Cursor>,
    request_id: Option<String>,
    brake: Brake,
}

impl fmt::Debug for TranscriptStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TranscriptStream").field("read", &self.read).finish_non_exhaustive()
    }
}

impl TranscriptStream {
    pub(crate) fn new(
        response: Option<Response>,
        ids: &[String],
        request_id: Option<String>,
        brake: Brake,
    ) -> Self {
        Self {
            response,
            chunk: bytes::Bytes::new(),
            splitter: Splitter::new(MOST_TRANSCRIPT),
            asked: ids.iter().cloned().collect(),
            read: 0,
            unasked: 0,
            cursor: None,
            request_id,
            brake,
        }
    }

    /// The next transcript; `None` at the end. After an error there is nothing more.
    pub async fn next(&mut self) -> Option<Result<TranscriptItem, GongError>> {
        self.response.as_ref()?;
        let brake = self.brake.clone();
        match brake.watch(self.step()).await {
            Ok(Some(item)) => Some(Ok(item)),
            Ok(None) => {
                self.response = None;
                None
            }
            Err(error) => {
                self.response = None;
                Some(Err(error))
            }
        }
    }

    /// The way to the next page; known only after the end, `None` on the last page.
    pub fn cursor(&self) -> Option<&Cursor> {
        self.cursor.as_ref()
    }

    /// How many transcripts were thrown away because nobody had asked for them.
    pub fn unasked(&self) -> u64 {
        self.unasked
    }

    /// How many bytes of JSON have been read.
    pub fn bytes(&self) -> u64 {
        self.read
    }

    async fn step(&mut self) -> Result<Option<TranscriptItem>, GongError> {
        loop {
            if let Some(item) = self.cut()? {
                return Ok(Some(item));
            }
            let Some(response) = &mut self.response else { return Ok(None) };
            let Some(chunk) = response.chunk().await.map_err(|error| broken(&error))? else {
                self.end()?;
                return Ok(None);
            };
            self.read += chunk.len() as u64;
            if self.read > MOST_ANSWER {
                return Err(GongError::TooLarge { request_id: self.request_id.clone() });
            }
            self.chunk = chunk;
        }
    }

    /// The next transcript in what has already arrived.
    fn cut(&mut self) -> Result<Option<TranscriptItem>, GongError> {
        while !self.chunk.is_empty() {
            let wrong = |why| GongError::Malformed { why, request_id: self.request_id.clone() };
            let (taken, element) = self.splitter.feed(&self.chunk).map_err(wrong)?;
            let item = element.map(transcript::read).transpose().map_err(wrong)?.flatten();
            self.chunk = self.chunk.split_off(taken);
            match item {
                Some(item) if item.call_id().is_none_or(|id| self.asked.contains(id)) => {
                    return Ok(Some(item));
                }
                Some(_) => self.unasked += 1,
                None => {}
            }
        }
        Ok(None)
    }

    /// Checks what stood around the transcripts; only then the answer is known to be whole.
    fn end(&mut self) -> Result<(), GongError> {
        #[derive(Deserialize)]
        struct Rest<'a> {
            #[serde(borrow, default)]
            records: Option<Records<'a>>,
            #[serde(rename = "callTranscripts", deserialize_with = "list")]
            _list: (),
        }
        let wrong = |why| GongError::Malformed { why, request_id: self.request_id.clone() };
        let rest = self.splitter.finish().map_err(wrong)?;
        let rest: Rest<'_> =
            serde_json::from_slice(rest).map_err(|_| wrong("it is not a list of transcripts"))?;
        self.cursor =
            rest.records.unwrap_or_default().next().map_err(|_| malformed("its cursor is no cursor"))?;
        Ok(())
    }
}

/// A list or null, but there.
fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
    Option::<Vec<IgnoredAny>>::deserialize(deserializer).map(drop)
}
