//! All routes, and the layers that every request passes, outermost first: ids and log line, headers, wording of refusals,
//! panics, time, quota, origin, size, and requests that are done once.

use axum::{Router, middleware};
use tower_http::catch_panic::CatchPanicLayer;

use crate::{
    AppState, api, body, conditional, headers, health, observe, once, openapi, origin, pages, preflight,
    quota, render,
};

/// The whole public listener.
pub fn router(state: AppState) -> Router {
    let (api, _) = api::router().split_for_parts();
    let routes =
        Router::new().merge(api).merge(openapi::router()).merge(health::router()).merge(pages::router());
    // The last layer added is the first that a request meets.
    routes
        .fallback(|| async { http::StatusCode::NOT_FOUND })
        .layer(middleware::from_fn(conditional::not_modified))
        .layer(middleware::from_fn_with_state(state.clone(), once::once))
        .layer(middleware::from_fn(body::whole))
        .layer(middleware::from_fn_with_state(state.clone(), origin::same_origin))
        .layer(middleware::from_fn(preflight::answer))
        .layer(middleware::from_fn_with_state(state.clone(), quota::keep))
        .layer(middleware::from_fn(render::in_time))
        .layer(CatchPanicLayer::custom(render::after_panic))
        .layer(middleware::from_fn(render::render))
        .layer(middleware::from_fn_with_state(state.clone(), headers::secure))
        .layer(middleware::from_fn_with_state(state.clone(), observe::observe))
        .with_state(state)
}
