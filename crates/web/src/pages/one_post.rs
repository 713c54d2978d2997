//! `GET /posts/{id}`: what is asked for, who said so in which words, how often.

mod acts;

use accounts::Permission;
use axum::{extract::State, response::Response};
use db::Tx;
use feedback::{Evidence, Post, PostQuery};
use kernel::{EvidenceId, PostId, PostState, PostStatus, Priority};
use serde::Deserialize;
use time::OffsetDateTime;

use super::{
    posts::{choices, plain, row},
    trend,
    view::{
        figures,
        gong::Choice,
        moment::Moment,
        posts::{EditForm, EvidenceCard, MergeForm, PostPage, PostRow, QuoteLine},
        shell::Here,
    },
    visit::{Fields, Visit, address, page},
};
use crate::{
    AppState, Problem,
    auth::SignedIn,
    extract::{Ids, Search},
    feedback::{self as doing, moment_in_gong},
};
pub(super) use acts::{change, list, merge, split, status};

/// Evidence on one page.
const EVIDENCE: i64 = 20;
/// Posts that a search for another one shows.
const FOUND: i64 = 8;

/// What to show beside the post.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Wanted {
    /// Words of the post to merge into.
    #[serde(default)]
    merge: Option<String>,
    /// Evidence behind this one.
    #[serde(default)]
    after: Option<String>,
}

/// What was refused, and in which form.
#[derive(Debug, Default)]
struct Refused {
    edit: Option<String>,
    merge: Option<String>,
    typed: Option<Fields>,
}

/// `GET /posts/{id}`
pub(super) async fn show(
    State(state): State<AppState>,
    visit: Visit,
    person: SignedIn,
    Ids(id): Ids<PostId>,
    Search(wanted): Search<Wanted>,
) -> Result<Response, Problem> {
    person.require(&state, Permission::ViewFeedback).await?;
    page(&build(&state, &visit, &person, (id, wanted, Refused::default())).await?)
}

async fn build(
    state: &AppState,
    visit: &Visit,
    person: &SignedIn,
    (id, wanted, refused): (PostId, Wanted, Refused),
) -> Result<PostPage, Problem> {
    let now = state.ambient.now();
    let may_edit = person.may(Permission::EditFeedback);
    let mut tx = person.begin(state).await?;
    let post = feedback::post(&mut tx, id).await?;
    let after =
        wanted.after.as_deref().filter(|after| !after.is_empty()).map(str::parse::<EvidenceId>).transpose();
    let after = after.map_err(|_| Problem::field("after", "must be one that a page gave out"))?;
    let feedback::EvidencePage { items: evidence, next } =
        feedback::evidence(&mut tx, id, after, EVIDENCE).await?;
    let doubt = match evidence.iter().find_map(|one| one.doubt) {
        Some(other) => Some(feedback::post(&mut tx, other).await?).filter(takes_in),
        None => None,
    };
    let merge = merge_form(&mut tx, &post, &wanted, (refused.merge.clone(), now)).await?;
    let weeks = feedback::trend(&mut tx, id).await?;
    let lives = post.state != PostState::Withdrawn;
    let here = format!("/posts/{id}");
    let more = next.map(|last| address(&here, &[("after", last.to_string())]));
    Ok(PostPage {
        frame: visit.frame(person, Here::Posts),
        board: board_name(&mut tx, &post).await?,
        facts: facts(&post, now),
        notice: notice(&post),
        decides: may_edit && post.state == PostState::Review,
        doubt: doubt.map(|other| row(other, now)),
        may_edit: may_edit && lives,
        edit: edit_form(&mut tx, &post, &refused).await?,
        merge,
        trend: trend::draw(&weeks, now),
        may_split: may_edit && lives && post.evidence > 1,
        evidence: evidence.into_iter().map(|one| card(one, now)).collect(),
        first: (after.is_some()).then_some(here),
        more,
        description: post.description.clone(),
        row: row(post, now),
    })
}

/// Whether a post can take evidence in so that somebody sees it.
pub(super) fn takes_in(post: &Post) -> bool {
    matches!(post.state, PostState::Published | PostState::Review)
}

async fn board_name(tx: &mut Tx, post: &Post) -> Result<String, Problem> {
    let names = feedback::board_names(tx).await?;
    Ok(names
        .into_iter()
        .find(|(id, _)| *id == post.board)
        .map_or_else(|| "a board that was put away".into(), |(_, name)| name))
}

fn facts(post: &Post, now: OffsetDateTime) -> Vec<(&'static str, String)> {
    let day = |at: Option<OffsetDateTime>| at.map(|at| Moment::new(at, now).date());
    let facts = [
        ("Kind", Some(plain(post.kind.as_str()))),
        ("Sentiment", Some(plain(post.sentiment.as_str()))),
        ("Area", Some(post.area.clone())),
        ("Category", post.category.clone()),
        ("Tags", Some(post.tags.join(", "))),
        ("First asked", day(post.first_asked_at)),
        ("Last asked", day(post.last_asked_at)),
        ("Found by", Some(post.analyzer.clone())),
        ("Words", post.is_edited.then(|| "written by a person".to_owned())),
        ("Source", Some("Gong (integration)".to_owned())),
    ];
    facts
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .filter(|(_, value)| !value.is_empty())
        .collect()
}

fn notice(post: &Post) -> Option<(&'static str, String)> {
    match post.state {
        PostState::Published => None,
        PostState::Review => {
            Some(("This post waits for review", "It is not on its board before somebody says yes.".into()))
        }
        PostState::Rejected => Some((
            "This post was rejected",
            "It is not on its board. It keeps its evidence, so that the same wish is recognised.".into(),
        )),
        PostState::Withdrawn => Some((
            "This post is withdrawn",
            "Its last evidence went to another post or with the calls behind it, and every word of it too."
                .into(),
        )),
    }
}

