//! Reviews of apps, labelled by people: does a text hold something to be built or mended? Five folds, so that nothing is judged by what
//! it was fitted on.

use std::collections::HashMap;

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
    text::{Words, bag, letters},
};

const FOLDS: usize = 5;
const YES: [&str; 3] = ["bug", "feature_request", "ux_complaint"];
/// How much a vector counts beside words.
const MEANING: f32 = 1.5;
/// How much rows count against small weights.
const COUNT: f64 = 1.0;
/// Numbers of a vector, and plain numbers behind it.
const VECTOR: u32 = 384;
const PLAIN: u32 = 10;

#[derive(Deserialize)]
struct Row {
    text: String,
    label: String,
    source: String,
    rating: String,
}

/// A review with everything that is known of it.
struct Review {
    is_wish: bool,
    text: String,
    words: Vec<u32>,
    letters: Vec<u32>,
    stars: Option<u32>,
}

impl Review {
    fn of(row: &Row) -> Self {
        let text = crate::text::head(&row.text, 1_000);
        let stars = row.rating.parse::<f32>().ok().and_then(|stars| (1..=5).find(|n| *n as f32 == stars));
        let is_wish = YES.contains(&row.label.as_str());
        Self { is_wish, words: bag(&text), letters: letters(&text), text, stars }
    }

    /// How long it is, and whether it shouts or asks.
    fn shape(&self) -> [f32; 4] {
        let yes = |mark| f32::from(u8::from(self.text.contains(mark)));
        let count = |count: usize| (count as f32).ln_1p();
        let words = self.text.split_whitespace().count();
        [count(self.text.len()) / 6.0, count(words) / 4.0, yes('!'), yes('?')]
    }
}

/// What a model is given of a review.
#[derive(Clone, Copy, Default)]
struct Given {
    words: bool,
    meaning: bool,
    letters: bool,
    stars: bool,
}

/// One review for each text: people gave some of them several labels, and one that says so is enough.
fn reviews(rows: &[Row]) -> Vec<Review> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut reviews: Vec<Review> = Vec::new();
    for row in rows.iter().filter(|row| !row.source.starts_with("nlbse")) {
        let review = Review::of(row);
        match places.get(&crate::labelled::bare(&row.text)) {
            Some(place) => reviews[*place].is_wish |= review.is_wish,
            None => {
                places.insert(crate::labelled::bare(&row.text), reviews.len());
                reviews.push(review);
            }
        }
    }
    reviews
}

/// The chance of each review, from a model that was fitted on the other folds.
fn scores(reviews: &[Review], vectors: &[Vec<f32>], given: Given) -> Vec<f32> {
    let mut scores = vec![0.0; reviews.len()];
    for fold in 0..FOLDS {
        let known: Vec<usize> = (0..reviews.len()).filter(|n| n % FOLDS != fold).collect();
        let rare =
            |of: fn(&Review) -> &Vec<u32>| Words::of(known.iter().map(|n| of(&reviews[*n]).as_slice()));
        let (words, parts) = (rare(|review| &review.words), rare(|review| &review.letters));
        let features = |n: usize| -> Sparse {
            let review = &reviews[n];
            let mut features = if given.words { words.features(&review.words) } else { Sparse::new() };
            let behind = 2 * Words::TABLE + VECTOR;
            if given.letters {
                let parts = parts.features(&review.letters);
                features.extend(parts.into_iter().map(|(place, x)| (Words::TABLE + place, x)));
                features.extend((behind..).zip(review.shape()));
            }
            if given.meaning {
                features.extend((2 * Words::TABLE..).zip(vectors[n].iter().map(|x| x * MEANING)));
            }
            if given.stars {
                features.push((behind + 4 + review.stars.unwrap_or(0), 1.0));
            }
            features
        };
        let train: Vec<Sparse> = known.iter().map(|n| features(*n)).collect();
        let data = Rows {
            rows: train.iter().collect(),
            answers: known.iter().map(|n| reviews[*n].is_wish).collect(),
            width: usize::try_from(2 * Words::TABLE + VECTOR + PLAIN).unwrap_or(0),
        };
        let linear: Linear = logistic(&data, COUNT);
        for n in (fold..reviews.len()).step_by(FOLDS) {
            scores[n] = 1.0 / (1.0 + (-linear.of(&features(n))).exp());
        }
    }
    scores
}

pub(super) fn measure(bench: &Bench, report: &mut Report) -> Result<(), Fault> {
    let Some(file) = bench.file("text/feedback.csv") else {
        report.absent("feedback yes or no on reviews, F1", "text/feedback.csv");
        return Ok(());
    };
    let rows: Vec<Row> = crate::text::rows(&file)?;
    let reviews = reviews(&rows);
    let answers: Vec<bool> = reviews.iter().map(|review| review.is_wish).collect();
    let texts: Vec<String> = reviews.iter().map(|review| review.text.clone()).collect();
    let vectors = bench.model.vectors(&texts).doing("embedding reviews")?;
    let (words, meaning) =
        (Given { words: true, ..Given::default() }, Given { meaning: true, ..Given::default() });
    let both = Given { meaning: true, ..words };
    let text = Given { letters: true, ..both };
    let mut lines = Vec::new();
    let mut found = Vec::new();
    for (name, given) in [
        ("words alone (the baseline)", words),
        ("meaning alone", meaning),
        ("words and meaning", both),
        ("words, meaning, letters, length: the whole text", text),
        ("the text, and the stars that came with it", Given { stars: true, ..text }),
    ] {
        let scores = scores(&reviews, &vectors, given);
        let (right, said, wanted) = at(&scores, &answers, 0.5);
        let (p, r, f) = prf(right, said, right, wanted);
        let figures = [p, r, f, auc(&scores, &answers)].map(|figure| format!("{figure:.3}"));
        lines.push(std::iter::once(name.to_owned()).chain(figures).collect());
        found.push(f);
    }
    let (with, without) = (found.pop().unwrap_or_default(), found.pop().unwrap_or_default());
    report.at_least("feedback yes or no on reviews (text and stars), F1 in five folds", with, 0.88, "");
    report.plain("the same from the text alone, as in a call", format!("{without:.3}"));
    let text = format!(
        "{} reviews of apps with labels of people (of `feedback.csv`, without the issues of programmers), {} of them a bug, a feature \
         request or a complaint about usability. People gave some reviews several labels, a row for each; here a review counts once, and \
         one such label is enough. Five folds; a linear model on weighted words and word pairs, on the vector, on two to five letters in \
         a row. At 0.5. The stars are what the writer gave; nothing that is said in a call has any.\n\n{}",
        reviews.len(),
        answers.iter().filter(|is| **is).count(),
        table(&["features", "P", "R", "F1", "AUC"], &lines)
    );
    report.section("Feedback or not, on reviews", &text);
    Ok(())
}
