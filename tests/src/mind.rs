//! A mind that is quick and always the same: words as vectors, and wishes known by a few words. For stories that are about
//! what becomes of wishes, not about how well they are found.

use std::sync::Arc;

use async_trait::async_trait;
use feedback::{Analyzer, Conversation, Detection, Engine, FeedbackError, House, Item, Scored, checked};
use kernel::{FeedbackKind, Priority, Sentiment, SharedAmbient};
use models::{Embedder, Embedding, ModelError, ModelId, Usage};

/// Words by which a wish is known.
const WISHES: [&str; 6] = ["i wish", "we need", "we miss", "it would help", "please add", "we cannot"];

/// An engine that needs no model.
pub fn mind(ambient: SharedAmbient) -> Arc<Engine> {
    Arc::new(Engine::new(Arc::new(Words::default()), Arc::new(Plain), None, ambient))
}

/// Texts as bags of words: the same words are the same vector, other words another.
#[derive(Debug)]
pub struct Words(ModelId);

impl Default for Words {
    fn default() -> Self {
        Self(ModelId::new("stories", "words"))
    }
}

#[async_trait]
impl Embedder for Words {
    fn model(&self) -> &ModelId {
        &self.0
    }

    async fn embed(&self, texts: &[String]) -> Result<(Vec<Embedding>, Usage), ModelError> {
        Ok((texts.iter().map(|text| bag(text)).collect(), Usage::default()))
    }
}

fn bag(text: &str) -> Embedding {
    let mut vector = vec![0.0_f32; 256];
    for word in text.to_lowercase().split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() > 2) {
        // FNV-1a: the same on every machine.
        let hash = word
            .bytes()
            .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        vector[(hash % 256) as usize] += 1.0;
    }
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    vector.iter_mut().for_each(|x| *x /= length);
    vector
}

/// Every sentence that is not ours and holds words of wishing is a wish; its title is the sentence.
#[derive(Debug)]
pub struct Plain;

#[async_trait]
impl Analyzer for Plain {
    fn name(&self) -> String {
        "plain/1".into()
    }

    async fn detect(&self, talk: &Conversation) -> Result<(Detection, Usage), FeedbackError> {
        let wishes = talk.theirs().filter(|(.., said)| {
            let said = said.text.to_lowercase();
            WISHES.iter().any(|words| said.contains(words))
        });
        let sentences: Vec<Scored> = wishes.map(|(place, ..)| Scored { place, score: 1.0 }).collect();
        let holds = !sentences.is_empty();
        let (why, likely) =
            (format!("{} sentences hold words of wishing.", sentences.len()), sentences.len());
        let score = f32::from(u8::from(holds));
        Ok((Detection { holds, score, why, sentences, likely, ..Detection::default() }, Usage::default()))
    }

    async fn extract(
        &self,
        talk: &Conversation,
        detection: &Detection,
        _: &House,
    ) -> Result<(Vec<Item>, Usage), FeedbackError> {
        let items = detection.sentences.iter().filter_map(|found| {
            let said = talk.sentence_at(found.place)?.text.clone();
            let item = Item {
                title: said.trim_end_matches('.').chars().take(80).collect(),
                summary: said.clone(),
                description: said.clone(),
                kind: FeedbackKind::FeatureRequest,
                sentiment: Sentiment::Neutral,
                priority: Priority::Medium,
                area: "stories".into(),
                pain_points: Vec::new(),
                category: None,
                tags: Vec::new(),
                quotes: Vec::new(),
            };
            checked(talk, item, &[said])
        });
        Ok((items.collect(), Usage::default()))
    }
}
