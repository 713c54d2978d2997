//! `/settings/feedback`: boards and tags, who looks and who publishes, words, thresholds, money.

mod forms;

use accounts::Permission;
use axum::{extract::State, response::Response};
use db::Tx;
use feedback::{Board, Settings, Thresholds};
use http::StatusCode;
use kernel::{AnalyzerKind, FeedbackMode};
use serde::Deserialize;

use super::{
    posts::plain,
    trace::dollars,
    view::{
        feedback::{BoardForm, FeedbackSettingsPage, Offer, PreviewLines, ThresholdForm, UsageLine, Wrong},
        figures,
        gong::Choice,
        shell::Here,
    },
    visit::{Fields, Visit, page, page_with},
};
use crate::{
    AppState, Problem, api::FeedbackStatus, auth::SignedIn, conditional::Version, extract::Search,
    feedback as doing, messages, sentence::sentence,
};
pub(super) use forms::{
    add_board, alike, archive, ask_archive, change_board, how, look_again, money, tags, words,
};

pub(super) const HERE: &str = "/settings/feedback";

/// Days to look at again, as they are offered.
const DAYS: &str = "30";

/// What to try.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Tried {
    #[serde(default)]
    preview: Option<String>,
    #[serde(default)]
    join_at: Option<String>,
    #[serde(default)]
    ask_at: Option<String>,
}

/// `GET /settings/feedback`
pub(super) async fn show(
    State(state): State<AppState>,
    visit: Visit,
    person: SignedIn,
    Search(tried): Search<Tried>,
) -> Result<Response, Problem> {
    let mut shown = build(&state, &visit, &person).await?;
    if tried.preview.is_none() {
        return page(&shown);
    }
    shown.thresholds.join_at = tried.join_at.clone().unwrap_or_default();
    shown.thresholds.ask_at = tried.ask_at.clone().unwrap_or_default();
    match preview(&state, &person, &tried).await {
        Ok(lines) => shown.thresholds.preview = Some(lines),
        Err(problem) if problem.status == StatusCode::UNPROCESSABLE_ENTITY => {
            shown.wrong = Wrong { form: "alike".into(), words: told(&problem) };
            return page_with(problem.status, &shown);
        }
        Err(problem) => return Err(problem),
    }
    page(&shown)
}

/// What is wrong, in a sentence that names the field.
fn told(problem: &Problem) -> String {
    problem.errors.first().map_or_else(
        || problem.detail.clone(),
        |error| sentence(&format!("{} {}", error.field.replace('_', " "), error.message)),
    )
}

/// The page once more with what was wrong and what was typed; other problems go on.
async fn again(
    state: &AppState,
    visit: &Visit,
    person: &SignedIn,
    (form, problem, fields): (&str, Problem, &Fields),
) -> Result<Response, Problem> {
    let shown = [StatusCode::UNPROCESSABLE_ENTITY, StatusCode::CONFLICT, StatusCode::PRECONDITION_FAILED];
    if !shown.contains(&problem.status) {
        return Err(problem);
    }
    let mut built = build(state, visit, person).await?;
    let typed = |name: &str| fields.get(name).to_owned();
    match form {
        "boards" if fields.get("version").is_empty() => {
            built.new_board.name = typed("name");
            built.new_board.description = typed("description");
            built.new_board.categories = typed("categories");
        }
        "words" => {
            built.products = typed("products");
            built.competitors = typed("competitors");
            built.domains = typed("domains");
        }
        "tags" => built.tags = typed("tags"),
        "alike" => {
            built.thresholds.join_at = typed("join_at");
            built.thresholds.ask_at = typed("ask_at");
        }
        "money" => built.cap = typed("cap"),
        "again" => built.days = typed("days"),
        _ => {}
    }
    built.wrong = Wrong { form: form.to_owned(), words: told(&problem) };
    page_with(problem.status, &built)
}

