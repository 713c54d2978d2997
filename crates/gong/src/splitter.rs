//! Cuts a transcript answer into its elements while it arrives, so that memory holds one element and not the answer.
//!
//! Knows brackets, strings and two things of the shape: the elements stand in the array `callTranscripts` of the outermost
//! object, and everything around them is small. Checks no more JSON than it needs for cutting: an element and the rest are each
//! given out as text and must be parsed by somebody who does check. Must never know what a transcript is.
//!
//! Speed comes from looking only at bytes that matter: in a string the next quote or backslash is found by the word, and an
//! element is copied once, in runs as long as the chunks that arrive.

use std::ops::Range;

use memchr::memchr2;

const ARRAY: &[u8] = b"callTranscripts";
const MOST_REST: usize = 256 * 1024;
const MOST_DEPTH: u32 = 64;
const MOST_FIELDS: usize = 64;

/// The bytes that mean nothing to the cutting of an element, outside of its strings.
const PLAIN: [bool; 256] = {
    let mut plain = [true; 256];
    let mut special = b"\"{}[]:,".as_slice();
    while let [byte, rest @ ..] = special {
        plain[*byte as usize] = false;
        special = rest;
    }
    plain
};

/// Why an answer cannot be cut.
pub(crate) type Broken = &'static str;

/// The state between two chunks.
#[derive(Debug, Default)]
pub(crate) struct Splitter {
    most: usize,
    place: Place,
    /// Open brackets: of the rest when outside, of the element when inside.
    outer: u32,
    inner: u32,
    in_string: bool,
    escaped: bool,
    /// Everything but the elements.
    rest: Vec<u8>,
    /// In `rest`: where the string began that is or was read last, and its range once it ended.
    text_at: usize,
    last_text: Range<usize>,
    /// The next value is the one of the key `callTranscripts`.
    armed: bool,
    element: Element,
}

#[derive(Debug, Default, Clone, Copy, PartialEq)]
enum Place {
    #[default]
    Outside,
    Between(Want),
    Inside,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Want {
    ElementOrEnd,
    CommaOrEnd,
    Element,
}

/// One element of the array, with the places of its own fields.
#[derive(Debug, Default)]
pub(crate) struct Element {
    text: Vec<u8>,
    /// Its length, also where `text` has only the beginning.
    length: usize,
    fields: Vec<(Range<usize>, Range<usize>)>,
    text_at: usize,
    last_text: Range<usize>,
    open: Option<(Range<usize>, usize)>,
}

impl Element {
    /// The whole text, or `None` when it was beyond the limit.
    pub(crate) fn whole(&self) -> Option<&[u8]> {
        (self.text.len() == self.length).then_some(&self.text)
    }

    /// Where the value of the field `key` stands; also known of an element beyond the limit when it came early enough.
    pub(crate) fn field(&self, key: &str) -> Option<&[u8]> {
        let found = |(name, _): &&(Range<usize>, _)| self.text.get(name.clone()) == Some(key.as_bytes());
        let (_, value) = self.fields.iter().find(found)?;
        self.text.get(value.clone()).map(<[u8]>::trim_ascii)
    }

    fn clear(&mut self) {
        self.text.clear();
        self.fields.clear();
        self.length = 0;
        self.open = None;
        self.last_text = 0..0;
    }

    fn append(&mut self, run: &[u8], most: usize) {
        self.length += run.len();
        if self.length <= most {
            self.text.extend_from_slice(run);
        } else if self.text.len() == self.length - run.len() {
            // From here on only the length is counted; what is there stays, for the sake of the id in it.
            self.text.extend_from_slice(&run[..run.len().min(most.saturating_sub(self.text.len()))]);
        }
    }

    fn close_field(&mut self, at: usize) {
        if let Some((key, from)) = self.open.take()
            && self.fields.len() < MOST_FIELDS
        {
            self.fields.push((key, from..at));
        }
    }
}

impl Splitter {
    /// Elements of more than `most` bytes are counted but not kept.
    pub(crate) fn new(most: usize) -> Self {
        Self { most, ..Self::default() }
    }

