//! Taking a person out of what was made of calls. What the person said goes with its wish; where others named the person, the
//! name goes and the wish stays in its place.

use db::Tx;

use crate::{
    Evidence, FeedbackError,
    store::{masking as store, vectors},
};

/// Rows in one look.
const PAGE: i64 = 500;

/// Masks a person in everything that this room keeps of the organization; `mask` gives a text without the person, or nothing
/// where the person is not in it. Says how many rows were changed or taken away.
///
/// # Errors
/// When the database fails.
pub async fn mask_records(
    tx: &mut Tx,
    mask: &(dyn Fn(&str) -> Option<String> + Send + Sync),
) -> Result<i64, FeedbackError> {
    vectors::lock(tx).await?;
    let (mut rows, mut after) = (0, None);
    loop {
        let page = store::evidence_behind(tx, after, PAGE).await?;
        let Some(last) = page.last().map(|one| one.id) else { break };
        after = Some(last);
        let mut gone = Vec::new();
        for mut one in page {
            match masked(&mut one, mask) {
                What::Nothing => {}
                What::Gone => gone.push(one.id),
                What::Changed => {
                    rows += 1;
                    store::rewrite(tx, &one).await?;
                }
            }
        }
        rows += i64::try_from(gone.len()).unwrap_or(i64::MAX);
        crate::store::evidence::delete(tx, &gone).await?;
    }
    rows += posts(tx, mask).await?;
    for (call, title, post) in store::partings(tx).await? {
        if let Some(new) = mask(&title) {
            rows += 1;
            store::rename_parting(tx, (call, &title, post), &new).await?;
        }
    }
    if rows > 0 {
        tx.announce("feedback").await?;
    }
    Ok(rows)
}

/// Words of posts that a person of the organization wrote.
async fn posts(
    tx: &mut Tx,
    mask: &(dyn Fn(&str) -> Option<String> + Send + Sync),
) -> Result<i64, FeedbackError> {
    let (mut rows, mut after) = (0, None);
    loop {
        let page = store::posts_behind(tx, after, PAGE).await?;
        let Some(last) = page.last().map(|(id, _)| *id) else { return Ok(rows) };
        after = Some(last);
        for (post, mut words) in page {
            if words.iter_mut().fold(false, |hit, text| replace(text, mask) | hit) {
                rows += 1;
                store::reword(tx, post, &words).await?;
            }
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum What {
    Nothing,
    Changed,
    Gone,
}

fn masked(one: &mut Evidence, mask: &(dyn Fn(&str) -> Option<String> + Send + Sync)) -> What {
    if one.author.as_deref().is_some_and(|author| mask(author).is_some()) {
        return What::Gone;
    }
    let before = one.quotes.len();
    one.quotes.retain(|quote| quote.speaker.as_deref().is_none_or(|speaker| mask(speaker).is_none()));
    if one.quotes.is_empty() {
        return What::Gone;
    }
    let mut hit = one.quotes.len() < before;
    for quote in &mut one.quotes {
        hit |= replace(&mut quote.text, mask);
    }
    for text in [&mut one.title, &mut one.summary, &mut one.description, &mut one.area] {
        hit |= replace(text, mask);
    }
    for text in one.pain_points.iter_mut().chain(one.call_title.iter_mut()) {
        hit |= replace(text, mask);
    }
    if hit { What::Changed } else { What::Nothing }
}

fn replace(text: &mut String, mask: &(dyn Fn(&str) -> Option<String> + Send + Sync)) -> bool {
    let new = mask(text);
    let hit = new.is_some();
    if let Some(new) = new {
        *text = new;
    }
    hit
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Quote, conversation::Place};
    use kernel::{CallId, EvidenceId, FeedbackKind, PostId, Priority, Sentiment, Side};
    use time::macros::datetime;
    use uuid::Uuid;

    fn quote(text: &str, speaker: &str) -> Quote {
        Quote {
            text: text.into(),
            place: Place { turn: 0, sentence: 0 },
            speaker: Some(speaker.into()),
            side: Side::Customer,
            account: None,
            start_ms: 0,
            end_ms: 1,
        }
    }

    fn evidence(author: &str, quotes: Vec<Quote>) -> Evidence {
        Evidence {
            id: EvidenceId::from_uuid(Uuid::nil()),
            post: PostId::from_uuid(Uuid::nil()),
            call: CallId::from_uuid(Uuid::nil()),
            title: "Send exports to anna".into(),
            summary: String::new(),
            description: String::new(),
            kind: FeedbackKind::Bug,
            sentiment: Sentiment::Neutral,
            priority: Priority::Low,
            area: String::new(),
            pain_points: vec!["anna waits".into()],
            quotes,
            author: Some(author.into()),
            account: None,
            call_title: Some("With anna".into()),
            call_url: None,
            called_at: datetime!(2026-03-01 10:00 UTC),
            similarity: None,
            is_joined: false,
            is_placed: false,
            doubt: None,
            analyzer: "basic/1".into(),
        }
    }

    #[test]
    fn the_persons_own_wish_goes_and_mentions_are_masked() {
        let mask = |text: &str| text.contains("anna").then(|| text.replace("anna", "***"));
        assert_eq!(masked(&mut evidence("anna", vec![quote("x", "anna")]), &mask), What::Gone);
        assert_eq!(masked(&mut evidence("bob", vec![quote("x", "anna")]), &mask), What::Gone);
        let mut both = evidence("bob", vec![quote("for anna", "bob"), quote("yes", "anna")]);
        assert_eq!(masked(&mut both, &mask), What::Changed);
        let texts = format!("{both:?}");
        assert!(!texts.contains("anna") && texts.contains("for ***"), "{texts}");
        assert_eq!(masked(&mut both, &mask), What::Nothing);
    }
}
