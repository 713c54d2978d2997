//! The analyzer that needs no key and no network: a quick screen over words, linear weights on what sentences mean, and rules that make
//! titles out of what was said. It knows less than a language model and says so: posts name it `basic/5`.
//!
//! `cargo xtask train` makes its weights out of the labelled calls; docs/QUALITY.md says how good it is.

mod area;
mod features;
mod group;
mod phrases;
mod title;
mod weights;
mod words;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use kernel::{FeedbackKind, Priority, Sentiment};
use models::{Embedder, Embedding, Usage, cosine};

pub use features::{DECISION, Line, SCREEN, SORT, Sparse, decision, lines, sort};
use group::{Found, has_us, is_about_others, is_commerce, is_praise, kept, wishes};
pub use weights::{Linear, SORTS, Weights};

use crate::{
    FeedbackError,
    analyze::{Analyzer, Detection, House, Scored},
    conversation::{Conversation, Place},
    item::{Item, checked, quote},
};

/// Items that are taken from one call.
const ITEMS_MOST: usize = 20;
/// Sentences of a call that get a vector: a tenth, at least and at most so many.
const VECTORS: (usize, usize) = (16, 120);
/// How like an item a category or a tag has to be.
const FITS: f32 = 0.30;
/// Tags that are found for an item.
const TAGS_MOST: usize = 3;
/// Names whose vectors are kept.
const NAMES_MOST: usize = 2_000;

/// Finds feedback with what is compiled in and an embedder.
#[derive(Debug)]
pub struct BasicAnalyzer {
    embedder: Arc<dyn Embedder>,
    weights: Weights,
    /// Vectors of categories and tags.
    names: Mutex<HashMap<String, Embedding>>,
}

impl BasicAnalyzer {
    /// With the weights that are compiled in, which were made for all-MiniLM-L6-v2.
    pub fn new(embedder: Arc<dyn Embedder>) -> Self {
        Self::with_weights(embedder, Weights::built_in().clone())
    }

    /// With weights of somebody's own: for training and measuring.
    pub fn with_weights(embedder: Arc<dyn Embedder>, weights: Weights) -> Self {
        Self { embedder, weights, names: Mutex::default() }
    }

    /// From which score on a sentence becomes an item of this call.
    fn wish_at(&self, talk: &Conversation) -> f32 {
        self.weights.limits[if has_us(talk) { 2 } else { 3 }]
    }

    /// From which score on a sentence is worth a language model's look.
    fn close_at(&self, talk: &Conversation) -> f32 {
        self.weights.limits[if has_us(talk) { 1 } else { 2 }]
    }

    /// The lines that the screen lets through, at most as many as may have a vector.
    fn worth_a_vector(&self, talk: &Conversation) -> Vec<Line> {
        let all = lines(talk);
        let most = (all.len() / 10).clamp(VECTORS.0, VECTORS.1);
        let mut scored: Vec<(f32, Line)> = all
            .into_iter()
            .map(|line| (self.weights.screen.of(&line.features), line))
            .filter(|(score, _)| chance(*score) >= self.weights.limits[0])
            .collect();
        scored.sort_by(|a, b| b.0.total_cmp(&a.0));
        scored.into_iter().take(most).map(|(_, line)| line).collect()
    }

    /// The sentences that were read closely, the surest first, each with what it means.
    async fn scored(&self, talk: &Conversation) -> Result<Vec<(Scored, Embedding)>, FeedbackError> {
        let lines = self.worth_a_vector(talk);
        let mut texts = Texts::default();
        let places: Vec<(usize, Option<usize>)> = lines
            .iter()
            .map(|line| (texts.put(talk, line.place), line.reply.map(|reply| texts.put(talk, reply))))
            .collect();
        let vectors = self.embed(&texts.texts).await?;
        let decide = |(line, (own, reply)): (&Line, (usize, Option<usize>))| {
            let features = decision(line, &vectors[own], reply.map(|n| vectors[n].as_slice()));
            let score = chance(self.weights.decision.of(&features));
            (Scored { place: line.place, score }, vectors[own].clone())
        };
        let mut scored: Vec<(Scored, Embedding)> = lines.iter().zip(places).map(decide).collect();
        scored.sort_by(|a, b| b.0.score.total_cmp(&a.0.score));
        Ok(scored)
    }

    async fn embed(&self, texts: &[String]) -> Result<Vec<Embedding>, FeedbackError> {
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        Ok(self.embedder.embed(texts).await?.0)
    }

