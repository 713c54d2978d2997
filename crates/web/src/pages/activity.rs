//! `GET /activity`: the audit log as sentences.

use accounts::{AuditLine, Cursor, PageSize, Permission};
use axum::{extract::State, response::Response};
use serde_json::Value;
use time::OffsetDateTime;

use super::{
    view::{
        access::{ActivityPage, ActivityRow},
        moment::Moment,
        shell::Here,
    },
    visit::{Trail, Visit, address, page},
};
use crate::{AppState, Problem, actor::who, auth::SignedIn, extract::Search, sentence::sentence};

/// `GET /activity`
pub(super) async fn list(
    State(state): State<AppState>,
    visit: Visit,
    person: SignedIn,
    Search(trail): Search<Trail>,
) -> Result<Response, Problem> {
    person.require(&state, Permission::ViewActivity).await?;
    let now = state.ambient.now();
    let cursor = trail.cursor.as_deref().map(Cursor::decode).transpose()?;
    let mut tx = person.begin(&state).await?;
    let lines = accounts::activity(&mut tx, cursor, PageSize::of(50)?).await?;
    page(&ActivityPage {
        frame: visit.frame(&person, Here::Activity),
        rows: lines.items.into_iter().map(|line| row(line, now)).collect(),
        newer: trail.newer().map(|place| address("/activity", &place)),
        older: lines.next.map(|next| address("/activity", &trail.older(&next))),
    })
}

fn row(line: AuditLine, now: OffsetDateTime) -> ActivityRow {
    let mut details = Vec::new();
    flatten("", &line.detail, &mut details);
    let said = line.sentence();
    // Our own names of things that have no sentence here stay as they are.
    let sentence =
        if said == line.action { said.to_owned() } else { sentence(said).trim_end_matches('.').to_owned() };
    ActivityRow {
        at: Moment::new(line.at, now),
        actor: who(&line),
        sentence,
        details,
        ip: line.ip,
        request_id: line.request_id,
    }
}

/// The details as pairs of words: nested names with a dot, nothing that is null.
fn flatten(name: &str, value: &Value, out: &mut Vec<(String, String)>) {
    let text = match value {
        Value::Null => return,
        Value::Object(fields) => {
            for (key, value) in fields {
                let key = key.replace('_', " ");
                flatten(&if name.is_empty() { key } else { format!("{name} {key}") }, value, out);
            }
            return;
        }
        Value::Array(items) => {
            let words: Vec<String> = items.iter().map(plain).collect();
            words.join(", ")
        }
        other => plain(other),
    };
    if out.len() < 12 {
        out.push((name.to_owned(), text.chars().take(200).collect()));
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "yes".into(),
        Value::Bool(false) => "no".into(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_read_like_words() {
        let mut out = Vec::new();
        let detail = serde_json::json!({"history_days": 30, "reconnected": false, "x": null, "after": {"names": ["a", "b"]}});
        flatten("", &detail, &mut out);
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        out.sort();
        assert_eq!(out, [pair("after names", "a, b"), pair("history days", "30"), pair("reconnected", "no")]);
    }
}
