//! The JSON API: one module a thing. Handlers name in their signature who asks and with what, ask a room, and word the
//! answer; the description is generated from them.

mod activity;
pub(crate) mod answers;
mod api_keys;
mod boards;
mod callback;
mod calls;
mod dead_letters;
mod feedback;
mod gong;
mod gong_settings;
mod me;
mod members;
mod organization;
mod paging;
mod posts;
mod privacy;
mod session;

use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) use feedback::status::FeedbackStatus;
pub(crate) use gong::flow_cookie;
pub(crate) use posts::{PostView, PostsQuery};

use crate::{AppState, openapi, sse};

/// All operations with their descriptions.
pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(openapi::head())
        .routes(routes!(session::log_in, session::log_out))
        .routes(routes!(session::switch))
        .routes(routes!(me::me))
        .routes(routes!(me::leave))
        .routes(routes!(me::change_password))
        .routes(routes!(gong::status, gong::change, gong::disconnect))
        .routes(routes!(gong_settings::show, gong_settings::change))
        .routes(routes!(gong::connect))
        .routes(routes!(gong::connect_key))
        .routes(routes!(gong::poll))
        .routes(routes!(gong::start_backfill, gong::cancel_backfill))
        .routes(routes!(gong::estimate))
        .routes(routes!(sse::events))
        .routes(routes!(callback::callback))
        .routes(routes!(calls::list))
        .routes(routes!(calls::one))
        .routes(routes!(calls::transcript))
        .routes(routes!(boards::list, boards::create))
        .routes(routes!(boards::change, boards::archive))
        .routes(routes!(boards::tags, boards::replace_tags))
        .routes(routes!(posts::list))
        .routes(routes!(posts::export))
        .routes(routes!(posts::one, posts::change))
        .routes(routes!(posts::evidence))
        .routes(routes!(posts::trend))
        .routes(routes!(posts::review))
        .routes(routes!(posts::merge))
        .routes(routes!(posts::split))
        .routes(routes!(feedback::trace))
        .routes(routes!(feedback::retry))
        .routes(routes!(feedback::settings::show, feedback::settings::change))
        .routes(routes!(feedback::settings::preview))
        .routes(routes!(feedback::settings::look_again))
        .routes(routes!(feedback::status::show))
        .routes(routes!(sse::feedback_events))
        .routes(routes!(activity::list))
        .routes(routes!(api_keys::list, api_keys::create))
        .routes(routes!(api_keys::revoke))
        .routes(routes!(members::list, members::add))
        .routes(routes!(members::one, members::change, members::remove))
        .routes(routes!(privacy::show, privacy::change))
        .routes(routes!(privacy::decide))
        .routes(routes!(privacy::erasures, privacy::erase))
        .routes(routes!(privacy::erasure))
        .routes(routes!(privacy::erase_organization))
        .routes(routes!(organization::rename))
        .routes(routes!(privacy::export))
        .routes(routes!(dead_letters::list))
        .routes(routes!(dead_letters::count))
        .routes(routes!(dead_letters::retry_many))
        .routes(routes!(dead_letters::discard_many))
        .routes(routes!(dead_letters::retry))
        .routes(routes!(dead_letters::discard))
}
