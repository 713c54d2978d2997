//! Texts of data sets: rows of a CSV file, and words weighted by how rare they are. Pure but for reading the file.

use std::{collections::HashMap, path::Path};

use feedback::basic::Sparse;
use serde::de::DeserializeOwned;

use crate::fault::{Doing, Fault};

/// All rows of a file.
pub(crate) fn rows<T: DeserializeOwned>(file: &Path) -> Result<Vec<T>, Fault> {
    let mut reader = csv::Reader::from_path(file).doing(format!("opening {}", file.display()))?;
    reader.deserialize().map(|row| row.doing(format!("reading {}", file.display()))).collect()
}

/// At most so many bytes, whole letters.
pub(crate) fn head(text: &str, most: usize) -> String {
    text[..text.floor_char_boundary(most.min(text.len()))].to_owned()
}

/// Words and word pairs as places in a table.
pub(crate) fn bag(text: &str) -> Vec<u32> {
    let words: Vec<String> = text
        .split(|c: char| !c.is_alphanumeric() && c != '\'')
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    let place = |parts: &[String]| place(parts.iter().flat_map(|part| part.bytes().chain([b' '])));
    let one = words.iter().map(|word| place(std::slice::from_ref(word)));
    one.chain(words.windows(2).map(place)).collect()
}

/// Two to five letters in a row, within words and at their ends, as places in a table: half words survive mistakes of writing.
pub(crate) fn letters(text: &str) -> Vec<u32> {
    let mut places = Vec::new();
    for word in text.split_whitespace() {
        let word: Vec<char> = format!(" {} ", word.to_lowercase()).chars().collect();
        for count in 2..=5 {
            let parts = word.windows(count).map(|part| part.iter().collect::<String>());
            places.extend(parts.map(|part| place(part.bytes())));
        }
    }
    places
}

fn place(bytes: impl Iterator<Item = u8>) -> u32 {
    let hash = bytes.fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    (hash ^ (hash >> 17)) % Words::TABLE
}

/// How rare words are.
pub(crate) struct Words {
    rare: HashMap<u32, f32>,
}

impl Words {
    /// Places of words.
    pub(crate) const TABLE: u32 = 1 << 18;

    /// Learns from some texts which words are rare; those that occur in one text only are left out.
    #[expect(clippy::cast_precision_loss, reason = "counts of texts")]
    pub(crate) fn of<'a>(bags: impl Iterator<Item = &'a [u32]>) -> Self {
        let (mut counts, mut texts) = (HashMap::<u32, u32>::new(), 0_u32);
        for bag in bags {
            let mut places = bag.to_vec();
            places.sort_unstable();
            places.dedup();
            places.into_iter().for_each(|place| *counts.entry(place).or_default() += 1);
            texts += 1;
        }
        let rare = counts.into_iter().filter(|(_, count)| *count > 1);
        let weight = |count: u32| ((1.0 + texts as f32) / (1.0 + count as f32)).ln() + 1.0;
        Self { rare: rare.map(|(place, count)| (place, weight(count))).collect() }
    }

    /// A text as features of length one.
    #[expect(clippy::cast_precision_loss, reason = "counts of words")]
    pub(crate) fn features(&self, bag: &[u32]) -> Sparse {
        let mut counts = std::collections::BTreeMap::<u32, u32>::new();
        bag.iter().for_each(|place| *counts.entry(*place).or_default() += 1);
        let weigh =
            |(place, count): (u32, u32)| Some((place, self.rare.get(&place)? * (1.0 + (count as f32).ln())));
        let features: Sparse = counts.into_iter().filter_map(weigh).collect();
        let length = features.iter().map(|(_, x)| x * x).sum::<f32>().sqrt().max(1e-6);
        features.into_iter().map(|(place, x)| (place, x / length)).collect()
    }

    /// How alike two texts are by their words alone.
    pub(crate) fn likeness(&self, a: &[u32], b: &[u32]) -> f32 {
        let b: HashMap<u32, f32> = self.features(b).into_iter().collect();
        self.features(a).iter().filter_map(|(place, x)| Some(b.get(place)? * x)).sum()
    }
}
