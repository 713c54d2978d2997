//! Vectors of texts that were embedded before, kept in a file: measuring again costs seconds instead of minutes.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use async_trait::async_trait;
use models::{Embedder, Embedding, MiniLm, ModelError, ModelId, Usage};

/// Numbers of a vector.
const WIDTH: usize = 384;

/// The model with a memory.
#[derive(Debug)]
pub(crate) struct Cached {
    model: MiniLm,
    file: PathBuf,
    known: Mutex<HashMap<u64, Embedding>>,
}

impl Cached {
    /// A model, and the file in which its vectors are kept.
    pub(crate) fn new(model: MiniLm, file: &Path) -> Self {
        let bytes = std::fs::read(file).unwrap_or_default();
        let known = bytes.chunks_exact(8 + 4 * WIDTH).map(|row| {
            let key = row[..8].iter().rev().fold(0_u64, |key, byte| key << 8 | u64::from(*byte));
            let numbers = row[8..].chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
            (key, numbers.collect())
        });
        Self { known: Mutex::new(known.collect()), model, file: file.to_owned() }
    }

    /// The model without its memory.
    pub(crate) fn bare(&self) -> MiniLm {
        self.model.clone()
    }

    /// How many tokens a text has.
    pub(crate) fn tokens(&self, text: &str) -> Result<u64, ModelError> {
        self.model.tokens(text)
    }

    /// Writes what is known.
    pub(crate) fn keep(&self) -> std::io::Result<()> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut rows: Vec<_> = known.iter().collect();
        rows.sort_by_key(|(key, _)| **key);
        let mut bytes = Vec::with_capacity(rows.len() * (8 + 4 * WIDTH));
        for (key, vector) in rows {
            bytes.extend(key.to_le_bytes());
            bytes.extend(vector.iter().flat_map(|x| x.to_le_bytes()));
        }
        if let Some(folder) = self.file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&self.file, bytes)
    }

    /// Vectors, from the file where they are known.
    pub(crate) fn vectors(&self, texts: &[String]) -> Result<Vec<Embedding>, ModelError> {
        let keys: Vec<u64> = texts.iter().map(key).collect();
        let missing: HashMap<u64, &String> = {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            keys.iter().copied().zip(texts).filter(|(key, _)| !known.contains_key(key)).collect()
        };
        let (keys_missing, missing): (Vec<u64>, Vec<String>) =
            missing.into_iter().map(|(key, text)| (key, text.clone())).unzip();
        for (keys, some) in keys_missing.chunks(512).zip(missing.chunks(512)) {
            let vectors = self.model.embed_here(some)?;
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.extend(keys.iter().copied().zip(vectors));
        }
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(keys.iter().map(|key| known.get(key).cloned().unwrap_or_default()).collect())
    }
}

#[async_trait]
impl Embedder for Cached {
    fn model(&self) -> &ModelId {
        self.model.model()
    }

    async fn embed(&self, texts: &[String]) -> Result<(Vec<Embedding>, Usage), ModelError> {
        Ok((self.vectors(texts)?, Usage::default()))
    }
}

/// The same in every run of one build.
fn key(text: &String) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
