//! The embedding model that needs no key and no network: all-MiniLM-L6-v2, in this process.
//!
//! Apache-2.0; 384 numbers a text; English. `cargo xtask model` fetches its files and checks them by their hashes.

mod bert;

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use rayon::{ThreadPool, ThreadPoolBuilder};
use tokenizers::{Tokenizer, TruncationParams};
use tokio::sync::Semaphore;

use bert::{Bert, Config};

use crate::{Embedder, Embedding, ModelError, ModelId, Usage, embed::normalized};

/// Tokens of a text that are read; the model was trained on no more.
const TOKENS_MOST: usize = 256;
/// Texts that go through the model together. More pay little on a processor, and cost memory.
const BATCH: usize = 16;
/// Tokens that a text may be longer than the shortest that goes with it: padding is work for nothing.
const PADDING_MOST: usize = 3;

/// all-MiniLM-L6-v2. Clones share the weights (91 MB).
#[derive(Clone)]
pub struct MiniLm {
    id: ModelId,
    inner: Arc<Inner>,
    /// One text batch at a time: the processor is shared with everything else.
    turns: Arc<Semaphore>,
}

struct Inner {
    model: Bert,
    tokenizer: Tokenizer,
    /// One thread: on several, work this small costs twice the processor time for little less waiting.
    thread: ThreadPool,
}

impl fmt::Debug for MiniLm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MiniLm").field("id", &self.id).finish_non_exhaustive()
    }
}

impl MiniLm {
    /// Reads `model.safetensors`, `config.json` and `tokenizer.json` of a folder; about a third of a second.
    ///
    /// # Errors
    /// [`ModelError::Local`] with what is missing or damaged.
    pub fn open(folder: &Path) -> Result<Self, ModelError> {
        let inner = Inner::open(folder).map_err(|fault| ModelError::Local { why: fault })?;
        Ok(Self {
            id: ModelId::new("local", "all-MiniLM-L6-v2"),
            inner: Arc::new(inner),
            turns: Arc::new(Semaphore::new(1)),
        })
    }

    /// [`Embedder::embed`], on this thread.
    ///
    /// # Errors
    /// [`ModelError::Local`] when the model cannot digest a text.
    pub fn embed_here(&self, texts: &[String]) -> Result<Vec<Embedding>, ModelError> {
        self.inner
            .thread
            .install(|| self.inner.embed(texts))
            .map_err(|error| ModelError::Local { why: error.to_string() })
    }

    /// How many tokens a text of any length has.
    ///
    /// # Errors
    /// [`ModelError::Local`] when the tokenizer cannot digest the text.
    pub fn tokens(&self, text: &str) -> Result<u64, ModelError> {
        // Pieces, because the tokenizer is set to read no further than the model does.
        let words: Vec<&str> = text.split_whitespace().collect();
        words.chunks(64).try_fold(0, |sum, some| {
            let encoded = self.inner.tokenizer.encode_fast(some.join(" "), false);
            let count = encoded.map_err(|error| ModelError::Local { why: error.to_string() })?.len();
            Ok(sum + u64::try_from(count).unwrap_or(u64::MAX))
        })
    }
}

#[async_trait]
impl Embedder for MiniLm {
    fn model(&self) -> &ModelId {
        &self.id
    }

    async fn embed(&self, texts: &[String]) -> Result<(Vec<Embedding>, Usage), ModelError> {
        let stopped = || ModelError::Local { why: "the process is stopping".into() };
        let turn = self.turns.clone().acquire_owned().await.map_err(|_| stopped())?;
        let (this, texts) = (self.clone(), texts.to_vec());
        let done = tokio::task::spawn_blocking(move || {
            let vectors = this.embed_here(&texts);
            drop(turn);
            vectors
        });
        Ok((done.await.map_err(|_| stopped())??, Usage::default()))
    }
}