    /// Takes bytes from the front of `chunk` until an element is complete or the chunk is used up. Returns how many were taken,
    /// and the element.
    pub(crate) fn feed(&mut self, chunk: &[u8]) -> Result<(usize, Option<&Element>), Broken> {
        let mut at = 0;
        while at < chunk.len() {
            match self.place {
                Place::Outside => at += self.outside(&chunk[at..])?,
                Place::Between(want) => {
                    self.between(chunk[at], want)?;
                    at += 1;
                }
                Place::Inside => {
                    let (taken, complete) = self.inside(&chunk[at..])?;
                    at += taken;
                    if complete {
                        self.place = Place::Between(Want::CommaOrEnd);
                        return Ok((at, Some(&self.element)));
                    }
                }
            }
        }
        Ok((at, None))
    }

    /// The answer without its elements, once all of it has been fed.
    pub(crate) fn finish(&self) -> Result<&[u8], Broken> {
        let complete = self.place == Place::Outside && self.outer == 0 && !self.in_string;
        if complete { Ok(&self.rest) } else { Err("it ends too soon") }
    }

    /// Up to and including the bracket that opens the array.
    fn outside(&mut self, chunk: &[u8]) -> Result<usize, Broken> {
        for (at, &byte) in chunk.iter().enumerate() {
            if self.rest.len() == MOST_REST {
                return Err("there is too much around the transcripts");
            }
            self.rest.push(byte);
            if self.in_string {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => {
                        self.in_string = false;
                        self.last_text = self.text_at..self.rest.len() - 1;
                    }
                    _ => {}
                }
                continue;
            }
            if byte.is_ascii_whitespace() {
                continue;
            }
            let armed = std::mem::take(&mut self.armed);
            match byte {
                b'"' => {
                    self.in_string = true;
                    self.text_at = self.rest.len();
                }
                b'{' | b'[' => {
                    self.outer = deeper(self.outer)?;
                    if armed && byte == b'[' {
                        self.place = Place::Between(Want::ElementOrEnd);
                        return Ok(at + 1);
                    }
                }
                b'}' | b']' => {
                    self.outer = self.outer.checked_sub(1).ok_or("it closes what it never opened")?
                }
                b':' => self.armed = self.outer == 1 && self.rest.get(self.last_text.clone()) == Some(ARRAY),
                _ => {}
            }
        }
        Ok(chunk.len())
    }

    /// One byte between two elements.
    fn between(&mut self, byte: u8, want: Want) -> Result<(), Broken> {
        self.place = match (byte, want) {
            (b' ' | b'\t' | b'\n' | b'\r', _) => Place::Between(want),
            (b',', Want::CommaOrEnd) => Place::Between(Want::Element),
            (b']', Want::ElementOrEnd | Want::CommaOrEnd) => {
                self.rest.push(byte);
                self.outer -= 1;
                Place::Outside
            }
            (b'{', Want::ElementOrEnd | Want::Element) => {
                self.element.clear();
                self.element.append(b"{", self.most);
                self.inner = 1;
                Place::Inside
            }
            _ => return Err("the list of transcripts is not a list of objects"),
        };
        Ok(())
    }

    /// Up to and including the bracket that closes the element, or all of the chunk.
    fn inside(&mut self, chunk: &[u8]) -> Result<(usize, bool), Broken> {
        let base = self.element.length;
        let mut at = 0;
        while at < chunk.len() {
            if self.in_string {
                at += self.string(&chunk[at..], base + at);
                continue;
            }
            let byte = chunk[at];
            at += 1;
            if PLAIN[usize::from(byte)] {
                continue;
            }
            match byte {
                b'"' => {
                    self.in_string = true;
                    self.element.text_at = base + at;
                }
                b'{' | b'[' => self.inner = deeper(self.inner)?,
                b'}' | b']' => {
                    self.inner -= 1;
                    if self.inner == 0 {
                        self.element.close_field(base + at - 1);
                        self.element.append(&chunk[..at], self.most);
                        return Ok((at, true));
                    }
                }
                b':' if self.inner == 1 => {
                    self.element.open = Some((self.element.last_text.clone(), base + at))
                }
                b',' if self.inner == 1 => self.element.close_field(base + at - 1),
                _ => {}
            }
        }
        self.element.append(chunk, self.most);
        Ok((at, false))
    }

