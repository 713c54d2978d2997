//! The program as it is run: its log, its metrics, its manners.

use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use gong_sim::{Consent, NewCall};
use kernel::ExposeSecret;
use serde_json::Value;
use stories::{Browser, Org, PASSWORD, World, program};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use url::Url;

use crate::support::still_world;

/// The program with these words and variables and no others.
pub(crate) fn command(words: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(program());
    command.args(words).env_clear().envs(variables.iter().copied()).stdin(Stdio::null());
    command
}

pub(crate) fn run(words: &[&str], variables: &[(&str, &str)]) -> Output {
    command(words, variables).output().expect("the program starts")
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// A running `soundpost serve`.
pub(crate) struct Served {
    child: Child,
    log: PathBuf,
    pub(crate) browser: Browser,
    metrics: Browser,
}

impl Served {
    pub(crate) async fn start(world: &World) -> Self {
        Self::start_on(world, &world.database.url).await
    }

    /// One that has another way to the database.
    pub(crate) async fn start_on(world: &World, database: &str) -> Self {
        let free = || {
            std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port()
        };
        let (port, metrics) = (free(), free());
        let base = format!("http://localhost:{port}");
        let log = world.escrow.with_extension("log");
        let (listen, metrics_listen) = (format!("127.0.0.1:{port}"), format!("127.0.0.1:{metrics}"));
        let variables = [
            ("DATABASE_URL", database),
            ("SOUNDPOST_LISTEN", &listen),
            ("SOUNDPOST_METRICS_LISTEN", &metrics_listen),
            ("SOUNDPOST_PUBLIC_URL", &base),
            ("SOUNDPOST_KEYS", world.key.expose_secret()),
            ("SOUNDPOST_ESCROW_DIR", world.escrow.to_str().expect("UTF-8")),
            ("GONG_CLIENT_ID", "sim-client"),
            ("GONG_CLIENT_SECRET", "sim-secret"),
            ("GONG_AUTHORIZE_URL", &world.sim.authorize_url()),
            ("GONG_TOKEN_URL", &world.sim.token_url()),
            ("GONG_API_HOSTS", "http://127.0.0.1,http://127.0.0.2,http://127.0.0.3,http://127.0.0.4"),
            ("RUST_LOG", "info"),
        ];
        let file = fs::File::create(&log).expect("a log file");
        let child =
            command(&["serve"], &variables).stderr(file).stdout(Stdio::null()).spawn().expect("it starts");
        let browser = Browser::new(Url::parse(&base).expect("a URL"));
        let metrics = Browser::new(Url::parse(&format!("http://localhost:{metrics}")).expect("a URL"));
        for _ in 0..200 {
            if TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Self { child, log, browser, metrics }
    }

    /// Connects the organization and waits until its call is here.
    pub(crate) async fn connect(&self, world: &World, org: &Org) {
        let started = world.sim.now() - Duration::from_secs(86_400);
        world.sim.add_call(org.company, NewCall::new().started(started).title("A call").say(0, "Hello."));
        world.sim.set_consent(Consent::Approve(org.company));
        let login = self.browser.log_in(&org.email, PASSWORD).await;
        assert_eq!(login.status, 200, "{}", login.text);
        let connected = self.browser.connect(Some(5)).await;
        assert_eq!(connected.status, 303, "{}", connected.text);
        for _ in 0..200 {
            if self.browser.gong().await["counts"]["stored"] == 1 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the call did not arrive: {}", self.browser.gong().await);
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        fs::read_to_string(&self.log).expect("the log can be read").lines().map(str::to_owned).collect()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        fs::remove_file(&self.log).ok();
    }
}

/// What `promtool check metrics` says of the page; it is said aloud where there is no promtool.
#[expect(clippy::print_stderr, reason = "a check that is skipped is told")]
fn lint(page: &str) {
    let promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut promtool) = promtool else {
        eprintln!("SKIP the lint of the metrics: promtool is not there");
        return;
    };
    std::io::Write::write_all(&mut promtool.stdin.take().expect("a pipe"), page.as_bytes())
        .expect("it reads");
    let output = promtool.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
}

#[tokio::test]
async fn ops_03_the_metrics_have_their_names_and_no_organization() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    let served = Served::start(&world).await;
    served.connect(&world, &acme).await;
    served.browser.get("/calls").await;

    let text = served.metrics.get("/metrics").await.text;

    for name in [
        "gong_api_calls_total",
        "api_rate_limit_hits_total",
        "validation_failures_total",
        "active_background_tasks",
        "soundpost_http_requests_total",
        "soundpost_http_request_seconds_bucket",
        "soundpost_jobs_total",
        "soundpost_job_seconds_bucket",
        "soundpost_transcripts_stored_total",
        "soundpost_calls_skipped_private_total",
    ] {
        let there = text
            .lines()
            .any(|line| line.starts_with(&format!("{name}{{")) || line.starts_with(&format!("{name} ")));
        assert!(there, "{name} is missing:\n{text}");
    }
    lint(&text);
    let series: Vec<&str> = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
    assert!(series.len() <= 2_000, "{}", series.len());
    let ids = [
        acme.id.to_string(),
        acme.id.uuid().to_string(),
        acme.owner.to_string(),
        "org_".into(),
        "call_".into(),
        "@".into(),
    ];
    for line in series {
        assert!(!ids.iter().any(|id| line.contains(id.as_str())), "{line}");
        let labels = line.split_once('{').map_or("", |(_, labels)| labels);
        for forbidden in ["organization", "call_id", "email", "user", "connection", "company"] {
            let label = format!("{forbidden}=\"");
            assert!(!labels.starts_with(&label) && !labels.contains(&format!(",{label}")), "{line}");
        }
        assert!(line.rsplit_once(' ').is_some_and(|(_, value)| value.parse::<f64>().is_ok()), "{line}");
    }
    assert!(
        text.contains("gong_api_calls_total{")
            && text.contains("endpoint=")
            && text.contains("status=\"200\"")
    );
}

#[tokio::test]
async fn ops_06_the_public_listener_has_no_metrics_and_the_other_nothing_else() {
    let world = still_world().await;
    let served = Served::start(&world).await;
    for path in ["/metrics", "/metrics/", "/debug", "/debug/pprof", "/actuator", "/.env", "/server-status"] {
        assert_eq!(served.browser.get(path).await.status, 404, "{path}");
    }
    assert_eq!(served.metrics.get("/metrics").await.status, 200);
    for path in ["/", "/livez", "/api/v1/me", "/api/openapi.json", "/login"] {
        assert_eq!(served.metrics.get(path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn ops_07_every_log_line_is_json_whatever_strangers_send() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    let served = Served::start(&world).await;
    served.connect(&world, &acme).await;
    served.browser.get("/%0d%0a%1b[31mforged?password=hunter2hunter2").await;
    let address = format!("/api/v1/calls/%0A{{\"level\":\"ERROR\"}}{}", "%1b%5b2J");
    served.browser.get(&address).await;
    let name = serde_json::json!({ "name": "a\r\nb\u{1b}[31m", "role": "viewer" });
    served.browser.post("/api/v1/api-keys", name).await;
    let mut socket = TcpStream::connect(("127.0.0.1", served.browser.base.port().unwrap())).await.unwrap();
    let raw = "GET /nothing HTTP/1.1\r\nhost: x\r\nuser-agent: \u{9b}31m evil\r\nx-request-id: good-id-42\r\nconnection: close\r\n\r\n";
    socket.write_all(raw.as_bytes()).await.unwrap();
    socket.read_to_end(&mut Vec::new()).await.unwrap();
    served.browser.log_in(&acme.email, "hunter2hunter2").await;
    tokio::time::sleep(Duration::from_millis(300)).await;

    let lines = served.lines();
    let mut answered = 0;
    let mut of_acme = 0;
    for line in &lines {
        let json: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(json["timestamp"].as_str().is_some_and(|t| t.ends_with('Z') && t.contains('T')), "{line}");
        assert!(
            ["ERROR", "WARN", "INFO", "DEBUG", "TRACE"].contains(&json["level"].as_str().unwrap_or_default()),
            "{line}"
        );
        assert!(json["message"].is_string(), "{line}");
        assert!(!line.chars().any(char::is_control), "{line:?}");
        for secret in [
            acme.email.as_str(),
            PASSWORD,
            "hunter2hunter2",
            "sim-secret",
            world.key.expose_secret(),
            "forged",
        ] {
            assert!(!line.contains(secret), "{secret}: {line}");
        }
        if json["message"] == "A request was answered." {
            answered += 1;
            assert!(
                json["request.id"].is_string() && json["trace.id"].as_str().is_some_and(|t| t.len() == 32),
                "{line}"
            );
            of_acme += i32::from(json["organization.id"] == acme.id.to_string());
        }
    }
    assert!(answered >= 8 && of_acme >= 3, "{answered} and {of_acme} of {}", lines.len());
    assert!(lines.iter().any(|line| line.contains("\"good-id-42\"")), "the id of the request is in its line");
}

#[tokio::test]
async fn users_reset_password_gives_a_new_first_password_and_ends_every_session() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    let variables = [("DATABASE_URL", world.database.url.as_str())];
    let nobody = run(&["users", "reset-password", "--email", "nobody@acme.example", "--json"], &variables);
    assert!(!nobody.status.success(), "{}", text(&nobody.stdout));
    assert_eq!(acme.browser.get("/api/v1/me").await.status, 200, "nobody else is touched");

    let reset = run(&["users", "reset-password", "--email", &acme.email, "--json"], &variables);
    assert!(reset.status.success(), "{}", text(&reset.stderr));
    let said: Value = serde_json::from_str(&text(&reset.stdout)).unwrap();
    let new = said["initial_password"].as_str().unwrap().to_owned();
    assert!(!text(&reset.stderr).contains(&new), "the password stands on standard output alone");

    assert_eq!(acme.browser.get("/api/v1/me").await.status, 401, "every session has ended");
    let browser = world.browser();
    assert_eq!(browser.log_in(&acme.email, PASSWORD).await.status, 401, "the old password is gone");
    assert_eq!(browser.log_in(&acme.email, &new).await.status, 200);
    let refused = browser.get("/api/v1/calls").await;
    assert_eq!(refused.status, 403, "first of all a password of one's own: {}", refused.text);
    let change = serde_json::json!({ "current_password": new, "new_password": "another battery staple" });
    assert_eq!(browser.post("/api/v1/me/password", change).await.status, 204);
    assert_eq!(browser.get("/api/v1/calls").await.status, 200);
}