impl Inner {
    fn open(folder: &Path) -> Result<Self, String> {
        gemm::set_threading_threshold(usize::MAX);
        let thread = ThreadPoolBuilder::new().num_threads(1).build().map_err(|error| error.to_string())?;
        let file = |name: &str| -> (PathBuf, String) {
            let path = folder.join(name);
            let fix = format!("{} is missing or damaged; `cargo xtask model` fetches it", path.display());
            (path, fix)
        };
        let (path, fix) = file("config.json");
        let config = std::fs::read(path).ok().and_then(|bytes| serde_json::from_slice::<Config>(&bytes).ok());
        let config = config.ok_or(fix)?;
        let (path, fix) = file("tokenizer.json");
        let mut tokenizer = Tokenizer::from_file(path).map_err(|_| fix)?;
        let truncation = TruncationParams { max_length: TOKENS_MOST, ..TruncationParams::default() };
        tokenizer.with_padding(None);
        tokenizer.with_truncation(Some(truncation)).map_err(|error| error.to_string())?;
        let (path, fix) = file("model.safetensors");
        let weights = std::fs::read(path).map_err(|_| fix.clone())?;
        let weights = VarBuilder::from_buffered_safetensors(weights, DType::F32, &Device::Cpu);
        let model = weights.and_then(|weights| Bert::load(&weights, &config)).map_err(|_| fix)?;
        Ok(Self { model, tokenizer, thread })
    }

    fn embed(&self, texts: &[String]) -> Result<Vec<Embedding>, Box<dyn std::error::Error + Send + Sync>> {
        let tokens: Vec<Vec<u32>> = texts
            .iter()
            .map(|text| Ok(self.tokenizer.encode_fast(text.as_str(), true)?.get_ids().to_vec()))
            .collect::<Result<_, tokenizers::Error>>()?;
        // Texts of like length go together.
        let mut order: Vec<usize> = (0..tokens.len()).collect();
        order.sort_by_key(|n| tokens[*n].len());
        let mut vectors = vec![Vec::new(); tokens.len()];
        let mut rest = order.as_slice();
        while let Some(first) = rest.first() {
            let length = tokens[*first].len();
            let fits = rest.iter().take(BATCH).take_while(|n| tokens[**n].len() <= length + PADDING_MOST);
            let (batch, others) = rest.split_at(fits.count());
            rest = others;
            let rows: Vec<&[u32]> = batch.iter().map(|n| tokens[*n].as_slice()).collect();
            for (n, vector) in batch.iter().zip(self.forward(&rows)?) {
                vectors[*n] = normalized(vector);
            }
        }
        Ok(vectors)
    }

    /// The mean over the tokens of each row.
    fn forward(&self, rows: &[&[u32]]) -> Result<Vec<Vec<f32>>, candle_core::Error> {
        let width = rows.iter().map(|row| row.len()).max().unwrap_or(0);
        let shape = (rows.len(), width);
        let padded = |of: &dyn Fn(u32) -> u32| -> Vec<u32> {
            rows.iter()
                .flat_map(|row| row.iter().map(|id| of(*id)).chain(std::iter::repeat_n(0, width - row.len())))
                .collect()
        };
        let ids = Tensor::from_vec(padded(&|id| id), shape, &Device::Cpu)?;
        let mask = Tensor::from_vec(padded(&|_| 1), shape, &Device::Cpu)?;
        let out = self.model.forward(&ids, &mask)?;
        let mask = mask.to_dtype(DType::F32)?.unsqueeze(2)?;
        out.broadcast_mul(&mask)?.sum(1)?.to_vec2()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cosine;

    /// Where `cargo xtask model` put the files; without them nothing can be said here.
    fn model() -> Option<MiniLm> {
        let folder = std::env::var_os("SOUNDPOST_MODEL_DIR")?;
        Some(MiniLm::open(Path::new(&folder)).unwrap())
    }

    #[test]
    fn like_texts_are_near_and_unlike_ones_far() {
        let Some(model) = model() else {
            eprintln!("skipped: SOUNDPOST_MODEL_DIR is not set");
            return;
        };
        let texts = ["Export the report to PDF", "Save reports as PDF files", "Invite people by e-mail"];
        let vectors = model.embed_here(&texts.map(String::from)).unwrap();
        assert!(vectors.iter().all(|v| v.len() == 384 && (cosine(v, v) - 1.0).abs() < 1e-4));
        assert!(cosine(&vectors[0], &vectors[1]) > 0.75, "{}", cosine(&vectors[0], &vectors[1]));
        assert!(cosine(&vectors[0], &vectors[2]) < 0.3);
        let alone = model.embed_here(&[texts[1].to_owned()]).unwrap();
        assert!(cosine(&alone[0], &vectors[1]) > 0.9999, "padding changes nothing");
    }

    #[test]
    fn a_folder_without_the_files_is_refused_with_the_fix() {
        let error = MiniLm::open(Path::new("/nowhere")).unwrap_err();
        assert_eq!(error.code(), "model_missing");
        assert!(error.to_string().contains("cargo xtask model"));
    }
}