    /// The part of a string that is in the chunk, its closing quote included. `base` is the place of the chunk in the element.
    fn string(&mut self, chunk: &[u8], base: usize) -> usize {
        if self.escaped {
            self.escaped = false;
            return 1;
        }
        let Some(found) = quote_or_backslash(chunk) else {
            return chunk.len();
        };
        if chunk[found] == b'"' {
            self.in_string = false;
            self.element.last_text = self.element.text_at..base + found;
        } else {
            self.escaped = true;
        }
        found + 1
    }
}

/// Where the next quote or backslash is. Most strings are keys: those are settled within one word, without a call.
#[inline]
fn quote_or_backslash(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let zero = |word: u64| word.wrapping_sub(ONES) & !word & (ONES << 7);
    if let Some(first) = bytes.first_chunk() {
        let word = u64::from_le_bytes(*first);
        // A byte that matches has its high bit set; false ones can only stand above the first true one.
        let hits = zero(word ^ (ONES * u64::from(b'"'))) | zero(word ^ (ONES * u64::from(b'\\')));
        if hits != 0 {
            return Some((hits.trailing_zeros() / 8) as usize);
        }
    }
    memchr2(b'"', b'\\', bytes)
}

fn deeper(depth: u32) -> Result<u32, Broken> {
    if depth < MOST_DEPTH { Ok(depth + 1) } else { Err("it is nested too deeply") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    /// Elements and rest of a text that arrives in chunks of these sizes, over and over.
    fn split(text: &[u8], sizes: &[usize]) -> Result<(Vec<String>, String), Broken> {
        let (mut splitter, mut elements, mut rest) = (Splitter::new(1 << 20), Vec::new(), text);
        let mut sizes = sizes.iter().cycle();
        while !rest.is_empty() {
            let size = (*sizes.next().unwrap()).clamp(1, rest.len());
            let (mut chunk, after) = rest.split_at(size);
            rest = after;
            while !chunk.is_empty() {
                let (taken, element) = splitter.feed(chunk)?;
                if let Some(element) = element {
                    elements.push(String::from_utf8(element.whole().unwrap().to_vec()).unwrap());
                }
                chunk = &chunk[taken..];
            }
        }
        let rest = String::from_utf8(splitter.finish()?.to_vec()).unwrap();
        Ok((elements, rest))
    }

    fn anything() -> impl Strategy<Value = Value> {
        let text = "[a-z\"\\\\{}\\[\\]:,äß\u{1F3BB}\u{1}\n callTranscripts]{0,20}";
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            text.prop_map(Value::from),
            Just(json!("callTranscripts")),
        ];
        leaf.prop_recursive(4, 40, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(
                    prop_oneof![text, Just("callTranscripts".to_owned())],
                    inner,
                    0..6
                )
                .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    fn object() -> impl Strategy<Value = Value> {
        prop::collection::btree_map("[a-zA-Z\"\\\\ä]{1,8}", anything(), 0..5)
            .prop_map(|map| Value::Object(map.into_iter().collect()))
    }

    proptest! {
        #[test]
        fn the_elements_are_the_ones_that_serde_json_sees(
            elements in prop::collection::vec(object(), 0..6),
            before in prop::collection::btree_map("[a-z\"\\\\]{1,6}", anything(), 0..3),
            after in prop::collection::btree_map("[A-Z]{1,6}", anything(), 0..3),
            sizes in prop::collection::vec(1_usize..40, 1..8),
            pretty in any::<bool>(),
        ) {
            let mut document: serde_json::Map<String, Value> = before.into_iter().collect();
            document.insert("callTranscripts".into(), elements.clone().into());
            document.extend(after);
            let document = Value::Object(document);
            let text = if pretty { serde_json::to_string_pretty(&document) } else { serde_json::to_string(&document) };
            let (found, rest) = split(text.unwrap().as_bytes(), &sizes).unwrap();
            let found: Vec<Value> = found.iter().map(|text| serde_json::from_str(text).unwrap()).collect();
            prop_assert_eq!(found, elements);
            let mut expected = document;
            expected["callTranscripts"] = json!([]);
            prop_assert_eq!(serde_json::from_str::<Value>(&rest).unwrap(), expected);
        }

        #[test]
        fn the_fields_of_an_element_are_found_whatever_the_chunks(
            fields in prop::collection::btree_map("[a-z]{1,6}", anything(), 0..8), size in 1_usize..50
        ) {
            let object = Value::Object(fields.clone().into_iter().collect());
            let text = format!("{{\"callTranscripts\":[{}]}}", serde_json::to_string_pretty(&object).unwrap());
            let mut splitter = Splitter::new(1 << 20);
            let mut found = 0;
            for mut chunk in text.as_bytes().chunks(size) {
                while !chunk.is_empty() {
                    let (taken, element) = splitter.feed(chunk).unwrap();
                    if let Some(element) = element {
                        for (key, value) in &fields {
                            prop_assert_eq!(&serde_json::from_slice::<Value>(element.field(key).unwrap()).unwrap(), value);
                            found += 1;
                        }
                    }
                    chunk = &chunk[taken..];
                }
            }
            prop_assert_eq!(found, fields.len());
        }

        #[test]
        fn noise_breaks_nothing(noise in prop::collection::vec(prop_oneof![
            Just(b'{'), Just(b'}'), Just(b'['), Just(b']'), Just(b'"'), Just(b'\\'), Just(b','), Just(b':'), any::<u8>()
        ], 0..200)) {
            let mut text = b"{\"callTranscripts\":[".to_vec();
            text.extend(noise);
            let mut splitter = Splitter::new(50);
            let mut chunk = text.as_slice();
            while let Ok((taken, _)) = splitter.feed(chunk) {
                chunk = &chunk[taken..];
                if chunk.is_empty() {
                    break;
                }
            }
            let _ = splitter.finish();
        }
    }

    #[test]
    fn broken_lists_are_not_taken_for_whole_ones() {
        let deep = format!("{{\"callTranscripts\":[{{\"a\":{}1{}}}]}}", "[".repeat(70), "]".repeat(70));
        let around = format!("{{\"x\":\"{}\",\"callTranscripts\":[]}}", "y".repeat(300_000));
        for text in [
            "",
            "{",
            "{\"callTranscripts\":[",
            "{\"callTranscripts\":[{}",
            "{\"callTranscripts\":[{}]",
            "{\"callTranscripts\":[{},]}",
            "{\"callTranscripts\":[,{}]}",
            "{\"callTranscripts\":[{} {}]}",
            "{\"callTranscripts\":[1]}",
            "{\"callTranscripts\":[null]}",
            "{\"callTranscripts\":[{\"a\":\"]}",
            "{\"callTranscripts\":[{\"a\":\"\\\"}]}",
            "]",
            &deep,
            &around,
        ] {
            let outcome = split(text.as_bytes(), &[7]);
            let empty = text.is_empty() && outcome == Ok((vec![], String::new()));
            assert!(outcome.is_err() || empty, "{text:.60} {outcome:?}");
        }
    }

    #[test]
    fn an_element_beyond_the_limit_is_passed_over_and_the_next_one_is_whole() {
        let text =
            format!(r#"{{"callTranscripts":[{{"callId":"7","t":"{}"}},{{"callId":"8"}}]}}"#, "x".repeat(500));
        for size in [1, 13, 1000] {
            let (mut splitter, mut seen) = (Splitter::new(100), Vec::new());
            for mut chunk in text.as_bytes().chunks(size) {
                while !chunk.is_empty() {
                    let (taken, element) = splitter.feed(chunk).unwrap();
                    if let Some(e) = element {
                        seen.push((
                            e.whole().is_some(),
                            e.field("callId").unwrap().to_vec(),
                            e.text.len() <= 100,
                        ));
                    }
                    chunk = &chunk[taken..];
                }
            }
            assert_eq!(seen, [(false, b"\"7\"".to_vec(), true), (true, b"\"8\"".to_vec(), true)]);
        }
    }
}
