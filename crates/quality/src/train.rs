//! Makes the weights of the basic analyzer out of the labelled calls `tune-*.jsonl`, and nothing else. Limits are chosen on calls that
//! the weights were not fitted on (six folds, whole calls apart), and what came of those is printed.

use std::{collections::BTreeSet, path::Path, sync::Arc};

use feedback::{
    BasicAnalyzer,
    basic::{DECISION, Linear, SCREEN, SORT, SORTS, Sparse, Weights, decision, lines, sort},
};

use crate::{
    cache::Cached,
    fault::{Doing, Fault},
    fit::{Rows, logistic},
    judge::{Score, analyze, share, sorts},
    labelled::{self, Labelled},
};

const FOLDS: usize = 6;
/// How much rows count against small weights: for the screen, the decision, the sorts.
const COUNT: [f64; 3] = [1.0, 0.5, 1.0];
/// Parts of the wishes that the screen, and a language model behind it, must not miss.
const KEPT: [f64; 2] = [0.98, 0.96];

/// F0.5 that differ by less are alike.
const ALIKE: f64 = 0.005;

/// A sentence that is not ours, with what a person said about it.
struct Row {
    call: usize,
    wish: Option<usize>,
    screen: Sparse,
    decision: Sparse,
}

/// Trains and writes the file.
pub(crate) async fn run(model: Arc<Cached>, folder: &Path, file: &Path) -> Result<(), Fault> {
    let calls = labelled::read(folder, "tune-")?;
    let rows = rows(&model, &calls)?;
    model.keep().doing("keeping vectors")?;
    let positive = rows.iter().filter(|row| row.wish.is_some()).count();
    println!(
        "{} calls, {} sentences of the other side, {positive} of them in {} items",
        calls.len(),
        rows.len(),
        calls.iter().map(|call| call.wishes.len()).sum::<usize>()
    );
    let mut folds = Vec::new();
    for fold in 0..FOLDS {
        folds.push(fit(&calls, &rows, |call| call % FOLDS != fold));
    }
    let limits = limits(&model, &calls, &rows, &folds).await?;
    let weights = Weights { limits, ..fit(&calls, &rows, |_| true) };
    let bytes = weights.to_bytes();
    std::fs::write(file, &bytes).doing(format!("writing {}", file.display()))?;
    println!("wrote {} ({} bytes), limits {:?}", file.display(), bytes.len(), weights.limits);
    Ok(())
}

fn rows(model: &Cached, calls: &[Labelled]) -> Result<Vec<Row>, Fault> {
    let mut rows = Vec::new();
    for (n, call) in calls.iter().enumerate() {
        let text = |place| call.talk.sentence_at(place).map(|one| one.text.clone()).unwrap_or_default();
        let lines = lines(&call.talk);
        let own: Vec<String> = lines.iter().map(|line| text(line.place)).collect();
        let replies: Vec<String> =
            lines.iter().map(|line| line.reply.map(text).unwrap_or_default()).collect();
        let own = model.vectors(&own).doing("embedding sentences")?;
        let replies = model.vectors(&replies).doing("embedding answers")?;
        for ((line, meaning), reply) in lines.into_iter().zip(own).zip(replies) {
            let reply = line.reply.map(|_| reply.as_slice());
            let decision = decision(&line, &meaning, reply);
            rows.push(Row { call: n, wish: call.wish_at(line.place), screen: line.features, decision });
        }
    }
    Ok(rows)
}

/// Weights from the calls of which `takes` is true; without limits.
fn fit(calls: &[Labelled], rows: &[Row], takes: impl Fn(usize) -> bool) -> Weights {
    let some: Vec<&Row> = rows.iter().filter(|row| takes(row.call)).collect();
    let answers: Vec<bool> = some.iter().map(|row| row.wish.is_some()).collect();
    let linear = |of: fn(&Row) -> &Sparse, width: u32, c: f64| {
        let rows = some.iter().map(|row| of(row)).collect();
        logistic(&Rows { rows, answers: answers.clone(), width: usize::try_from(width).unwrap_or(0) }, c)
    };
    Weights {
        screen: linear(|row| &row.screen, SCREEN, COUNT[0]),
        decision: linear(|row| &row.decision, DECISION, COUNT[1]),
        sorts: fit_sorts(calls, &some),
        limits: [0.0; 4],
    }
}

fn fit_sorts(calls: &[Labelled], some: &[&Row]) -> [Vec<Linear>; 3] {
    let mut features: Vec<Sparse> = Vec::new();
    let mut labels: Vec<[usize; 3]> = Vec::new();
    let mut seen = BTreeSet::new();
    for row in some {
        let Some(wish) = row.wish.and_then(|wish| calls[row.call].wishes.get(wish)) else { continue };
        let said: Vec<&str> = wish.quotes.iter().map(|(_, quote)| quote.as_str()).collect();
        if !seen.insert((row.call, row.wish)) {
            continue;
        }
        features.push((0..).zip(sort(&said.join(" "))).collect());
        labels.push(sorts(wish));
    }
    let mut fitted: [Vec<Linear>; 3] = Default::default();
    for (n, (sort, count)) in fitted.iter_mut().zip(SORTS).enumerate() {
        for label in 0..count {
            let answers = labels.iter().map(|labels| labels[n] == label).collect();
            sort.push(logistic(&Rows { rows: features.iter().collect(), answers, width: SORT }, COUNT[2]));
        }
    }
    fitted
}

