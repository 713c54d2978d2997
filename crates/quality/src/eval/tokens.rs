//! What a language model would read behind the screen, against whole transcripts: tokens and money. No model is asked; what would be
//! sent is counted.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use feedback::{Analyzer, Conversation, Detection, FeedbackError, House, Item, LanguageAnalyzer, Scored};
use models::{Answer, Ask, LanguageModel, ModelError, Usage, list_price};
use serde_json::json;

use super::{
    Bench,
    report::{Report, table},
    speed::long_calls,
};
use crate::{
    fault::{Doing, Fault},
    judge::share,
    labelled::{self, Wish},
};

/// Tokens of an answer for each labelled item; from the length of a full item.
const ITEM: u64 = 220;
/// Models whose list prices are known.
const MODELS: [&str; 3] = ["claude-sonnet-4-5", "claude-haiku-4-5", "gpt-4.1-mini"];

/// Counts what it is asked and finds nothing.
#[derive(Debug)]
struct Counting {
    bench: Arc<crate::cache::Cached>,
    used: Mutex<(u64, u64)>,
    /// What was asked last.
    last: Mutex<String>,
}

#[async_trait]
impl LanguageModel for Counting {
    fn model(&self) -> &str {
        "counting"
    }
    async fn ask(&self, ask: &Ask) -> Result<Answer, ModelError> {
        let whole = format!("{}\n{}\n{}", ask.system, ask.user, ask.schema);
        let tokens = self.bench.tokens(&whole)?;
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.0 += 1;
        used.1 += tokens;
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&ask.user);
        Ok(Answer { value: json!({"items": []}), usage: Usage::default() })
    }
}

/// A screen that lets everything through.
#[derive(Debug)]
struct Everything;

#[async_trait]
impl Analyzer for Everything {
    fn name(&self) -> String {
        "everything".into()
    }
    async fn detect(&self, talk: &Conversation) -> Result<(Detection, Usage), FeedbackError> {
        let mut sentences = Vec::new();
        for (turn, said) in talk.turns.iter().enumerate() {
            for sentence in 0..said.sentences.len() {
                sentences.push(Scored { place: feedback::Place { turn, sentence }, score: 1.0 });
            }
        }
        Ok((Detection { holds: true, score: 1.0, sentences, ..Detection::default() }, Usage::default()))
    }
    async fn extract(
        &self,
        _: &Conversation,
        _: &Detection,
        _: &House,
    ) -> Result<(Vec<Item>, Usage), FeedbackError> {
        Ok((Vec::new(), Usage::default()))
    }
}

/// What some calls would use.
struct Used {
    questions: u64,
    input: u64,
    output: u64,
    /// Labelled items, and how many of them have a quote in what was sent.
    wishes: usize,
    sent: usize,
}

pub(super) async fn measure(bench: &Bench, report: &mut Report) -> Result<(), Fault> {
    let long = long_calls(bench)?;
    let short: Vec<(Conversation, Vec<Wish>)> =
        labelled::read(&bench.labelled, "test-")?.into_iter().map(|call| (call.talk, call.wishes)).collect();
    let mut lines = Vec::new();
    for (name, talks) in [("calls of 300 sentences", &long), ("the short calls of the test half", &short)] {
        let behind = used(bench, Arc::new(bench.basic()), talks).await?;
        let whole = used(bench, Arc::new(Everything), talks).await?;
        let calls = talks.len() as u64;
        let part = (behind.input + behind.output) as f64 / (whole.input + whole.output).max(1) as f64;
        if name.starts_with("calls") {
            report.at_most(
                "tokens behind the screen, against whole transcripts (300 sentences)",
                part,
                0.334,
                "",
            );
        } else {
            report.plain("the same for the short calls of the test half", format!("{part:.3}"));
        }
        let figure = format!("labelled items with a quote in what is sent, {name}");
        report.plain(&figure, format!("{:.3}", share(behind.sent, behind.wishes)));
        for (how, used) in [("behind the screen", &behind), ("whole transcripts", &whole)] {
            let thousand = |count: u64| count * 1_000 / calls.max(1);
            let usage = Usage { input: thousand(used.input), output: thousand(used.output) };
            let money = MODELS.map(|model| {
                list_price(model)
                    .map_or("-".to_owned(), |price| format!("{:.2}", price.of(usage) as f64 / 1e6))
            });
            let counts = [thousand(used.questions), usage.input, usage.output].map(|count| count.to_string());
            lines.push([name.to_owned(), how.to_owned()].into_iter().chain(counts).chain(money).collect());
        }
    }
    let head = ["calls", "what is sent", "questions", "tokens read", "tokens written"];
    let prices = MODELS.map(|model| format!("$ {model}"));
    let head: Vec<&str> = head.into_iter().chain(prices.iter().map(String::as_str)).collect();
    let text = format!(
        "For 1,000 calls: what a language model would read and write, and what that costs at list prices. Counted with the tokenizer of \
         the embedding model, which cuts English much like those of the providers; prompt, schema and passages count. Written are {ITEM} \
         tokens for each labelled item, the same on both sides. A call of 300 sentences is a labelled call among \
         others that hold nothing; in the short calls nearly every passage stands near a wish, so there is little to leave out.\n\n{}",
        table(&head, &lines)
    );
    report.section("A language model behind the screen", &text);
    Ok(())
}

async fn used(
    bench: &Bench,
    screen: Arc<dyn Analyzer>,
    talks: &[(Conversation, Vec<Wish>)],
) -> Result<Used, Fault> {
    let model =
        Arc::new(Counting { bench: bench.model.clone(), used: Mutex::default(), last: Mutex::default() });
    let analyzer = LanguageAnalyzer::new(screen, model.clone());
    let (mut output, mut sent) = (0, 0);
    for (talk, wishes) in talks {
        let (detection, _) = analyzer.detect(talk).await.doing("detecting")?;
        if detection.holds {
            analyzer.extract(talk, &detection, &House::default()).await.doing("counting tokens")?;
            output += 10 + wishes.len() as u64 * ITEM;
            let asked = labelled::bare(&model.last.lock().unwrap_or_else(PoisonError::into_inner));
            let stands = |wish: &&Wish| wish.quotes.iter().any(|(_, quote)| asked.contains(quote));
            sent += wishes.iter().filter(stands).count();
        }
    }
    let wishes = talks.iter().map(|(_, wishes)| wishes.len()).sum();
    let (questions, input) = *model.used.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(Used { questions, input, output, wishes, sent })
}
