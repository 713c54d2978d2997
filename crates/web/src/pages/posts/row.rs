//! A post as a line of a list, and the words of enumerations as people read them.

use feedback::Post;
use kernel::{PostState, PostStatus, Priority};
use time::OffsetDateTime;

use crate::pages::view::{
    figures,
    gong::Choice,
    icon::Icon,
    moment::Moment,
    posts::PostRow,
    shell::{Pill, Tone},
};

/// A word of an enumeration as people read it.
pub(in crate::pages) fn plain(word: &str) -> String {
    let text = match word {
        "ux_complaint" => "UX complaint".to_owned(),
        other => other.replace('_', " "),
    };
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// The choices of a select; the first one stands for none.
pub(in crate::pages) fn choices<T: ToString>(all: &[T], chosen: &str, none: Option<&str>) -> Vec<Choice> {
    let first =
        none.map(|label| Choice { value: String::new(), label: label.into(), chosen: chosen.is_empty() });
    let rest = all.iter().map(|one| {
        let value = one.to_string();
        Choice { label: plain(&value), chosen: value == chosen, value }
    });
    first.into_iter().chain(rest).collect()
}

/// One post of a list.
pub(in crate::pages) fn row(post: Post, now: OffsetDateTime) -> PostRow {
    let mut labels = vec![plain(post.kind.as_str())];
    labels.extend((!post.area.is_empty()).then(|| post.area.clone()));
    labels.extend(post.category.clone().filter(|category| *category != post.area));
    labels.extend(post.tags.iter().filter(|tag| **tag != post.area).cloned());
    let title = if post.title.is_empty() { "A post without words".to_owned() } else { post.title };
    PostRow {
        id: post.id.to_string(),
        title,
        summary: post.summary,
        labels,
        accounts: figures::of(i64::from(post.accounts), "account", "accounts"),
        asks: figures::of(i64::from(post.evidence), "ask", "asks"),
        priority: priority(post.priority),
        status: status(post.state, post.status),
        last_asked: post.last_asked_at.map(|at| Moment::new(at, now)),
    }
}

fn priority(priority: Priority) -> Pill {
    let (tone, icon) = match priority {
        Priority::Low | Priority::Medium => (Tone::Calm, Icon::Gauge),
        Priority::High => (Tone::Warn, Icon::Gauge),
        Priority::Critical => (Tone::Bad, Icon::Warning),
    };
    Pill { tone, icon, word: priority.as_str(), label: priority.as_str().into() }
}

/// How far a post has come; where it is not on its board, that.
fn status(state: PostState, status: PostStatus) -> Pill {
    let (tone, icon, word) = match (state, status) {
        (PostState::Review, _) => (Tone::Busy, Icon::Inbox, "waits for review"),
        (PostState::Withdrawn, _) => (Tone::Calm, Icon::Off, "withdrawn"),
        (PostState::Rejected, _) => (Tone::Calm, Icon::Close, "rejected"),
        (PostState::Published, PostStatus::Open) => (Tone::Calm, Icon::Eye, "open"),
        (PostState::Published, PostStatus::Planned) => (Tone::Busy, Icon::Clock, "planned"),
        (PostState::Published, PostStatus::InProgress) => (Tone::Busy, Icon::Sync, "in progress"),
        (PostState::Published, PostStatus::Done) => (Tone::Good, Icon::CheckCircle, "done"),
        (PostState::Published, PostStatus::Declined) => (Tone::Calm, Icon::Close, "declined"),
    };
    Pill { tone, icon, word, label: word.into() }
}
