//! Pairs of texts with a person's word whether they belong together: duplicates, and reviews against features.

use std::collections::BTreeMap;

use feedback::{Thresholds, split_sentences};
use models::{Embedder, cosine};
use serde::Deserialize;

use super::{
    Bench,
    report::{Report, table},
};
use crate::{
    curve::{at, auc},
    fault::{Doing, Fault},
    judge::share,
    text::{Words, bag, head, rows},
};

/// How much the share of a feature's words that a review holds counts beside what both mean.
const NAMED: f32 = 0.25;

pub(super) fn measure(bench: &Bench, report: &mut Report) -> Result<(), Fault> {
    matches(bench, report)?;
    duplicates(bench, report)
}

#[derive(Deserialize)]
struct Match {
    feature: String,
    text: String,
    relevant: u8,
}

fn matches(bench: &Bench, report: &mut Report) -> Result<(), Fault> {
    let Some(file) = bench.file("text/feature_match.csv") else {
        report.absent("feature against review, AUC", "text/feature_match.csv");
        return Ok(());
    };
    let rows: Vec<Match> = rows(&file)?;
    let answers: Vec<bool> = rows.iter().map(|row| row.relevant == 1).collect();
    let (mut whole, mut nearest, mut named, mut both) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for row in &rows {
        let mut texts = vec![row.feature.clone(), head(&row.text, 1_000)];
        texts.extend(split_sentences(&feedback::clean(&row.text)).into_iter().map(str::to_owned));
        let vectors = bench.model.vectors(&texts).doing("embedding reviews")?;
        let like = |n: usize| cosine(&vectors[0], &vectors[n]);
        let best = (2..texts.len()).map(like).fold(f32::MIN, f32::max);
        let share = shared_words(&row.feature, &row.text);
        whole.push(like(1));
        nearest.push(best);
        named.push(share);
        both.push(NAMED.mul_add(share, best));
    }
    let lines: Vec<Vec<String>> = [
        ("meaning of the whole review", &whole),
        ("meaning of its nearest sentence", &nearest),
        ("share of the title's words in it", &named),
        ("nearest sentence, and a quarter of the share of words", &both),
    ]
    .into_iter()
    .map(|(name, scores)| vec![name.to_owned(), format!("{:.3}", auc(scores, &answers))])
    .collect();
    report.at_least(
        "feature against review, AUC (nearest sentence and words)",
        auc(&both, &answers),
        0.80,
        "",
    );
    let text = format!(
        "{} pairs of a feature's title and a review of an app, {} of them relevant. Deduplication compares titles with titles and is \
         not what this measures; the weight of the words was set on these pairs.\n\n{}",
        rows.len(),
        answers.iter().filter(|is| **is).count(),
        table(&["compared by", "AUC"], &lines)
    );
    report.section("A feature against a review", &text);
    Ok(())
}

/// Which part of the words of one, by their first five letters, the other holds.
fn shared_words(of: &str, within: &str) -> f32 {
    let stems = |text: &str| -> std::collections::BTreeSet<String> {
        let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        words.map(|word| word.to_lowercase().chars().take(5).collect()).collect()
    };
    let (of, within) = (stems(of), stems(within));
    #[expect(clippy::cast_possible_truncation, reason = "a share")]
    let share = share(of.intersection(&within).count(), of.len()) as f32;
    share
}

#[derive(Deserialize)]
struct Pair {
    a: String,
    b: String,
    is_duplicate: u8,
    source: String,
}

fn duplicates(bench: &Bench, report: &mut Report) -> Result<(), Fault> {
    let Some(file) = bench.file("text/duplicates.csv") else {
        report.absent("duplicates, AUC", "text/duplicates.csv");
        return Ok(());
    };
    let pairs: Vec<Pair> = rows(&file)?;
    let answers: Vec<bool> = pairs.iter().map(|pair| pair.is_duplicate == 1).collect();
    let texts = |of: fn(&Pair) -> &String| pairs.iter().map(|pair| of(pair).clone()).collect::<Vec<_>>();
    let (a, b) = (texts(|pair| &pair.a), texts(|pair| &pair.b));
    let (va, vb) = (bench.model.vectors(&a), bench.model.vectors(&b));
    let (va, vb) = (va.doing("embedding pairs")?, vb.doing("embedding pairs")?);
    let likes: Vec<f32> = va.iter().zip(&vb).map(|(a, b)| cosine(a, b)).collect();
    let bags: Vec<Vec<u32>> = a.iter().chain(&b).map(|text| bag(text)).collect();
    let words = Words::of(bags.iter().map(Vec::as_slice));
    let by_words: Vec<f32> =
        (0..pairs.len()).map(|n| words.likeness(&bags[n], &bags[n + pairs.len()])).collect();
    report.at_least("duplicates, AUC over all pairs", auc(&likes, &answers), 0.85, "");
    let mut sources: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (n, pair) in pairs.iter().enumerate() {
        sources.entry(&pair.source).or_default().push(n);
    }
    let of = |scores: &[f32], some: &[usize]| {
        let scores: Vec<f32> = some.iter().map(|n| scores[*n]).collect();
        auc(&scores, &some.iter().map(|n| answers[*n]).collect::<Vec<_>>())
    };
    let mut lines: Vec<Vec<String>> = sources
        .iter()
        .map(|(source, some)| line(source, some.len(), of(&by_words, some), of(&likes, some)))
        .collect();
    lines.push(line("all", pairs.len(), auc(&by_words, &answers), auc(&likes, &answers)));
    let thresholds = Thresholds::of(bench.model.model());
    let text = format!(
        "{} pairs of sentences of others. These are raw utterances: what the product compares are titles with summaries, on which the model \
         does better.\n\n{}\nThe sweep: of pairs at least so alike, how many are duplicates, how many of the duplicates are among \
         them, how many of the others.\n\n{}\nAn organization that sets nothing joins from {:.2} on and asks from {:.2} on.",
        pairs.len(),
        table(&["source", "pairs", "AUC by words", "AUC by meaning"], &lines),
        sweep(&likes, &answers),
        thresholds.join_at,
        thresholds.ask_at,
    );
    report.section("Duplicates", &text);
    Ok(())
}

fn line(source: &str, pairs: usize, words: f64, meaning: f64) -> Vec<String> {
    vec![source.to_owned(), pairs.to_string(), format!("{words:.3}"), format!("{meaning:.3}")]
}

fn sweep(likes: &[f32], answers: &[bool]) -> String {
    let others = answers.iter().filter(|is| !**is).count();
    let lines: Vec<Vec<String>> = (8..19_u8)
        .map(|step| {
            let from = f32::from(step) * 0.05;
            let (right, said, wanted) = at(likes, answers, from);
            let shares = [share(right, said), share(right, wanted), share(said - right, others)];
            std::iter::once(format!("{from:.2}")).chain(shares.map(|x| format!("{x:.3}"))).collect()
        })
        .collect();
    table(&["from", "precision", "recall", "of the others"], &lines)
}