fn chance(sum: f32) -> f32 {
    1.0 / (1.0 + (-sum).exp())
}

/// The limits, found on calls that the weights of a fold have not seen.
async fn limits(
    model: &Arc<Cached>,
    calls: &[Labelled],
    rows: &[Row],
    folds: &[Weights],
) -> Result<[f32; 4], Fault> {
    let unseen = |of: fn(&Weights, &Row) -> f32| -> Vec<f32> {
        rows.iter().map(|row| chance(of(&folds[row.call % FOLDS], row))).collect()
    };
    let screened = unseen(|weights, row| weights.screen.of(&row.screen));
    let decided = unseen(|weights, row| weights.decision.of(&row.decision));
    for (name, scores) in [("screen", &screened), ("decision", &decided)] {
        let answers: Vec<bool> = rows.iter().map(|row| row.wish.is_some()).collect();
        println!("{name}: AUC {:.3} over sentences of unseen calls", crate::curve::auc(scores, &answers));
    }
    let look_at = keeps(calls, rows, &screened, KEPT[0]);
    let ask_at = keeps(calls, rows, &decided, KEPT[1]);
    let negatives = rows.iter().zip(&decided).filter(|(row, _)| row.wish.is_none()).map(|(_, score)| *score);
    let alone_at = surer(negatives.fold(0.0, f32::max));
    let mut tried = Vec::new();
    for step in 1..20_u8 {
        let wish_at = f32::from(step) * 0.05;
        let limits = [look_at, ask_at.min(wish_at), wish_at, alone_at];
        let score = judged(model, calls, folds, limits).await?;
        let ((p, r, f), strict) = (score.items(), score.strict());
        println!(
            "from {wish_at:.2}: items P {p:.3} R {r:.3} F1 {f:.3}; one to one P {:.3} R {:.3}; calls F1 {:.3}; kind, sentiment, \
             priority {:.2} {:.2} {:.2}",
            strict.0,
            strict.1,
            score.of_calls().2,
            share(score.agree[0], score.paired),
            share(score.agree[1], score.paired),
            share(score.agree[2], score.paired),
        );
        tried.push((wish_at, f_half(p, r)));
    }
    // The curve is flat: of limits that are as good as the best, the one that misses fewest wishes.
    let most = tried.iter().map(|(_, worth)| *worth).fold(0.0, f64::max);
    let best = tried.iter().find(|(_, worth)| *worth >= most - ALIKE).map_or(0.5, |(limit, _)| *limit);
    Ok([look_at, ask_at.min(best), best, alone_at.max(best)])
}

/// Four times the odds: where nobody of ours is on the call, as sure as that against the surest sentence that was none.
fn surer(score: f32) -> f32 {
    let odds = 4.0 * score / (1.0 - score).max(1e-6);
    odds / (1.0 + odds)
}

/// F0.5: a post that nobody asked for costs more than a wish that is missed.
fn f_half(precision: f64, recall: f64) -> f64 {
    if precision + recall > 0.0 { 1.25 * precision * recall / (0.25 * precision + recall) } else { 0.0 }
}

/// The highest score from which on such a part of the wishes has a sentence.
fn keeps(calls: &[Labelled], rows: &[Row], scores: &[f32], part: f64) -> f32 {
    let mut best: Vec<Vec<f32>> = calls.iter().map(|call| vec![0.0; call.wishes.len()]).collect();
    for (row, score) in rows.iter().zip(scores) {
        if let Some(wish) = row.wish {
            let best = &mut best[row.call][wish];
            *best = best.max(*score);
        }
    }
    let mut all: Vec<f32> = best.into_iter().flatten().collect();
    all.sort_by(|a, b| b.total_cmp(a));
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts"
    )]
    let place = (all.len() as f64 * part).ceil() as usize;
    all.get(place.saturating_sub(1)).copied().unwrap_or_default()
}

/// The whole analyzer over calls that its weights have not seen.
async fn judged(
    model: &Arc<Cached>,
    calls: &[Labelled],
    folds: &[Weights],
    limits: [f32; 4],
) -> Result<Score, Fault> {
    let mut score = Score::default();
    for (fold, weights) in folds.iter().enumerate() {
        let analyzer = BasicAnalyzer::with_weights(model.clone(), Weights { limits, ..weights.clone() });
        for call in calls.iter().skip(fold).step_by(FOLDS) {
            score.add(call, &analyze(&analyzer, call).await?);
        }
    }
    Ok(score)
}
