//! The metrics listener: one address, one text. It is another listener than the public one, where `/metrics` is unknown.

use std::sync::Arc;

use axum::{Router, routing::get};
use http::header;

/// A router that answers `/metrics` with what `render` says at that moment, and nothing else.
pub fn metrics_router(render: Arc<dyn Fn() -> String + Send + Sync>) -> Router {
    let metrics = move || {
        let text = render();
        async move { ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text) }
    };
    Router::new().route("/metrics", get(metrics))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use http::{Request, StatusCode};
    use tower::ServiceExt;

    #[tokio::test]
    async fn the_metrics_are_at_one_address_only() {
        let router = metrics_router(Arc::new(|| "up 1\n".to_owned()));
        let ask = async |path: &str| {
            let request = Request::get(path).body(Body::empty()).unwrap();
            router.clone().oneshot(request).await.unwrap()
        };
        let found = ask("/metrics").await;
        assert_eq!(found.status(), StatusCode::OK);
        let body = axum::body::to_bytes(found.into_body(), 100).await.unwrap();
        assert_eq!(&body[..], b"up 1\n");
        assert_eq!(ask("/").await.status(), StatusCode::NOT_FOUND);
    }
}
