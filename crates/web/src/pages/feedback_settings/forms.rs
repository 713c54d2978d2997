//! The forms of the feedback settings.

use accounts::Permission;
use axum::{extract::State, response::Response};
use feedback::Vocabulary;
use kernel::BoardId;

use super::{HERE, again, share};
use crate::{
    AppState, Problem,
    auth::SignedIn,
    conditional::IfMatch,
    extract::Ids,
    feedback::{self as doing, BoardChange, SettingsChange},
    pages::{
        one_post::list,
        view::{access::ConfirmPage, figures, shell::Here},
        visit::{Fields, Visit, done, page},
    },
};

/// Stores what a form of the settings says.
async fn save(
    (state, visit, person): (&AppState, &Visit, &SignedIn),
    form: &'static str,
    fields: &Fields,
    change: Result<SettingsChange, Problem>,
) -> Result<Response, Problem> {
    let from = IfMatch::of_form(fields.get("version"));
    let saved = match change {
        Ok(change) => doing::change_settings(state, person, &from, change).await.map(|_| ()),
        Err(problem) => Err(problem),
    };
    match saved {
        Ok(()) => Ok(done(HERE, "feedback-settings")),
        Err(problem) => again(state, visit, person, (form, problem, fields)).await,
    }
}

/// `POST /settings/feedback/how`
pub(in crate::pages) async fn how(
    State(state): State<AppState>,
    visit: Visit,
    person: SignedIn,
    fields: Fields,
) -> Result<Response, Problem> {
    let change = || {
        let offered = |field| move |_| Problem::field(field, "must be one of those offered");
        let board = Some(fields.get("default_board")).filter(|board| !board.is_empty());
        // A choice that is not possible is not sent.
        let analyzer = Some(fields.get("analyzer")).filter(|word| !word.is_empty());
        Ok(SettingsChange {
            mode: Some(fields.get("mode").parse().map_err(offered("mode"))?),
            analyzer: analyzer.map(|word| word.parse().map_err(offered("analyzer"))).transpose()?,
            may_add_tags: Some(fields.get("may_add_tags") == "yes"),
            default_board: Some(
                board
                    .map(str::parse)
                    .transpose()
                    .map_err(|_| Problem::field("default_board", "must be one of the boards"))?,
            ),
            ..SettingsChange::default()
        })
    };
    save((&state, &visit, &person), "how", &fields, change()).await
}

/// `POST /settings/feedback/words`
pub(in crate::pages) async fn words(
    State(state): State<AppState>,
    visit: Visit,
    person: SignedIn,
    fields: Fields,
) -> Result<Response, Problem> {
    let names = |field: &str| list(fields.get(field), '\n');
    let vocabulary = Vocabulary {
        products: names("products"),
        competitors: names("competitors"),
        domains: names("domains").into_iter().map(|domain| domain.to_lowercase()).collect(),
    };
    let change = SettingsChange { vocabulary: Some(vocabulary), ..SettingsChange::default() };
    save((&state, &visit, &person), "words", &fields, Ok(change)).await
}

/// `POST /settings/feedback/alike`
pub(in crate::pages) async fn alike(
    State(state): State<AppState>,
    visit: Visit,
    person: SignedIn,
    fields: Fields,
) -> Result<Response, Problem> {
    let change = || {
        Ok(SettingsChange {
            join_at: Some(share("join_at", fields.get("join_at"))?),
            ask_at: Some(share("ask_at", fields.get("ask_at"))?),
            ..SettingsChange::default()
        })
    };
    save((&state, &visit, &person), "alike", &fields, change()).await
}

/// `POST /settings/feedback/money`
pub(in crate::pages) async fn money(
    State(state): State<AppState>,
    visit: Visit,
    person: SignedIn,
    fields: Fields,
) -> Result<Response, Problem> {
    let change = micros(fields.get("cap"))
        .map(|cap| SettingsChange { monthly_cap: Some(cap), ..SettingsChange::default() });
    save((&state, &visit, &person), "money", &fields, change).await
}

/// `POST /settings/feedback/again`
pub(in crate::pages) async fn look_again(
    State(state): State<AppState>,
    visit: Visit,
    person: SignedIn,
    fields: Fields,
) -> Result<Response, Problem> {
    // What is no number is as far out of range as zero.
    let days = fields.get("days").trim().parse().unwrap_or(0);
    match doing::look_again(&state, &person, days).await {
        Ok(_) => Ok(done(HERE, "feedback-again")),
        Err(problem) => again(&state, &visit, &person, ("again", problem, &fields)).await,
    }
}

