//! The analyzer with an embedder whose vectors are known, and with the real model where it is there.

use std::path::Path;

use async_trait::async_trait;
use kernel::Side;
use models::{ModelError, ModelId};

use super::*;
use crate::item::tests::talk;

/// A vector that says which of some words a text holds.
#[derive(Debug)]
struct Scripted(ModelId, Mutex<usize>);

const KNOWN: [&str; 4] = ["export", "slow", "billing", "weather"];

#[async_trait]
impl Embedder for Scripted {
    fn model(&self) -> &ModelId {
        &self.0
    }
    async fn embed(&self, texts: &[String]) -> Result<(Vec<Embedding>, Usage), ModelError> {
        *self.1.lock().unwrap() += texts.len();
        let vector = |text: &String| {
            let text = text.to_lowercase();
            let mut all = vec![0.0; features::MEANING];
            for (n, word) in KNOWN.iter().enumerate() {
                all[n] = if text.contains(word) { 1.0 } else { 0.0 };
            }
            let length = all.iter().map(|x| x * x).sum::<f32>().sqrt().max(1.0);
            all.into_iter().map(|x| x / length).collect()
        };
        Ok((texts.iter().map(vector).collect(), Usage::default()))
    }
}

/// Weights that look at meaning alone: an export and slowness are wishes.
fn plain() -> Weights {
    let width = |n: u32| usize::try_from(n).unwrap() + 1;
    let (mut screen, mut decision) = (vec![0.0; width(SCREEN)], vec![0.0; width(DECISION)]);
    *screen.last_mut().unwrap() = 1.0;
    decision[width(SCREEN) - 1] = 8.0;
    decision[width(SCREEN)] = 8.0;
    *decision.last_mut().unwrap() = -4.0;
    let sorts = SORTS.map(|count| vec![Linear(vec![0.0; SORT + 1]); count]);
    Weights { screen: Linear(screen), decision: Linear(decision), sorts, limits: [0.1, 0.3, 0.5, 0.99] }
}

fn scripted() -> (Arc<Scripted>, BasicAnalyzer) {
    let embedder = Arc::new(Scripted(ModelId::new("test", "scripted"), Mutex::default()));
    (embedder.clone(), BasicAnalyzer::with_weights(embedder, plain()))
}

async fn found(analyzer: &BasicAnalyzer, talk: &Conversation, house: &House) -> (Detection, Vec<Item>) {
    let (detection, _) = analyzer.detect(talk).await.unwrap();
    let (items, _) = analyzer.extract(talk, &detection, house).await.unwrap();
    (detection, items)
}

#[tokio::test]
async fn distinct_wishes_become_items_with_words_that_were_said() {
    let talk = talk(&[
        (Side::Us, &["We can export it for you."]),
        (
            Side::Customer,
            &["Is there a way to export the list?", "We type it off by hand every day, two hours."],
        ),
        (Side::Us, &["Not yet."]),
        (Side::Customer, &["Fine."]),
        (Side::Customer, &["Then."]),
        (Side::Customer, &["The weather is good."]),
        (Side::Customer, &["And the search is slow on Mondays."]),
    ]);
    let house = House { categories: vec!["Billing".into(), "Export".into()], ..House::default() };
    let (detection, items) = found(&scripted().1, &talk, &house).await;
    assert!(detection.holds);
    assert_eq!(detection.sentences.len(), 2, "our own words are none: {detection:?}");
    assert_eq!(items.len(), 2);
    assert_eq!(items[0].title, "Export the list");
    assert_eq!(items[0].quotes[0].text, "Is there a way to export the list?");
    assert_eq!(items[0].category.as_deref(), Some("Export"));
    assert_eq!(items[0].pain_points, ["We type it off by hand every day, two hours."]);
    assert_eq!(items[1].quotes[0].text, "And the search is slow on Mondays.");
    assert_eq!(items[1].category, None);
}