    /// Which of some names fit an item, the best first.
    async fn fitting(&self, meaning: &[f32], names: &[String]) -> Result<Vec<String>, FeedbackError> {
        let known = |names: &[String]| -> Vec<Option<Embedding>> {
            let kept = self.names.lock().unwrap_or_else(PoisonError::into_inner);
            names.iter().map(|name| kept.get(name).cloned()).collect()
        };
        let missing: Vec<String> = names
            .iter()
            .zip(known(names))
            .filter(|(_, known)| known.is_none())
            .map(|(n, _)| n.clone())
            .collect();
        if !missing.is_empty() {
            let vectors = self.embed(&missing).await?;
            let mut kept = self.names.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() > NAMES_MOST {
                kept.clear();
            }
            kept.extend(missing.into_iter().zip(vectors));
        }
        let likes = names
            .iter()
            .zip(known(names))
            .filter_map(|(name, vector)| Some((name, cosine(&vector?, meaning))));
        let mut fitting: Vec<(&String, f32)> = likes.filter(|(_, like)| *like >= FITS).collect();
        fitting.sort_by(|a, b| b.1.total_cmp(&a.1));
        Ok(fitting.into_iter().map(|(name, _)| name.clone()).collect())
    }

    async fn item(
        &self,
        talk: &Conversation,
        wish: &[Found],
        house: &House,
    ) -> Result<Option<Item>, FeedbackError> {
        let Some(best) = wish.iter().max_by(|a, b| a.score.total_cmp(&b.score)) else { return Ok(None) };
        let text = |place: Place| talk.sentence_at(place).map_or("", |sentence| sentence.text.as_str());
        // What it is called by: the surest sentence, unless another one says better what is wanted.
        let called = wish.iter().max_by(|a, b| {
            let of = |one: &Found| one.score + title::stands_alone(text(one.place));
            of(a).total_cmp(&of(b))
        });
        let called = text(called.unwrap_or(best).place);
        let said: Vec<&str> = wish.iter().map(|one| text(one.place)).collect();
        let sorts = self.sorts(&said.join(" "));
        let kind = FeedbackKind::ALL.get(sorts[0]).copied().unwrap_or(FeedbackKind::FeatureRequest);
        let summary = title::summary(called);
        let mut item = Item {
            title: title::title(called),
            description: said.iter().map(|said| title::summary(said)).collect::<Vec<_>>().join(" "),
            kind,
            sentiment: Sentiment::ALL.get(sorts[1]).copied().unwrap_or(Sentiment::Neutral),
            priority: Priority::ALL.get(sorts[2]).copied().unwrap_or(Priority::Medium),
            area: area::area(&said.join(" "), &around(talk, best.place)),
            pain_points: pains(talk, best.place),
            category: None,
            tags: Vec::new(),
            quotes: Vec::new(),
            summary,
        };
        if !house.categories.is_empty() || !house.tags.is_empty() {
            let meaning = self.embed(&[item.canonical()]).await?.pop().unwrap_or_default();
            item.category = self.fitting(&meaning, &house.categories).await?.into_iter().next();
            item.tags = self.fitting(&meaning, &house.tags).await?;
            item.tags.truncate(TAGS_MOST);
        }
        Ok(checked(talk, item, &quotes(talk, wish)))
    }

    /// The likeliest kind, sentiment and priority, as places in their enums.
    fn sorts(&self, said: &str) -> [usize; 3] {
        let features = sort(said);
        self.weights.sorts.each_ref().map(|of| {
            let sums = of.iter().map(|linear| linear.of_all(&features)).enumerate();
            sums.max_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |(place, _)| place)
        })
    }
}

#[async_trait]
impl Analyzer for BasicAnalyzer {
    fn name(&self) -> String {
        "basic/5".into()
    }

    async fn detect(&self, talk: &Conversation) -> Result<(Detection, Usage), FeedbackError> {
        let mut scored = self.scored(talk).await?;
        let (looked_at, read) = (talk.theirs().count(), scored.len());
        let score = scored.first().map_or(0.0, |(one, _)| one.score);
        scored.retain(|(one, _)| one.score >= self.close_at(talk));
        let close: Vec<Scored> = scored.iter().map(|(one, _)| *one).collect();
        let sure = close.iter().filter(|one| one.score >= self.wish_at(talk)).count();
        let why = format!(
            "{looked_at} sentences of the other side: {read} were read closely, {} of them could hold a wish or a complaint, {sure} are \
             taken for one. The surest has {score:.2} of 1.",
            close.len(),
        );
        let meanings = scored.into_iter().map(|(one, meaning)| (one.place, meaning)).collect();
        let likely = close.iter().filter(|one| one.score >= self.weights.limits[2]).count();
        let found = Detection { holds: !close.is_empty(), score, why, sentences: close, likely, meanings };
        Ok((found, Usage::default()))
    }

