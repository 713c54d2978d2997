//! The client against a hand-written token URL: what goes out, and what comes of every kind of answer.
#![expect(clippy::unwrap_used, reason = "a test that cannot set up its peer has failed")]

mod peer;

use std::time::Duration;

use kernel::{ExposeSecret, SecretString, SystemAmbient};
use oauth::{Client, Config, OauthError, State, TransientKind};
use peer::{Peer, Reply};

const TOKENS: &str = r#"{"access_token":"canary-access","refresh_token":"canary-refresh-2","token_type":"bearer","expires_in":"3600",
    "scope":"api:users:read api:calls:read:basic","api_base_url_for_customer":"https://us-70001.api.gong.io"}"#;

fn client(base: &str, timeout: Duration) -> Client {
    Client::new(Config {
        client_id: "client-1".into(),
        client_secret: "s3cr+t/canary=".to_owned().into(),
        authorize_url: "https://app.gong.io/oauth2/authorize".parse().unwrap(),
        token_url: format!("{base}/oauth2/generate-customer-token").parse().unwrap(),
        redirect_uri: "https://soundpost.example/api/integrations/gong/callback".parse().unwrap(),
        timeout,
    })
    .unwrap()
}

fn secret(text: &str) -> SecretString {
    text.to_owned().into()
}

async fn refreshed(reply: Reply) -> (Result<oauth::Granted, OauthError>, Peer) {
    let peer = Peer::start(vec![reply]).await;
    let client = client(&peer.base(), Duration::from_millis(700));
    (client.refresh(&secret("canary-refresh-1")).await, peer)
}

#[tokio::test]
async fn a_code_is_exchanged_with_a_basic_header_and_a_form() {
    let peer = Peer::start(vec![Reply::json(200, TOKENS)]).await;
    let granted =
        client(&peer.base(), Duration::from_secs(5)).exchange(secret("the code&x=y")).await.unwrap();

    assert_eq!(granted.access_token.expose_secret(), "canary-access");
    assert_eq!(granted.refresh_token.as_ref().unwrap().expose_secret(), "canary-refresh-2");
    assert_eq!(granted.expires_in, Duration::from_secs(3600));
    assert_eq!(granted.api_base_url.as_deref(), Some("https://us-70001.api.gong.io"));
    assert!(!format!("{granted:?}").contains("canary"));

    let seen = peer.seen();
    assert_eq!(seen.len(), 1);
    let (head, body) = seen[0].split_once("\r\n\r\n").unwrap();
    let lower = head.to_ascii_lowercase();
    assert!(
        head.starts_with("POST /oauth2/generate-customer-token HTTP/1.1\r\n"),
        "nothing in the URL: {head}"
    );
    // base64 of "client-1:s3cr+t/canary=", id and secret as they are
    assert!(head.contains("Basic Y2xpZW50LTE6czNjcit0L2NhbmFyeT0="), "{head}");
    assert!(lower.contains("content-type: application/x-www-form-urlencoded"));
    let mut form: Vec<_> = body.split('&').collect();
    form.sort_unstable();
    assert_eq!(
        form,
        [
            "client_id=client-1",
            "code=the+code%26x%3Dy",
            "grant_type=authorization_code",
            "redirect_uri=https%3A%2F%2Fsoundpost.example%2Fapi%2Fintegrations%2Fgong%2Fcallback",
        ]
    );
}

#[tokio::test]
async fn a_refresh_sends_the_refresh_grant() {
    let (granted, peer) = refreshed(Reply::json(200, r#"{"access_token":"a"}"#)).await;
    let granted = granted.unwrap();
    assert!(granted.refresh_token.is_none() && granted.api_base_url.is_none());
    assert_eq!(granted.expires_in, Duration::from_secs(86_400));
    let body = peer.seen()[0].split_once("\r\n\r\n").unwrap().1.to_owned();
    assert!(body.contains("grant_type=refresh_token") && body.contains("refresh_token=canary-refresh-1"));
}

#[tokio::test]
async fn tokens_are_read_whatever_the_content_type_says() {
    let text = Reply::raw(&format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {}\r\n\r\n{TOKENS}",
        TOKENS.len()
    ));
    assert!(refreshed(text).await.0.is_ok());
}

#[tokio::test]
async fn invalid_grant_is_the_only_end_of_a_grant() {
    let gone = r#"{"error":"invalid_grant","error_description":"canary <b>revoked</b>"}"#;
    let error = refreshed(Reply::json(400, gone)).await.0.unwrap_err();
    assert!(error.is_invalid_grant() && !error.is_transient());
    assert!(!format!("{error} {error:?}").contains("canary"));
}

#[tokio::test]
async fn answers_that_say_nothing_about_the_grant_are_transient() {
    let html = "<html><h1>502 Bad Gateway</h1></html>";
    for reply in
        [Reply::json(502, html), Reply::json(500, "{}"), Reply::json(400, html), Reply::json(504, "")]
    {
        let error = refreshed(reply).await.0.unwrap_err();
        assert!(error.is_transient() && !error.answer_lost(), "{error:?}");
    }
}

#[tokio::test]
async fn a_limit_names_its_wait() {
    let reply = Reply::raw("HTTP/1.1 429 Too Many Requests\r\nretry-after: 42\r\ncontent-length: 0\r\n\r\n");
    let error = refreshed(reply).await.0.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(42)));
    assert_eq!(error.code(), "oauth_rate_limited");
}

