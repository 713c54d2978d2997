//! Reviews that people sorted into clusters, as one consolidation run: each joins the post that it is most like, or becomes one.

use std::collections::{BTreeMap, BTreeSet};

use feedback::Thresholds;
use models::{Embedder, cosine};
use serde::Deserialize;

use super::{
    Bench,
    report::{Report, table},
};
use crate::{
    fault::{Doing, Fault},
    judge::share,
    text::{head, rows},
};

/// Orders in which the texts come.
const ORDERS: usize = 10;

#[derive(Deserialize)]
struct Row {
    app: String,
    category: String,
    cluster: String,
    text: String,
}

/// A text of one app, and the clusters that people put it into.
struct Text {
    clusters: BTreeSet<String>,
    vector: Vec<f32>,
}

pub(super) fn measure(bench: &Bench, report: &mut Report) -> Result<(), Fault> {
    let Some(file) = bench.file("text/feedback_clusters.csv") else {
        report.absent("consolidation run, pairwise precision", "text/feedback_clusters.csv");
        return Ok(());
    };
    let rows: Vec<Row> = rows(&file)?;
    let mut sorted: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for row in rows {
        let cluster = format!("{}/{}", row.category, row.cluster);
        sorted.entry((row.app, head(&row.text, 1_000))).or_default().insert(cluster);
    }
    let texts: Vec<String> = sorted.keys().map(|(_, text)| text.clone()).collect();
    let vectors = bench.model.vectors(&texts).doing("embedding reviews")?;
    let mut apps: BTreeMap<String, Vec<Text>> = BTreeMap::new();
    for (((app, _), clusters), vector) in sorted.into_iter().zip(vectors) {
        apps.entry(app).or_default().push(Text { clusters, vector });
    }
    let thresholds = Thresholds::of(bench.model.model());
    let mut lines = Vec::new();
    let mut steps: Vec<f32> = (10..19_u8).map(|step| f32::from(step) * 0.05).collect();
    steps.push(thresholds.join_at);
    steps.sort_by(f32::total_cmp);
    steps.dedup_by(|a, b| (*a - *b).abs() < 1e-4);
    for join_at in steps {
        let mut run = Run::default();
        (0..ORDERS).for_each(|order| run.add(&consolidate(&apps, join_at, order)));
        let (precision, recall) = (share(run.right, run.joined), share(run.right, run.wanted));
        if (join_at - thresholds.join_at).abs() < 1e-4 {
            let name = format!("consolidation run at {join_at:.2}, pairwise precision");
            report.at_least(&name, precision, 0.9, "");
            report.plain("consolidation run, pairwise recall", format!("{recall:.3}"));
        }
        lines.push(vec![
            format!("{join_at:.2}"),
            format!("{precision:.3}"),
            format!("{recall:.3}"),
            (run.joined / ORDERS).to_string(),
            (run.posts / ORDERS).to_string(),
        ]);
    }
    let text = format!(
        "{} reviews of {} apps, each app an organization of its own. A review joins the post that it is most like when that is at least so \
         alike. A pair is right when people put both into one cluster. What joins depends on the order: the figures are over {} orders, \
         drawn by a fixed rule; the counts are those of one order on average.\n\n{}",
        texts.len(),
        apps.len(),
        ORDERS,
        table(&["joins from", "pairwise precision", "pairwise recall", "pairs joined", "posts"], &lines)
    );
    report.section("A consolidation run", &text);
    Ok(())
}

/// What came of a run, in pairs.
#[derive(Default)]
struct Run {
    joined: usize,
    right: usize,
    wanted: usize,
    posts: usize,
}

impl Run {
    fn add(&mut self, other: &Self) {
        self.joined += other.joined;
        self.right += other.right;
        self.wanted += other.wanted;
        self.posts += other.posts;
    }
}

/// The same texts in another order, the same one for the same number.
fn ordered(texts: &[Text], order: usize) -> Vec<&Text> {
    let key = |n: usize| {
        let mixed = (n as u64 + 1)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15 ^ (order as u64).wrapping_mul(0x2545_f491_4f6c_dd1d));
        mixed ^ (mixed >> 29)
    };
    let mut places: Vec<usize> = (0..texts.len()).collect();
    places.sort_by_key(|n| key(*n));
    places.into_iter().map(|n| &texts[n]).collect()
}

fn consolidate(apps: &BTreeMap<String, Vec<Text>>, join_at: f32, order: usize) -> Run {
    let mut run = Run::default();
    for texts in apps.values() {
        let texts = ordered(texts, order);
        let mut posts: Vec<&[f32]> = Vec::new();
        let mut of: Vec<usize> = Vec::new();
        for text in &texts {
            let likes = posts.iter().map(|post| cosine(post, &text.vector)).enumerate();
            match likes.max_by(|a, b| a.1.total_cmp(&b.1)) {
                Some((post, like)) if like >= join_at => of.push(post),
                _ => {
                    posts.push(&text.vector);
                    of.push(posts.len() - 1);
                }
            }
        }
        run.posts += posts.len();
        for (n, text) in texts.iter().enumerate() {
            for (m, other) in texts[..n].iter().enumerate() {
                let (together, same) = (of[n] == of[m], !text.clusters.is_disjoint(&other.clusters));
                run.joined += usize::from(together);
                run.wanted += usize::from(same);
                run.right += usize::from(together && same);
            }
        }
    }
    run
}