async fn edit_form(tx: &mut Tx, post: &Post, refused: &Refused) -> Result<EditForm, Problem> {
    let boards = feedback::boards(tx).await?;
    let typed = |name: &str, stored: &str| {
        refused.typed.as_ref().map_or_else(|| stored.to_owned(), |fields| fields.get(name).to_owned())
    };
    let categories: Vec<&String> =
        boards.iter().filter(|board| board.id == post.board).flat_map(|board| &board.categories).collect();
    let chosen = post.category.clone().unwrap_or_default();
    let mut offered = vec![Choice { value: String::new(), label: "None".into(), chosen: chosen.is_empty() }];
    let known = categories.iter().any(|name| **name == chosen);
    let own = Some(&chosen).filter(|chosen| !known && !chosen.is_empty());
    offered.extend(categories.into_iter().chain(own).map(|name| Choice {
        value: name.clone(),
        label: name.clone(),
        chosen: *name == chosen,
    }));
    let board = |board: &feedback::Board| Choice {
        value: board.id.to_string(),
        label: board.name.clone(),
        chosen: board.id == post.board,
    };
    let mut places: Vec<Choice> = boards.iter().map(board).collect();
    if !places.iter().any(|place| place.chosen) {
        let stays = Choice { value: String::new(), label: "Leave it where it is".into(), chosen: true };
        places.insert(0, stays);
    }
    Ok(EditForm {
        version: doing::version(post).as_str().to_owned(),
        title: typed("title", &post.title),
        summary: typed("summary", &post.summary),
        description: typed("description", &post.description),
        tags: typed("tags", &post.tags.join(", ")),
        boards: places,
        categories: offered,
        priorities: choices(Priority::ALL, post.priority.as_str(), None),
        statuses: choices(PostStatus::ALL, post.status.as_str(), None),
        error: refused.edit.clone(),
        open: refused.edit.is_some(),
    })
}

async fn merge_form(
    tx: &mut Tx,
    post: &Post,
    wanted: &Wanted,
    (error, now): (Option<String>, OffsetDateTime),
) -> Result<MergeForm, Problem> {
    let search: String = wanted.merge.as_deref().unwrap_or_default().trim().chars().take(200).collect();
    let found = if search.is_empty() { Vec::new() } else { others(tx, post.id, &search).await? };
    let found: Vec<PostRow> = found.into_iter().map(|other| row(other, now)).collect();
    Ok(MergeForm { asked: !search.is_empty(), search, found, error })
}

/// Other posts with this text; where none has it, those with most of its longer words.
async fn others(tx: &mut Tx, id: PostId, text: &str) -> Result<Vec<Post>, Problem> {
    let mut found: Vec<(usize, Post)> = Vec::new();
    let mut words: Vec<&str> =
        text.split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() > 3).collect();
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    words.truncate(4);
    for wanted in std::iter::once(text).chain(words) {
        for other in with_text(tx, wanted).await?.into_iter().filter(|other| other.id != id) {
            match found.iter_mut().find(|(_, known)| known.id == other.id) {
                Some((hits, _)) => *hits += 1,
                None => found.push((1, other)),
            }
        }
        if wanted == text && !found.is_empty() {
            break;
        }
    }
    found.sort_by_key(|(hits, _)| std::cmp::Reverse(*hits));
    found.truncate(usize::try_from(FOUND).unwrap_or(8));
    Ok(found.into_iter().map(|(_, other)| other).collect())
}

/// Posts that can take evidence in, with this text in title or summary.
async fn with_text(tx: &mut Tx, text: &str) -> Result<Vec<Post>, Problem> {
    let mut found = Vec::new();
    for state in [PostState::Published, PostState::Review] {
        let search = Some(text.to_owned());
        let query = PostQuery { state, search, limit: FOUND + 1, ..PostQuery::default() };
        found.extend(feedback::posts(tx, &query).await?.posts);
    }
    Ok(found)
}

/// One piece of evidence.
pub(super) fn card(one: Evidence, now: OffsetDateTime) -> EvidenceCard {
    let percent = one.similarity.map(|like| format!("{:.0} %", like * 100.0)).unwrap_or_default();
    let how = match (one.is_placed, one.is_joined) {
        (true, _) => "Somebody put it here.".to_owned(),
        (_, true) => format!("It joined by its likeness, {percent}."),
        _ if one.doubt.is_some() => format!("It may be the same as another post, {percent} alike."),
        _ => "This wish made the post.".to_owned(),
    };
    let quotes = one.quotes.iter().map(|quote| QuoteLine {
        text: quote.text.clone(),
        speaker: quote.speaker.clone().unwrap_or_else(|| "Unknown speaker".into()),
        at: figures::clock(quote.start_ms),
        gong: moment_in_gong(one.call_url.as_deref(), quote.start_ms, quote.end_ms),
        transcript: format!("/calls/{}#t-{}", one.call, quote.start_ms),
    });
    EvidenceCard {
        id: one.id.to_string(),
        quotes: quotes.collect(),
        title: one.title,
        who: one.author.unwrap_or_else(|| "Somebody".into()),
        account: one.account,
        call: one.call.to_string(),
        call_title: super::calls::title(one.call_title.as_deref()),
        called: Moment::new(one.called_at, now),
        how,
        pain_points: one.pain_points,
    }
}
