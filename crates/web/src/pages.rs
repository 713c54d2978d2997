//! The pages. Every action is a form that is posted and answered with a redirect, so that all of it works without script;
//! script only keeps the panel fresh. Handlers read rooms, `view` words and draws, `connection` acts.

mod activity;
mod api_keys;
mod assets;
mod call;
mod calls;
mod chart;
mod dead_letters;
mod docs;
mod enter;
mod feedback_settings;
mod gong;
mod gong_acts;
mod gong_forms;
mod gong_leave;
mod members;
mod one_post;
mod organizations;
mod overview;
mod posts;
mod privacy;
mod reference;
mod refused;
mod review;
mod scopes;
mod standing;
mod trace;
mod trend;
mod view;
mod visit;

use axum::{
    Router,
    routing::{get, post},
};

use crate::AppState;

pub(crate) use refused::{connect_problem, error_page};
pub(crate) use view::shell::Theme;
pub(crate) use visit::theme;

/// All pages and static files.
pub(crate) fn router() -> Router<AppState> {
    Router::new()
        .route("/", get(overview::show))
        .route("/login", get(enter::form).post(enter::log_in))
        .route("/logout", post(enter::log_out))
        .route("/password", get(enter::password_form).post(enter::change_password))
        .route("/organizations", get(organizations::list).post(organizations::switch))
        .route("/organizations/name", post(organizations::rename))
        .route("/organizations/leave", get(organizations::ask_leave).post(organizations::leave))
        .route("/theme", post(enter::theme))
        .route("/calls", get(calls::list))
        .route("/calls/{id}", get(call::show))
        .route("/settings/members", get(members::list).post(members::add))
        .route("/settings/members/{id}/role", post(members::change_role))
        .route("/settings/members/{id}/remove", get(members::ask_remove).post(members::remove))
        .route("/settings/api-keys", get(api_keys::list).post(api_keys::create))
        .route("/settings/api-keys/{id}/revoke", get(api_keys::ask_revoke).post(api_keys::revoke))
        .route("/activity", get(activity::list))
        .route("/settings/privacy", get(privacy::show))
        .route("/settings/privacy/retention", post(privacy::retention))
        .route("/settings/privacy/vanished", post(privacy::vanished))
        .route("/settings/privacy/erasures", post(privacy::erase))
        .route(
            "/settings/privacy/erase-organization",
            get(privacy::ask_erase_organization).post(privacy::erase_organization),
        )
        .route("/docs", get(docs::index))
        .route("/docs/api", get(reference::show))
        .route("/docs/errors", get(docs::errors))
        .route("/static/{file}", get(assets::serve))
        .merge(letters_router())
        .merge(feedback_router())
        .merge(gong_router())
}

fn feedback_router() -> Router<AppState> {
    Router::new()
        .route("/posts", get(posts::list))
        .route("/posts/panel", get(posts::fresh))
        .route("/posts/{id}", get(one_post::show).post(one_post::change))
        .route("/posts/{id}/status", post(one_post::status))
        .route("/posts/{id}/merge", post(one_post::merge))
        .route("/posts/{id}/review", post(review::decide))
        .route("/evidence/{id}/split", post(one_post::split))
        .route("/review", get(review::list))
        .route("/calls/{id}/feedback", get(trace::show))
        .route("/calls/{id}/feedback/retry", post(trace::retry))
        .route("/settings/feedback", get(feedback_settings::show))
        .route("/settings/feedback/how", post(feedback_settings::how))
        .route("/settings/feedback/words", post(feedback_settings::words))
        .route("/settings/feedback/alike", post(feedback_settings::alike))
        .route("/settings/feedback/money", post(feedback_settings::money))
        .route("/settings/feedback/again", post(feedback_settings::look_again))
        .route("/settings/feedback/tags", post(feedback_settings::tags))
        .route("/settings/feedback/boards", post(feedback_settings::add_board))
        .route("/settings/feedback/boards/{id}", post(feedback_settings::change_board))
        .route(
            "/settings/feedback/boards/{id}/archive",
            get(feedback_settings::ask_archive).post(feedback_settings::archive),
        )
}

fn letters_router() -> Router<AppState> {
    Router::new()
        .route("/settings/dead-letters", get(dead_letters::list))
        .route("/settings/dead-letters/retry", post(dead_letters::retry_all))
        .route("/settings/dead-letters/discard", get(dead_letters::ask_discard).post(dead_letters::discard))
        .route("/settings/dead-letters/{id}/retry", post(dead_letters::retry))
}

fn gong_router() -> Router<AppState> {
    const GONG: &str = "/settings/integrations/gong";
    let at = |rest: &str| format!("{GONG}{rest}");
    Router::new()
        .route("/settings/integrations", get(gong::integrations))
        .route(GONG, get(gong::show))
        .route(&at("/panel"), get(gong::panel))
        .route(&at("/estimate"), get(gong::estimate))
        .route(&at("/connect"), post(gong_acts::connect))
        .route(&at("/connect/cancel"), post(gong_acts::cancel_connecting))
        .route(&at("/connect-key"), post(gong_acts::connect_key))
        .route(&at("/poll"), post(gong_acts::poll))
        .route(&at("/pause"), post(gong_acts::pause))
        .route(&at("/resume"), post(gong_acts::resume))
        .route(&at("/backfill"), post(gong_acts::backfill))
        .route(&at("/backfill/cancel"), post(gong_acts::cancel_backfill))
        .route(&at("/backfill/again"), post(gong_acts::retry_backfill))
        .route(&at("/settings"), post(gong_acts::settings))
        .route(&at("/disconnect"), get(gong_leave::ask_disconnect).post(gong_acts::disconnect))
}
