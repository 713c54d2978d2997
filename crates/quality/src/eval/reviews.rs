//! Reviews of apps, labelled by people: does a text hold something to be built or mended? Five folds, so that nothing is judged by what
//! it was fitted on.

use feedback::basic::{Linear, Sparse};
use serde::Deserialize;

use super::{
    Bench,
    report::{Report, table},
};
use crate::{
    curve::{at, auc},
    fault::{Doing, Fault},
    fit::{Rows, logistic},
    judge::prf,
    text::{Words, bag},
};

const FOLDS: usize = 5;
const YES: [&str; 3] = ["bug", "feature_request", "ux_complaint"];
/// How much a vector counts beside words.
const MEANING: f32 = 3.0;

#[derive(Deserialize)]
struct Row {
    text: String,
    label: String,
    source: String,
}

pub(super) fn measure(bench: &Bench, report: &mut Report) -> Result<(), Fault> {
    let Some(file) = bench.file("text/feedback.csv") else {
        report.absent("feedback yes or no on reviews, F1", "text/feedback.csv");
        return Ok(());
    };
    let all: Vec<Row> = crate::text::rows(&file)?;
    let rows: Vec<&Row> = all.iter().filter(|row| !row.source.starts_with("nlbse")).collect();
    let answers: Vec<bool> = rows.iter().map(|row| YES.contains(&row.label.as_str())).collect();
    let texts: Vec<String> = rows.iter().map(|row| crate::text::head(&row.text, 1_000)).collect();
    let vectors = bench.model.vectors(&texts).doing("embedding reviews")?;
    let bags: Vec<Vec<u32>> = texts.iter().map(|text| bag(text)).collect();
    let with = |words: bool, meaning: bool| -> Vec<f32> {
        let mut scores = vec![0.0; rows.len()];
        for fold in 0..FOLDS {
            let known: Vec<usize> = (0..rows.len()).filter(|n| n % FOLDS != fold).collect();
            let weights = Words::of(known.iter().map(|n| bags[*n].as_slice()));
            let features = |n: usize| -> Sparse {
                let mut features = if words { weights.features(&bags[n]) } else { Sparse::new() };
                if meaning {
                    features.extend((Words::TABLE..).zip(vectors[n].iter().map(|x| x * MEANING)));
                }
                features
            };
            let train: Vec<Sparse> = known.iter().map(|n| features(*n)).collect();
            let data = Rows {
                rows: train.iter().collect(),
                answers: known.iter().map(|n| answers[*n]).collect(),
                width: Words::WIDTH,
            };
            let linear: Linear = logistic(&data, 4.0);
            for n in (fold..rows.len()).step_by(FOLDS) {
                scores[n] = 1.0 / (1.0 + (-linear.of(&features(n))).exp());
            }
        }
        scores
    };
    let mut lines = Vec::new();
    let mut ours = 0.0;
    for (name, words, meaning) in [
        ("words alone (the baseline)", true, false),
        ("meaning alone", false, true),
        ("words and meaning", true, true),
    ] {
        let scores = with(words, meaning);
        let (right, said, wanted) = at(&scores, &answers, 0.5);
        let (p, r, f) = prf(right, said, right, wanted);
        lines.push(vec![
            name.to_owned(),
            format!("{p:.3}"),
            format!("{r:.3}"),
            format!("{f:.3}"),
            format!("{:.3}", auc(&scores, &answers)),
        ]);
        ours = f;
    }
    report.at_least("feedback yes or no on reviews, F1 in five folds", ours, 0.88, "");
    let yes = answers.iter().filter(|is| **is).count();
    let text = format!(
        "{} reviews of apps with labels of people (of `feedback.csv`, without the issues of programmers), {yes} of them a bug, a feature \
         request or a complaint about usability. Five folds; a linear model on weighted words and word pairs, on the vector, on both. At \
         0.5.\n\n{}",
        rows.len(),
        table(&["features", "P", "R", "F1", "AUC"], &lines)
    );
    report.section("Feedback or not, on reviews", &text);
    Ok(())
}
