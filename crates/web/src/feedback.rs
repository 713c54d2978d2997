//! What people do with feedback: boards, posts, evidence, settings. API and pages both come here, so a button and a request are
//! the same act: one permission, one transaction, one line in the audit log. Knows no markup.

mod boards;
pub(crate) mod export;
mod posts;
mod settings;

use accounts::{Action, Entry};
use db::Tx;
use feedback::Thresholds;
use serde_json::Value;

pub(crate) use boards::{
    BoardChange, archive_board, board, board_version, change_board, create_board, set_tags,
};
pub(crate) use posts::{change_post, merge, retry, review, split, version};
pub(crate) use settings::{
    SettingsChange, change as change_settings, look_again, thresholds, version as settings_version,
};

use crate::{AppState, Problem, auth::Caller};

/// What this installation can make feedback with.
#[derive(Debug, Clone, PartialEq)]
pub struct FeedbackOffers {
    /// Whether the model for likeness is here, without which nothing is looked at.
    pub local: bool,
    /// The language model, where the operator set one.
    pub language_model: Option<String>,
    /// How like wishes have to be where an organization says nothing else; they belong to the model for likeness.
    pub thresholds: Thresholds,
}

impl Default for FeedbackOffers {
    fn default() -> Self {
        // Careful, as for a model that nobody measured.
        let thresholds = Thresholds { join_at: 0.90, ask_at: 0.80 };
        Self { local: false, language_model: None, thresholds }
    }
}

/// Writes the line of the audit log.
async fn note(
    tx: &mut Tx,
    state: &AppState,
    caller: &Caller,
    (action, target): (Action, Option<String>),
    detail: Value,
) -> Result<(), Problem> {
    let mut entry = Entry::new(action, &caller.request).detail(detail);
    entry.target = target;
    accounts::audit(tx, entry, &*state.ambient).await?;
    Ok(())
}

/// A call's page in Gong, at the seconds of a quote; `None` where Gong gave no web address. The query is the one of Gong's own
/// links to a part of a call.
pub(crate) fn moment_in_gong(call_url: Option<&str>, start_ms: i64, end_ms: i64) -> Option<String> {
    let mut url = url::Url::parse(call_url?).ok().filter(|url| {
        url.scheme() == "https" && url.has_host() && url.username().is_empty() && url.password().is_none()
    })?;
    let (from, to) = (start_ms.max(0) / 1000, (end_ms.max(start_ms).max(0) + 999) / 1000);
    let part = serde_json::json!([{ "type": "SHARE", "from": from, "to": to }]);
    url.query_pairs_mut().append_pair("highlights", &part.to_string());
    Some(url.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_to_the_seconds_of_the_quote_and_only_to_the_web() {
        let link = moment_in_gong(Some("https://us-7.app.gong.io/call?id=7"), 61_200, 63_900).unwrap();
        assert_eq!(
            link,
            "https://us-7.app.gong.io/call?id=7&highlights=%5B%7B%22from%22%3A61%2C%22to%22%3A64%2C%22type%22%3A%22SHARE%22%7D%5D"
        );
        for bad in [
            None,
            Some(""),
            Some("javascript:alert(1)"),
            Some("http://app.gong.io/call"),
            Some("https://a:b@x.example/"),
        ] {
            assert_eq!(moment_in_gong(bad, 0, 0), None, "{bad:?}");
        }
    }
}