#[tokio::test]
async fn an_answer_that_never_arrives_whole_is_lost() {
    let cut = Reply::raw("HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n{\"access_token\":\"canary");
    let stalled_body = Reply::Stall("HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n{".into());
    for (reply, kind) in [
        (Reply::Reset, TransientKind::Cut),
        (cut, TransientKind::Cut),
        (Reply::Stall(String::new()), TransientKind::Timeout),
        (stalled_body, TransientKind::Timeout),
        (Reply::json(200, "{}"), TransientKind::Malformed),
        (Reply::json(200, ""), TransientKind::Malformed),
        (Reply::json(200, "<html>canary</html>"), TransientKind::Malformed),
        (Reply::json(200, &format!("{{\"x\":\"{}\"}}", "y".repeat(70_000))), TransientKind::TooLarge),
    ] {
        let error = refreshed(reply).await.0.unwrap_err();
        assert!(error.answer_lost(), "{error:?}");
        assert!(!format!("{error} {error:?}").contains("canary"));
        assert!(
            matches!(error, OauthError::Transient { kind: k, .. } if k == kind),
            "{error:?} for {kind:?}"
        );
    }
}

#[tokio::test]
async fn where_nobody_listens_nothing_is_lost() {
    let peer = Peer::start(vec![]).await;
    let base = peer.base();
    drop(peer);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let error = client(&base, Duration::from_secs(5)).refresh(&secret("r")).await.unwrap_err();
    assert_eq!((error.code(), error.answer_lost()), ("oauth_unreachable", false));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Peer::start(vec![Reply::json(200, TOKENS)]).await;
    let reply = Reply::raw(&format!(
        "HTTP/1.1 307 Temporary Redirect\r\nlocation: {}/\r\ncontent-length: 0\r\n\r\n",
        elsewhere.base()
    ));
    assert!(refreshed(reply).await.0.unwrap_err().is_transient());
    assert!(elsewhere.seen().is_empty());
}

#[tokio::test]
async fn a_call_can_be_awaited_on_another_thread() {
    let peer = Peer::start(vec![Reply::json(200, TOKENS)]).await;
    let client = client(&peer.base(), Duration::from_secs(5));
    let task = tokio::spawn(async move { client.refresh(&secret("r")).await.is_ok() });
    assert!(task.await.unwrap());
}

#[test]
fn the_authorize_url_asks_for_exactly_the_five_scopes() {
    let state = State::mint(&SystemAmbient);
    let url = client("http://127.0.0.1:1", Duration::from_secs(1)).authorize_url(&state);
    assert!(url.as_str().starts_with("https://app.gong.io/oauth2/authorize?"));
    assert!(url.as_str().contains("%20") && !url.as_str().contains('+') && !url.as_str().contains("canary"));
    let mut pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    pairs.sort();
    let scopes = oauth::SCOPES.map(|scope| scope.name).join(" ");
    let expected = [
        ("client_id", "client-1"),
        ("redirect_uri", "https://soundpost.example/api/integrations/gong/callback"),
        ("response_type", "code"),
        ("scope", &scopes),
        ("state", state.expose()),
    ];
    assert_eq!(pairs, expected.map(|(k, v)| (k.to_owned(), v.to_owned())));
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let config = |id: &str, secret: &str, token_url: &str| Config {
        client_id: id.into(),
        client_secret: secret.to_owned().into(),
        authorize_url: "https://app.gong.io/oauth2/authorize".parse().unwrap(),
        token_url: token_url.parse().unwrap(),
        redirect_uri: "https://soundpost.example/cb".parse().unwrap(),
        timeout: oauth::TIMEOUT,
    };
    let good = "https://app.gong.io/t";
    assert!(Client::new(config("id", "canary", good)).is_ok());
    for (id, secret, url) in [
        ("", "s", good),
        ("i:d", "s", good),
        ("i\nd", "s", good),
        ("id", "", good),
        ("id", "s", "ftp://app.gong.io/t"),
        ("id", "s", "https://u:p@app.gong.io/t"),
        ("id", "s", "https://app.gong.io/t#f"),
    ] {
        assert_eq!(
            Client::new(config(id, secret, url)).unwrap_err().code(),
            "oauth_misconfigured",
            "{id} {url}"
        );
    }
    assert!(!format!("{:?}", config("id", "canary", good)).contains("canary"));
}