#[tokio::test]
async fn a_call_without_anything_is_nothing() {
    let talk = talk(&[(Side::Customer, &["The weather is good."]), (Side::Us, &["The export is slow."])]);
    let (detection, items) = found(&scripted().1, &talk, &House::default()).await;
    assert!(!detection.holds && items.is_empty());
    assert!(detection.why.starts_with("1 sentences of the other side"), "{}", detection.why);
    let empty = Conversation { speakers: Vec::new(), turns: Vec::new() };
    assert!(!found(&scripted().1, &empty, &House::default()).await.0.holds);
}

#[tokio::test]
async fn where_nobody_of_ours_is_there_more_is_asked_for() {
    let said: &[&str] = &["The export is missing."];
    let alone = talk(&[(Side::Unknown, said)]);
    let with_us = talk(&[(Side::Unknown, said), (Side::Us, &["I see."])]);
    let analyzer = scripted().1;
    assert_eq!(found(&analyzer, &alone, &House::default()).await.1.len(), 0);
    assert_eq!(found(&analyzer, &with_us, &House::default()).await.1.len(), 1);
}

#[tokio::test]
async fn a_detection_that_was_stored_gives_the_same_items_and_a_fresh_one_costs_no_vectors() {
    let wish: &[&str] = &["The export is missing."];
    let talk = talk(&[(Side::Customer, wish), (Side::Us, &["I see."]), (Side::Customer, &["It is slow."])]);
    let (embedder, analyzer) = scripted();
    let (fresh, items) = found(&analyzer, &talk, &House::default()).await;
    let before = *embedder.1.lock().unwrap();
    analyzer.extract(&talk, &fresh, &House::default()).await.unwrap();
    assert_eq!(*embedder.1.lock().unwrap(), before);
    let stored: Detection = serde_json::from_value(serde_json::to_value(&fresh).unwrap()).unwrap();
    assert!(stored.meanings.is_empty() && stored.likely == fresh.likely);
    assert_eq!(analyzer.extract(&talk, &stored, &House::default()).await.unwrap().0, items);
    assert!(*embedder.1.lock().unwrap() > before && !items.is_empty());
}

#[tokio::test]
async fn a_long_call_costs_a_bounded_number_of_vectors() {
    let said: Vec<String> = (0..300).map(|n| format!("Sentence number {n} is about nothing.")).collect();
    let said: Vec<[&str; 1]> = said.iter().map(|text| [text.as_str()]).collect();
    let turns: Vec<(Side, &[&str])> = said
        .iter()
        .enumerate()
        .map(|(n, text)| (if n % 2 == 0 { Side::Customer } else { Side::Us }, text.as_slice()))
        .collect();
    let (embedder, analyzer) = scripted();
    found(&analyzer, &talk(&turns), &House::default()).await;
    assert!(*embedder.1.lock().unwrap() <= 2 * VECTORS.0, "{:?}", embedder.1);
}

#[tokio::test]
async fn the_real_model_finds_a_plain_wish_and_leaves_small_talk() {
    let Some(folder) = std::env::var_os("SOUNDPOST_MODEL_DIR") else {
        eprintln!("skipped: SOUNDPOST_MODEL_DIR is not set");
        return;
    };
    let model = models::MiniLm::open(Path::new(&folder)).unwrap();
    let analyzer = BasicAnalyzer::new(Arc::new(model));
    let talk = talk(&[
        (Side::Us, &["How was your weekend?"]),
        (Side::Customer, &["Very nice, we went to the lake with the kids.", "The water was cold."]),
        (Side::Us, &["Ha. And the app, does anything get in your way?"]),
        (
            Side::Customer,
            &[
                "Yes, when a driver swaps a route there is no way to hand over the open stops, so the office types all of them again by hand every evening, and that costs us an hour.",
            ],
        ),
        (Side::Us, &["I see, we don't have that today. I'm writing it down."]),
        (Side::Customer, &["Thank you.", "Will the invoice come before Friday?"]),
        (Side::Us, &["It will."]),
    ]);
    let (_, items) = found(&analyzer, &talk, &House::default()).await;
    assert_eq!(items.len(), 1, "{items:?}");
    assert!(items[0].quotes[0].text.contains("hand over the open stops"));
    assert!(items[0].title.len() <= 80);
}