async fn build(state: &AppState, visit: &Visit, person: &SignedIn) -> Result<FeedbackSettingsPage, Problem> {
    person.require(state, Permission::ManageFeedback).await?;
    let mut tx = person.begin(state).await?;
    let settings = feedback::settings(&mut tx).await?;
    let boards = feedback::boards(&mut tx).await?;
    let tags = feedback::tags(&mut tx).await?;
    let status = FeedbackStatus::read(state, &mut tx).await?;
    let usual = state.feedback.thresholds;
    let share = |value: Option<f32>| value.map(|value| value.to_string()).unwrap_or_default();
    Ok(FeedbackSettingsPage {
        frame: visit.frame(person, Here::Feedback),
        version: doing::settings_version(&settings).as_str().to_owned(),
        wrong: Wrong::default(),
        modes: modes(settings.mode),
        analyzers: analyzers(state, settings.analyzer),
        default_board: default_board(&settings, &boards),
        may_add_tags: settings.may_add_tags,
        tags_version: Version::of(&tags).as_str().to_owned(),
        tags: tags.join("\n"),
        products: settings.vocabulary.products.join("\n"),
        competitors: settings.vocabulary.competitors.join("\n"),
        domains: settings.vocabulary.domains.join("\n"),
        thresholds: ThresholdForm {
            join_at: share(settings.join_at),
            ask_at: share(settings.ask_at),
            usual: format!(
                "The model of this installation joins from {} and asks from {}.",
                usual.join_at, usual.ask_at
            ),
            preview: None,
        },
        cap: settings.monthly_cap.map(cap).unwrap_or_default(),
        days: DAYS.to_owned(),
        spent: format!("This month so far: {}.", dollars(status.spent_micros)),
        usage: usage(&mut tx).await?,
        ledger: ledger(&status),
        boards: boards.into_iter().map(board_form).collect(),
        new_board: BoardForm {
            id: String::new(),
            version: String::new(),
            name: String::new(),
            description: String::new(),
            categories: String::new(),
            posts: String::new(),
        },
    })
}

fn board_form(board: Board) -> BoardForm {
    BoardForm {
        version: doing::board_version(&board).as_str().to_owned(),
        id: board.id.to_string(),
        posts: figures::of(board.posts, "post", "posts"),
        categories: board.categories.join(", "),
        name: board.name,
        description: board.description,
    }
}

