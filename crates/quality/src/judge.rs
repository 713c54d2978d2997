//! How good found items are against labelled ones.
//!
//! A labelled item counts as found when a quote of a found item overlaps one of its quotes: same turn, and one holds the other. A found
//! item counts as right when one of its quotes overlaps a labelled one. The strict count pairs them one to one: a found item that
//! covers two labelled ones finds one, a second found item for the same wish is wrong.

use feedback::{Analyzer, House, Item};
use kernel::{FeedbackKind, Priority, Sentiment};

use crate::{
    fault::{Doing, Fault},
    labelled::Labelled,
};

/// Counts over some calls.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Score {
    pub(crate) calls: usize,
    /// Labelled items, and how many of them were found.
    pub(crate) labelled: usize,
    pub(crate) hit: usize,
    /// Found items, and how many of them were right.
    pub(crate) found: usize,
    pub(crate) right: usize,
    /// Pairs one to one.
    pub(crate) paired: usize,
    /// Calls with feedback, said to have some, and both.
    pub(crate) calls_with: usize,
    pub(crate) calls_said: usize,
    pub(crate) calls_both: usize,
    /// Quotes of found items, and how many stand in the transcript word for word.
    pub(crate) quotes: usize,
    pub(crate) verbatim: usize,
    /// Pairs whose kind, sentiment, priority agree.
    pub(crate) agree: [usize; 3],
}

/// Precision, recall, F1.
pub(crate) fn prf(right: usize, found: usize, hit: usize, wanted: usize) -> (f64, f64, f64) {
    let (p, r) = (share(right, found), share(hit, wanted));
    (p, r, if p + r > 0.0 { 2.0 * p * r / (p + r) } else { 0.0 })
}

/// A part of a whole; 0 of nothing.
#[expect(clippy::cast_precision_loss, reason = "counts")]
pub(crate) fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

impl Score {
    pub(crate) fn items(&self) -> (f64, f64, f64) {
        prf(self.right, self.found, self.hit, self.labelled)
    }
    pub(crate) fn strict(&self) -> (f64, f64, f64) {
        prf(self.paired, self.found, self.paired, self.labelled)
    }
    pub(crate) fn of_calls(&self) -> (f64, f64, f64) {
        prf(self.calls_both, self.calls_said, self.calls_both, self.calls_with)
    }

    /// Adds what was found in one call.
    pub(crate) fn add(&mut self, call: &Labelled, items: &[Item]) {
        let of: Vec<Vec<usize>> = items
            .iter()
            .map(|item| item.quotes.iter().flat_map(|quote| call.wishes_of(quote)).collect())
            .collect();
        let mut taken = vec![false; call.wishes.len()];
        let mut hit = vec![false; call.wishes.len()];
        for (item, wishes) in items.iter().zip(&of) {
            wishes.iter().for_each(|wish| hit[*wish] = true);
            self.right += usize::from(!wishes.is_empty());
            if let Some(wish) = wishes.iter().copied().find(|wish| !taken[*wish]) {
                taken[wish] = true;
                self.paired += 1;
                let label = &call.wishes[wish];
                let agree = [
                    item.kind == label.kind,
                    item.sentiment == label.sentiment,
                    item.priority == label.priority,
                ];
                self.agree.iter_mut().zip(agree).for_each(|(count, is)| *count += usize::from(is));
            }
            self.quotes += item.quotes.len();
            self.verbatim += item.quotes.iter().filter(|quote| is_verbatim(call, quote)).count();
        }
        self.calls += 1;
        self.labelled += call.wishes.len();
        self.hit += hit.iter().filter(|is| **is).count();
        self.found += items.len();
        let (with, said) = (!call.wishes.is_empty(), !items.is_empty());
        self.calls_with += usize::from(with);
        self.calls_said += usize::from(said);
        self.calls_both += usize::from(with && said);
    }
}

/// Letter by letter in the turn that it is said to come from, spoken by somebody who is not ours.
fn is_verbatim(call: &Labelled, quote: &feedback::Quote) -> bool {
    let Some(turn) = call.talk.turns.get(quote.place.turn) else { return false };
    let said: Vec<&str> = turn.sentences.iter().map(|one| one.text.as_str()).collect();
    said.join(" ").contains(&quote.text) && call.talk.speakers[turn.speaker].side != kernel::Side::Us
}

/// Runs an analyzer over a call.
pub(crate) async fn analyze(analyzer: &dyn Analyzer, call: &Labelled) -> Result<Vec<Item>, Fault> {
    let (detection, _) = analyzer.detect(&call.talk).await.doing(format!("detecting in {}", call.id))?;
    let found = analyzer.extract(&call.talk, &detection, &House::default()).await;
    Ok(found.doing(format!("extracting from {}", call.id))?.0)
}

/// The place of each label in its enum.
pub(crate) fn sorts(wish: &crate::labelled::Wish) -> [usize; 3] {
    let place = |at: Option<usize>| at.unwrap_or_default();
    [
        place(FeedbackKind::ALL.iter().position(|kind| *kind == wish.kind)),
        place(Sentiment::ALL.iter().position(|sentiment| *sentiment == wish.sentiment)),
        place(Priority::ALL.iter().position(|priority| *priority == wish.priority)),
    ]
}