/// Dollars that were typed, in millionths; empty for none.
fn micros(text: &str) -> Result<Option<i64>, Problem> {
    let text = text.trim().trim_start_matches('$').replace([',', ' '], "");
    if text.is_empty() {
        return Ok(None);
    }
    let bad = || Problem::field("cap", "must be dollars such as 25 or 12.50, at most 1,000,000, or empty");
    let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
    let digits = |text: &str| text.bytes().all(|digit| digit.is_ascii_digit());
    if !digits(whole) || !digits(part) || whole.len() > 7 || part.len() > 6 || whole.is_empty() {
        return Err(bad());
    }
    let whole: i64 = whole.parse().map_err(|_| bad())?;
    let part: i64 = format!("{part:0<6}").parse().map_err(|_| bad())?;
    let micros = whole * 1_000_000 + part;
    if micros > 1_000_000_000_000 { Err(bad()) } else { Ok(Some(micros)) }
}

/// `POST /settings/feedback/tags`
pub(in crate::pages) async fn tags(
    State(state): State<AppState>,
    visit: Visit,
    person: SignedIn,
    fields: Fields,
) -> Result<Response, Problem> {
    let from = IfMatch::of_form(fields.get("version"));
    match doing::set_tags(&state, &person, &from, &list(fields.get("tags"), ',')).await {
        Ok(_) => Ok(done(HERE, "tags")),
        Err(problem) => again(&state, &visit, &person, ("tags", problem, &fields)).await,
    }
}

/// `POST /settings/feedback/boards`
pub(in crate::pages) async fn add_board(
    State(state): State<AppState>,
    visit: Visit,
    person: SignedIn,
    fields: Fields,
) -> Result<Response, Problem> {
    let about = (fields.get("name"), fields.get("description"));
    match doing::create_board(&state, &person, about, &list(fields.get("categories"), ',')).await {
        Ok(_) => Ok(done(HERE, "board-made")),
        Err(problem) => again(&state, &visit, &person, ("boards", problem, &fields)).await,
    }
}

/// `POST /settings/feedback/boards/{id}`
pub(in crate::pages) async fn change_board(
    State(state): State<AppState>,
    visit: Visit,
    person: SignedIn,
    Ids(id): Ids<BoardId>,
    fields: Fields,
) -> Result<Response, Problem> {
    let change = BoardChange {
        name: Some(fields.get("name").to_owned()),
        description: Some(fields.get("description").to_owned()),
        categories: Some(list(fields.get("categories"), ',')),
    };
    let from = IfMatch::of_form(fields.get("version"));
    match doing::change_board(&state, &person, id, &from, change).await {
        Ok(_) => Ok(done(HERE, "board-changed")),
        Err(problem) => again(&state, &visit, &person, ("boards", problem, &fields)).await,
    }
}

/// `GET /settings/feedback/boards/{id}/archive`
pub(in crate::pages) async fn ask_archive(
    State(state): State<AppState>,
    visit: Visit,
    person: SignedIn,
    Ids(id): Ids<BoardId>,
) -> Result<Response, Problem> {
    person.require(&state, Permission::ManageFeedback).await?;
    let board = doing::board(&mut person.begin(&state).await?, id).await?;
    page(&ConfirmPage {
        frame: visit.frame(&person, Here::Feedback),
        title: format!("Put {} away?", board.name),
        lines: vec![
            format!(
                "{} on it stay, and can be found without the board.",
                figures::of(board.posts, "post", "posts")
            ),
            "New posts hang on another board; without one, calls wait.".to_owned(),
            "It does not come back. A new board may have the same name.".to_owned(),
        ],
        action: format!("{HERE}/boards/{id}/archive"),
        button: "Put it away",
        back: HERE,
    })
}

/// `POST /settings/feedback/boards/{id}/archive`
pub(in crate::pages) async fn archive(
    State(state): State<AppState>,
    person: SignedIn,
    Ids(id): Ids<BoardId>,
) -> Result<Response, Problem> {
    doing::archive_board(&state, &person, id).await?;
    Ok(done(HERE, "board-archived"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_are_read_to_the_millionth_and_nonsense_is_not() {
        let read = |text: &str| micros(text).unwrap();
        assert_eq!(
            [read("25"), read("$1,200.50"), read("0"), read("")],
            [Some(25_000_000), Some(1_200_500_000), Some(0), None]
        );
        for bad in ["-1", "1.2.3", "ten", "1e3", ".5", "9999999999"] {
            assert_eq!(micros(bad).unwrap_err().errors[0].field, "cap", "{bad}");
        }
    }
}