/// Millionths of a dollar as a form has them.
fn cap(micros: i64) -> String {
    let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn modes(chosen: FeedbackMode) -> Vec<Offer> {
    let offer = |mode: FeedbackMode, label, means: &str| Offer {
        value: mode.as_str(),
        label,
        means: means.to_owned(),
        chosen: mode == chosen,
        possible: true,
    };
    vec![
        offer(
            FeedbackMode::Automatic,
            "By itself",
            "Posts are published at once. What was done stands in the activity log and can be undone.",
        ),
        offer(
            FeedbackMode::Approval,
            "After a yes",
            "Nothing is published before somebody said yes in the review.",
        ),
    ]
}

fn analyzers(state: &AppState, chosen: AnalyzerKind) -> Vec<Offer> {
    let offer = |kind: AnalyzerKind, label, means: String, possible| Offer {
        value: kind.as_str(),
        label,
        means,
        chosen: kind == chosen,
        possible,
    };
    let basic = match state.feedback.local {
        true => {
            "Runs inside this installation: no key, and nothing leaves the house. Finds plain wishes and words them simply."
        }
        false => {
            "Runs inside this installation. It needs a model that the operator fetches with cargo xtask model and names in SOUNDPOST_MODEL_DIR; until then calls wait."
        }
    };
    let model = match &state.feedback.language_model {
        Some(name) => format!("{name} reads the passages that are worth it and words the posts. It costs money; set a limit below."),
        None => "This installation has no language model. Its operator sets SOUNDPOST_LANGUAGE_MODEL and a key; then it can be chosen here.".to_owned(),
    };
    let there = state.feedback.language_model.is_some();
    vec![
        offer(AnalyzerKind::Basic, "Basic", basic.to_owned(), true),
        offer(AnalyzerKind::Model, "Language model", model, there || chosen == AnalyzerKind::Model),
        offer(
            AnalyzerKind::Off,
            "Off",
            "Calls come in, and nobody looks for feedback in them.".to_owned(),
            true,
        ),
    ]
}

fn default_board(settings: &Settings, boards: &[Board]) -> Vec<Choice> {
    let oldest = Choice {
        value: String::new(),
        label: "The oldest board".into(),
        chosen: settings.default_board.is_none(),
    };
    let rest = boards.iter().map(|board| Choice {
        value: board.id.to_string(),
        label: board.name.clone(),
        chosen: settings.default_board == Some(board.id),
    });
    std::iter::once(oldest).chain(rest).collect()
}

async fn usage(tx: &mut Tx) -> Result<Vec<UsageLine>, Problem> {
    let line = |one: feedback::ModelUse| UsageLine {
        month: format!("{} {}", one.month.month(), one.month.year()),
        model: one.model,
        asks: figures::count(one.asks),
        tokens: figures::count(one.input + one.output),
        cost: dollars(one.cost),
    };
    Ok(feedback::usage(tx).await?.into_iter().map(line).collect())
}

fn ledger(status: &FeedbackStatus) -> Vec<(String, String)> {
    let calls = |number: i64| figures::of(number, "call", "calls");
    let mut lines = vec![
        ("With feedback".to_owned(), calls(status.calls.done)),
        ("Without".to_owned(), calls(status.calls.discarded)),
        ("To be looked at".to_owned(), calls(status.calls.wanted)),
    ];
    let reason = |code: &str| messages::title(code).map_or_else(|| plain(code), str::to_owned);
    lines.extend(
        status
            .calls
            .waiting
            .iter()
            .map(|one| (format!("Waiting: {}", reason(&one.reason)), calls(one.calls))),
    );
    lines.extend(
        status
            .calls
            .failed
            .iter()
            .map(|one| (format!("Given up: {}", reason(&one.reason)), calls(one.calls))),
    );
    lines
}

/// A share that was typed; empty for none.
fn share(field: &'static str, text: &str) -> Result<Option<f32>, Problem> {
    match text.trim().replace(',', ".") {
        text if text.is_empty() => Ok(None),
        text => text
            .parse()
            .map(Some)
            .map_err(|_| Problem::field(field, "must be a number between 0 and 1, or empty")),
    }
}

async fn preview(state: &AppState, person: &SignedIn, tried: &Tried) -> Result<PreviewLines, Problem> {
    let usual = state.feedback.thresholds;
    let join_at = share("join_at", tried.join_at.as_deref().unwrap_or_default())?.unwrap_or(usual.join_at);
    let ask_at = share("ask_at", tried.ask_at.as_deref().unwrap_or_default())?.unwrap_or(usual.ask_at);
    let mut tx = person.begin(state).await?;
    let tried = doing::thresholds(state, &mut tx, (Some(join_at), Some(ask_at))).await?;
    let seen = feedback::preview(&mut tx, tried).await?;
    let Thresholds { join_at, ask_at } = tried;
    let wishes = |number: i64| figures::of(number, "wish", "wishes");
    let lines = if seen.compared == 0 {
        vec!["No wish was compared with a post yet, so there is nothing to try it on.".to_owned()]
    } else {
        vec![
            format!("{} were compared with a post so far.", wishes(seen.compared)),
            format!(
                "{} would have joined one; {} did.",
                wishes(seen.would_join),
                figures::count(seen.joined)
            ),
            format!("{} that joined would have stayed apart.", wishes(seen.would_part)),
            format!(
                "About {} somebody would have been asked; it was {}.",
                wishes(seen.would_ask),
                figures::count(seen.asked)
            ),
        ]
    };
    Ok(PreviewLines { title: format!("With {join_at} and {ask_at}"), lines })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_money_are_read_as_people_write_them() {
        assert_eq!(share("join_at", " 0,82 ").unwrap(), Some(0.82));
        assert_eq!(share("join_at", "").unwrap(), None);
        assert_eq!(share("join_at", "much").unwrap_err().errors[0].field, "join_at");
        assert_eq!([cap(0), cap(25_000_000), cap(1_500_000)], ["0", "25", "1.5"]);
    }
}
