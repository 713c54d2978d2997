//! The labelled calls of the test half, which training never looked at: what is found, and how well.

use std::collections::BTreeMap;

use feedback::Analyzer;

use super::{
    Bench,
    report::{Report, table},
};
use crate::{
    fault::Fault,
    judge::{Score, analyze, share},
    labelled,
};

/// How the ids of the newest file of the test half begin.
const NEWEST: &str = "test-e-";

pub(super) async fn measure(bench: &Bench, report: &mut Report) -> Result<(), Fault> {
    let calls = labelled::read(&bench.labelled, "test-")?;
    let analyzer = bench.basic();
    let (mut whole, mut newest) = (Score::default(), Score::default());
    let mut styles: BTreeMap<&str, Score> = BTreeMap::new();
    for call in &calls {
        let items = analyze(&analyzer, call).await?;
        whole.add(call, &items);
        styles.entry(&call.style).or_default().add(call, &items);
        if call.id.starts_with(NEWEST) {
            newest.add(call, &items);
        }
    }
    let (precision, recall, f1) = whole.items();
    report.at_least("items of the test half, precision", precision, 0.75, "");
    report.at_least("items of the test half, recall", recall, 0.80, "");
    report.plain("items of the test half, F1", format!("{f1:.3}"));
    report.at_least(
        "quotes that stand in the transcript word for word",
        share(whole.verbatim, whole.quotes),
        1.0,
        "",
    );
    let mut rows: Vec<Vec<String>> = styles.iter().map(|(style, score)| row(style, score)).collect();
    rows.push(row("all", &whole));
    rows.push(row("`test-e` alone", &newest));
    let head = [
        "style",
        "calls",
        "items",
        "found",
        "item P",
        "item R",
        "item F1",
        "one to one P",
        "one to one R",
        "call P",
        "call R",
        "call F1",
    ];
    let agree = whole.agree.map(|count| share(count, whole.paired));
    let text = format!(
        "The default analyzer (`{}`) on {} calls of the test half with {} labelled items. Training saw the tune half only. `test-e` is the \
         newest file, written by a hand that knew nothing of the analyzer.\n\n{}\n\
         A labelled item is found when a quote of a found item overlaps one of its quotes: the same turn, and one text holds the other. \
         A found item is right when one of its quotes overlaps a labelled one. *One to one* pairs them: what covers two wishes finds one, \
         and a second item for the same wish is wrong. A call is said to hold feedback when an item comes out of it.\n\n\
         Of {} quotes, {} stand in their turn letter by letter. In {} pairs the kind agrees with the label in {:.2}, the sentiment in \
         {:.2}, the priority in {:.2}: the basic analyzer chooses these by classes of words, and is little better than always the most \
         frequent one. Its titles are the customer's words, turned into an order where a rule fits.",
        analyzer.name(),
        calls.len(),
        whole.labelled,
        table(&head, &rows),
        whole.quotes,
        whole.verbatim,
        whole.paired,
        agree[0],
        agree[1],
        agree[2],
    );
    report.section("The labelled calls", &text);
    Ok(())
}

fn row(style: &str, score: &Score) -> Vec<String> {
    let two = |value: f64| format!("{value:.2}");
    let ((p, r, f), strict, calls) = (score.items(), score.strict(), score.of_calls());
    let counts = [score.calls, score.labelled, score.found].map(|count| count.to_string());
    let shares = [p, r, f, strict.0, strict.1, calls.0, calls.1, calls.2].map(two);
    std::iter::once(style.to_owned()).chain(counts).chain(shares).collect()
}
