//! Work that was given up.

use time::Duration;

use super::{
    super::{letters::*, shell::Here},
    HOSTILE, Page, ago, frame, out,
};

pub(super) fn pages() -> Vec<Page> {
    vec![("dead_letters", list()), ("dead_letters_none", none()), ("discard", question())]
}

fn list() -> String {
    let row = |work: &str, ended: Option<&str>| LetterRow {
        id: "dead_01a1fca5e7167dfc931b41d7552b8d3b".into(),
        work: work.into(),
        title: "Gong refused the request as wrong".into(),
        code: "gong_refused".into(),
        attempts: "8 attempts".into(),
        died: ago(Duration::minutes(40)),
        ended: ended.map(str::to_owned),
        closed: ended.map(|_| ago(Duration::minutes(3))),
        discard: "/settings/dead-letters/discard?id=dead_1".into(),
    };
    out(&DeadLettersPage {
        frame: frame(Here::DeadLetters),
        groups: vec![GroupRow {
            work: "Bringing in history".into(),
            title: HOSTILE.into(),
            cause: "Gong says that the request is wrong. Nothing of it was stored.".into(),
            open: "12 jobs".into(),
            attempts: "8 attempts".into(),
            since: ago(Duration::days(2)),
            last: ago(Duration::minutes(40)),
            kind: "backfill".into(),
            code: "gong_refused".into(),
            discard: "/settings/dead-letters/discard?kind=backfill&code=gong_refused".into(),
        }],
        letters: vec![row("Bringing in history", None), row("Looking for new calls", Some(HOSTILE))],
        all: true,
        newer: None,
        older: Some("/settings/dead-letters?cursor=x".into()),
    })
}

fn none() -> String {
    out(&DeadLettersPage {
        frame: frame(Here::DeadLetters),
        groups: vec![],
        letters: vec![],
        all: false,
        newer: None,
        older: None,
    })
}

fn question() -> String {
    out(&DiscardPage {
        frame: frame(Here::DeadLetters),
        title: "Discard 12 jobs?".into(),
        work: "Bringing in history".into(),
        why: "Gong refused the request as wrong".into(),
        id: None,
        kind: "backfill".into(),
        code: "gong_refused".into(),
        reason: HOSTILE.into(),
        error: Some("Must have 1 to 500 characters.".into()),
        button: Button::Many,
    })
}
