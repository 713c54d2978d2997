//! Posts as CSV or JSON, written page by page while they are read. Cells of CSV never begin like a formula.

use std::{fmt::Write, time::Duration};

use accounts::{Entry, Permission, actions};
use axum::body::Body;
use feedback::{Post, PostCursor, PostQuery};
use kernel::Scope;
use serde_json::json;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::{sync::mpsc, time::timeout};
use tokio_stream::wrappers::ReceiverStream;

use crate::{
    AppState, Problem,
    api::PostView,
    auth::{self, ApiCaller, Credential},
    export::Place,
};

/// How long one may take to be read.
const LONGEST: Duration = Duration::from_secs(25 * 60);
/// Posts of one page.
const PAGE: i64 = 100;

/// How posts are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// A line a post, RFC 4180.
    Csv,
    /// An array.
    Json,
}

impl Format {
    /// The media type.
    pub(crate) const fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Json => "application/json",
        }
    }

    /// How the file's name ends.
    pub(crate) const fn suffix(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
        }
    }

    fn head(self) -> &'static str {
        match self {
            Self::Csv => {
                "id,board,title,summary,description,kind,sentiment,priority,area,category,tags,status,state,evidence,accounts,\
                 first_asked_at,last_asked_at,created_at,source,source_type\r\n"
            }
            Self::Json => "[",
        }
    }

    fn end(self) -> &'static str {
        match self {
            Self::Csv => "",
            Self::Json => "]\n",
        }
    }

    fn page(self, posts: Vec<Post>, is_first: bool) -> String {
        let mut text = String::new();
        for (at, post) in posts.into_iter().enumerate() {
            match self {
                Self::Csv => line(&mut text, &post),
                Self::Json => {
                    text.push_str(if is_first && at == 0 { "\n" } else { ",\n" });
                    text.push_str(&serde_json::to_string(&PostView::from(post)).unwrap_or_default());
                }
            }
        }
        text
    }
}

fn line(text: &mut String, post: &Post) {
    let time = |at: Option<OffsetDateTime>| at.and_then(|at| at.format(&Rfc3339).ok()).unwrap_or_default();
    let tags = post.tags.join("; ");
    let category = post.category.as_deref().unwrap_or_default();
    let (evidence, accounts) = (post.evidence.to_string(), post.accounts.to_string());
    let (first, last, made) =
        (time(post.first_asked_at), time(post.last_asked_at), time(Some(post.created_at)));
    let (id, board) = (post.id.to_string(), post.board.to_string());
    let cells = [
        &*id,
        &*board,
        &*post.title,
        &*post.summary,
        &*post.description,
        post.kind.as_str(),
        post.sentiment.as_str(),
        post.priority.as_str(),
        &*post.area,
        category,
        &*tags,
        post.status.as_str(),
        post.state.as_str(),
        &*evidence,
        &*accounts,
        &*first,
        &*last,
        &*made,
        "gong",
        "integration",
    ];
    for (at, text_of) in cells.iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        cell(text, text_of);
    }
    text.push_str("\r\n");
}

/// A cell in quotes. One that a spreadsheet would take for a formula gets an apostrophe before it.
fn cell(out: &mut String, text: &str) {
    let first = text.trim_start_matches([' ', '\u{a0}', '\u{feff}']).chars().next();
    let formula = matches!(
        first,
        Some(
            '=' | '+'
                | '-'
                | '@'
                | '\t'
                | '\r'
                | '\n'
                | '|'
                | '%'
                | '\u{ff1d}'
                | '\u{ff0b}'
                | '\u{ff0d}'
                | '\u{ff20}'
        )
    );
    let mark = if formula { "'" } else { "" };
    // Writing into a text does not fail.
    write!(out, "\"{mark}{}\"", text.replace('"', "\"\"")).ok();
}

type Lines = mpsc::Sender<Result<String, std::io::Error>>;

/// The posts as the body of an answer. It ends early when the reader goes away, no longer may have it, or takes too long.
///
/// # Errors
/// 403 below viewer; 404 for a board that is not there; 429 while one of the organization is being written; 503 when two others
/// are.
pub(crate) async fn body(
    state: &AppState,
    caller: &ApiCaller,
    query: PostQuery,
    format: Format,
) -> Result<Body, Problem> {
    caller.require(state, Permission::ViewFeedback).await?;
    let place = state.exports.take(caller.scope.organization())?;
    let mut tx = caller.begin(state).await?;
    let entry = Entry::new(actions::POSTS_EXPORTED, &caller.request);
    accounts::audit(&mut tx, entry.detail(json!({ "format": format.suffix() })), &*state.ambient).await?;
    tx.commit().await?;
    let (send, lines) = mpsc::channel(2);
    let job = Job {
        state: state.clone(),
        credential: caller.credential.clone(),
        scope: caller.scope,
        query: PostQuery { limit: PAGE, ..query },
        format,
        _place: place,
    };
    tokio::spawn(async move {
        if !matches!(timeout(LONGEST, job.write(&send)).await, Ok(Ok(true))) {
            tracing::warn!("An export of posts was ended before its end.");
            // The connection is cut, so that the reader sees that the end is missing.
            send.try_send(Err(std::io::Error::other("the export failed"))).ok();
        }
    });
    Ok(Body::from_stream(ReceiverStream::new(lines)))
}

struct Job {
    state: AppState,
    credential: Credential,
    scope: Scope,
    query: PostQuery,
    format: Format,
    _place: Place,
}

impl Job {
    /// Writes all pages, or until nobody reads them; false when the reader may no longer have them.
    async fn write(mut self, to: &Lines) -> Result<bool, Problem> {
        let mut text = self.format.head().to_owned();
        let mut is_first = true;
        loop {
            let (posts, next) = self.page().await?;
            text.push_str(&self.format.page(posts, is_first));
            if next.is_none() {
                text.push_str(self.format.end());
            }
            if to.send(Ok(std::mem::take(&mut text))).await.is_err() || next.is_none() {
                return Ok(true);
            }
            let now = auth::recheck(&self.state, &self.credential).await.ok().flatten();
            if !now.is_some_and(|now| self.may_have(&now)) {
                return Ok(false);
            }
            (self.query.after, is_first) = (next, false);
        }
    }

    async fn page(&self) -> Result<(Vec<Post>, Option<PostCursor>), Problem> {
        let mut tx = self.state.db.begin(&self.scope).await?;
        let page = feedback::posts(&mut tx, &self.query).await?;
        Ok((page.posts, page.next))
    }

    fn may_have(&self, now: &Scope) -> bool {
        now.organization() == self.scope.organization() && Permission::ViewFeedback.granted_to(now.actor())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_begins_like_a_formula_and_quotes_are_doubled() {
        let of = |text: &str| {
            let mut out = String::new();
            cell(&mut out, text);
            out
        };
        assert_eq!(of("Export \"all\", please"), "\"Export \"\"all\"\", please\"");
        for bad in [
            "=1+1",
            "+1",
            "-1",
            "@SUM(A1)",
            "\t=1",
            "\r=1",
            " =1",
            "\u{a0}=HYPERLINK(\"http://x\")",
            "\u{ff1d}1",
        ] {
            assert!(of(bad).starts_with("\"'"), "{bad:?}");
        }
        assert_eq!(of("2 = 2"), "\"2 = 2\"");
    }
}