    async fn extract(
        &self,
        talk: &Conversation,
        detection: &Detection,
        house: &House,
    ) -> Result<(Vec<Item>, Usage), FeedbackError> {
        let at = self.wish_at(talk);
        let sure: Vec<Scored> = detection.sentences.iter().copied().filter(|one| one.score >= at).collect();
        let mut texts = Texts::default();
        for one in sure.iter().filter(|one| !detection.meanings.contains_key(&one.place)) {
            texts.put(talk, one.place);
        }
        let vectors = self.embed(&texts.texts).await?;
        let meaning = |place: Place| {
            let late = || texts.places.get(&place).and_then(|n| vectors.get(*n));
            detection.meanings.get(&place).or_else(late).cloned().unwrap_or_default()
        };
        let found =
            sure.iter().map(|one| Found { place: one.place, score: one.score, meaning: meaning(one.place) });
        let mut wishes = kept(talk, wishes(found.collect()));
        wishes.retain(|wish| {
            !is_about_others(talk, wish, &house.vocabulary)
                && !is_praise(talk, wish)
                && !is_commerce(talk, wish)
        });
        let best = |wish: &[Found]| wish.iter().map(|one| one.score).fold(0.0, f32::max);
        wishes.sort_by(|a, b| best(b).total_cmp(&best(a)));
        wishes.truncate(ITEMS_MOST);
        wishes.sort_by_key(|wish| wish.first().map(|one| one.place));
        with_neighbours(talk, &mut wishes, &detection.sentences);
        let mut items = Vec::new();
        for wish in &wishes {
            items.extend(self.item(talk, wish, house).await?);
        }
        Ok((items, Usage::default()))
    }
}

/// Texts that are embedded together, none twice.
#[derive(Default)]
struct Texts {
    texts: Vec<String>,
    places: HashMap<Place, usize>,
}

impl Texts {
    fn put(&mut self, talk: &Conversation, place: Place) -> usize {
        *self.places.entry(place).or_insert_with(|| {
            self.texts.push(talk.sentence_at(place).map(|one| one.text.clone()).unwrap_or_default());
            self.texts.len() - 1
        })
    }
}

/// The chance that belongs to a sum.
fn chance(sum: f32) -> f32 {
    1.0 / (1.0 + (-sum).exp())
}

/// Where all that was found of a wish leans on what was said beside it ("it happens every day"), the surest sentence beside it that
/// stands alone becomes part of it, though it is not sure enough by itself.
fn with_neighbours(talk: &Conversation, wishes: &mut [Vec<Found>], close: &[Scored]) {
    let stands = |place: Place| talk.sentence_at(place).map_or(-1.0, |one| title::stands_alone(&one.text));
    let mut taken: HashSet<Place> = wishes.iter().flatten().map(|one| one.place).collect();
    for wish in wishes {
        if wish.iter().any(|one| stands(one.place) >= 0.0) {
            continue;
        }
        let beside = |place: Place| {
            wish.iter()
                .any(|one| one.place.turn == place.turn && one.place.sentence.abs_diff(place.sentence) <= 2)
        };
        let fits =
            |one: &&Scored| !taken.contains(&one.place) && stands(one.place) >= 0.0 && beside(one.place);
        let Some(one) = close.iter().filter(fits).max_by(|a, b| a.score.total_cmp(&b.score)) else {
            continue;
        };
        taken.insert(one.place);
        wish.push(Found { place: one.place, score: one.score, meaning: Embedding::default() });
        wish.sort_by_key(|one| one.place);
    }
}

/// Neighbouring sentences of one turn as one quote, the surest first.
fn quotes(talk: &Conversation, wish: &[Found]) -> Vec<String> {
    let mut spans: Vec<(Place, usize, f32)> = Vec::new();
    for one in wish {
        match spans.last_mut() {
            Some((first, last, score)) if first.turn == one.place.turn && *last + 1 == one.place.sentence => {
                *last = one.place.sentence;
                *score = score.max(one.score);
            }
            _ => spans.push((one.place, one.place.sentence, one.score)),
        }
    }
    spans.sort_by(|a, b| b.2.total_cmp(&a.2));
    let text = |(first, last, _): &(Place, usize, f32)| quote(talk, first.turn, first.sentence, *last);
    spans.iter().filter_map(text).map(|quote| quote.text).collect()
}

/// What was said in the turns around a place.
fn around(talk: &Conversation, place: Place) -> String {
    let turns = talk.turns.iter().skip(place.turn.saturating_sub(4)).take(9);
    let sentences = turns.flat_map(|turn| turn.sentences.iter().map(|one| one.text.as_str()));
    sentences.collect::<Vec<_>>().join(" ")
}

/// Sentences of the same turn that say what it costs them.
fn pains(talk: &Conversation, place: Place) -> Vec<String> {
    let said = talk.turns.get(place.turn).map_or(&[][..], |turn| &turn.sentences);
    let near = said.iter().skip(place.sentence.saturating_sub(1)).take(4);
    let costs = |text: &str| {
        let words = words::words(text);
        // Work by hand, again and again, hours.
        let cues = words::cues(text, &words);
        words.len() >= 4 && cues[3] + cues[4] + cues[9] >= 2.0
    };
    near.filter(|one| costs(&one.text)).map(|one| title::summary(&one.text)).take(2).collect()
}

#[cfg(test)]
mod tests;
