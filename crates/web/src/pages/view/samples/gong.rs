//! The Gong page in its states.

use time::Duration;

use super::{
    super::{gong::*, icon::Icon, moment::Moment, shell::*},
    HOSTILE, NOW, Page, ago, frame, out, pill,
};

pub(super) fn pages() -> Vec<Page> {
    let mut all = not_connected();
    all.extend(with_connection());
    all
}

fn not_connected() -> Vec<Page> {
    vec![
        (
            "integrations",
            out(&IntegrationsPage {
                frame: frame(Here::Integrations),
                pill: connected(),
                detail: "12,480 calls from Northwind Sales; last look 17 minutes ago.".into(),
                connected: true,
            }),
        ),
        ("gong-never", out(&connect_page(false, None))),
        (
            "gong-disconnected",
            out(&connect_page(
                true,
                Some(callout(Tone::Bad, "Gong refused the key", "The key or its secret is not right.")),
            )),
        ),
        (
            "gong-disconnect",
            out(&DisconnectPage { frame: frame(Here::Integrations), disconnect: disconnect(true) }),
        ),
        (
            "gong-problem",
            out(&ConnectProblemPage {
                request_id: "req_01a1fcbb".into(),
                frame: frame(Here::Integrations),
                problem: callout(
                    Tone::Bad,
                    "Gong has not approved this app yet",
                    "New OAuth apps have to be switched on by Gong before anybody can approve them.",
                ),
            }),
        ),
    ]
}

fn with_connection() -> Vec<Page> {
    let limited = pill(Tone::Warn, Icon::Gauge, "rate_limited", "Rate limited until 14:20 UTC");
    let mut flashed = connection(panel(connected(), vec![], vec![], None));
    flashed.frame.flash =
        Some(Flash { good: true, text: "Gong is connected. Calls come in by themselves from here on." });
    vec![
        ("gong-connected", out(&flashed)),
        (
            "gong-backfilling",
            out(&connection(panel(
                connected(),
                vec![],
                vec![pill(Tone::Busy, Icon::History, "backfilling", "Backfilling"), limited],
                Some(progress()),
            ))),
        ),
        (
            "gong-scope",
            out(&connection(panel(
                connected(),
                vec![callout(
                    Tone::Warn,
                    "A permission is missing: api:calls:read:transcript",
                    "Calls are listed, but Gong does not let Soundpost read what was said.",
                )],
                vec![pill(Tone::Warn, Icon::Warning, "missing_scope", "Missing scope")],
                None,
            ))),
        ),
        (
            "gong-reconnect",
            out(&connection(panel(
                pill(Tone::Bad, Icon::Warning, "reconnect_required", "Reconnect required"),
                vec![callout(
                    Tone::Bad,
                    "Gong has to be connected again",
                    "Gong no longer honours the approval. Calls that are here stay; new ones wait in Gong.",
                )],
                vec![],
                None,
            ))),
        ),
        (
            "gong-paused",
            out(&connection(panel(pill(Tone::Warn, Icon::Pause, "paused", "Paused"), vec![], vec![], None))),
        ),
    ]
}

pub(super) fn connected() -> Pill {
    pill(Tone::Good, Icon::CheckCircle, "connected", "Connected")
}

fn scopes(granted: Option<bool>) -> Vec<ScopeLine> {
    [
        ("api:calls:read:basic", "To list calls: when they were, how long, who hosted them."),
        ("api:calls:read:extensive", "To know who took part, so that feedback has an author."),
        ("api:calls:read:transcript", "To read what was said."),
        ("api:users:read", "To tell your colleagues from your customers."),
        ("api:workspaces:read", "To know which Gong company this is."),
    ]
    .into_iter()
    .map(|(name, reason)| ScopeLine { name, reason: reason.into(), granted })
    .collect()
}

fn history(error: Option<&str>) -> HistoryChoice {
    HistoryChoice {
        on: true,
        days: "30".into(),
        error: error.map(Into::into),
        estimate: Estimate {
            days: 30,
            lines: vec![
                "How many calls there are is known only after the first answer from Gong.".into(),
                "Each 1,000 calls take about 22 requests, about 10 seconds at the default pace.".into(),
                "8,000 requests are left for the next 24 hours.".into(),
            ],
            error: None,
        },
    }
}

fn connect_page(ended: bool, problem: Option<Callout>) -> ConnectPage {
    ConnectPage {
        frame: frame(Here::Integrations),
        pill: if ended {
            pill(Tone::Calm, Icon::Off, "disconnected", "Disconnected")
        } else {
            pill(Tone::Calm, Icon::Off, "never_connected", "Not connected yet")
        },
        connecting_until: (!ended).then(|| Moment::new(NOW + Duration::minutes(7), NOW)),
        ended: ended.then(|| Ended {
            at: Some(ago(Duration::days(3))),
            company: Some(HOSTILE.into()),
            calls: "12,480 calls".into(),
        }),
        key: KeyForm {
            open: problem.is_some(),
            base_url_error: problem.as_ref().map(|_| "The address has to begin with https.".into()),
            ..KeyForm::default()
        },
        problem,
        no_board: true,
        may_manage: true,
        scopes: scopes(None),
        redirect_uri: "https://soundpost.northwind.example/api/integrations/gong/callback".into(),
        history: history(None),
        poll_every: "4 hours".into(),
    }
}

fn callout(tone: Tone, title: &str, cause: &str) -> Callout {
    Callout {
        tone,
        code: "authorization_revoked",
        title: title.into(),
        cause: cause.into(),
        who: Some("a Gong technical administrator".into()),
        remedy: Some(Remedy {
            label: "Reconnect Gong",
            href: "/settings/integrations/gong/connect",
            post: true,
        }),
    }
}

fn progress() -> ProgressView {
    ProgressView {
        state: "running",
        title: "Bringing in 60 days of history".into(),
        running: true,
        value: "42.7".into(),
        percent: "42 %".into(),
        from: ago(Duration::days(60)),
        to: ago(Duration::minutes(6)),
        listed: "4,210".into(),
        total: Some("9,858".into()),
        transcripts: "3,904".into(),
        transcripts_open: "212".into(),
        private: "94".into(),
        rate: "38/s".into(),
        remaining: "about 3 minutes left".into(),
        requests: "96".into(),
        started: ago(Duration::minutes(6)),
        finished: None,
    }
}

pub(super) fn panel(
    pill: Pill,
    problems: Vec<Callout>,
    facts: Vec<Pill>,
    progress: Option<ProgressView>,
) -> Panel {
    Panel {
        shape: pill.word.into(),
        working: pill.word == "connected",
        pill,
        facts,
        problems,
        may_manage: true,
        may_poll: true,
        company: "Northwind Sales, Northwind Success".into(),
        no_poll: "not yet",
        last_poll: Some(ago(Duration::minutes(17))),
        next_poll: Some(Moment::new(NOW + Duration::minutes(223), NOW)),
        poll_every: "4 hours".into(),
        progress,
        counts: CountsView {
            calls: "12,480".into(),
            stored: "12,106".into(),
            waiting: "361".into(),
            gave_up: "13".into(),
            private: "287".into(),
        },
    }
}

fn budget() -> BudgetPanel {
    let bars = (0..24)
        .map(|hour| {
            let (fresh, old) = (8 + (hour * 7) % 19, if hour > 19 { 90 - (23 - hour) * 12 } else { 0 });
            Bar {
                x: hour * 30 + 5,
                history_y: 120 - old,
                history_height: old,
                fresh_y: 120 - old - fresh,
                fresh_height: fresh,
            }
        })
        .collect();
    BudgetPanel {
        used: "1,946".into(),
        per_day: "8,000".into(),
        left: "6,054".into(),
        per_second: "2.5 a second".into(),
        value: 1946,
        most: 8000,
        tight: false,
        bars,
        summary: "Requests to Gong by hour over the last 24 hours; most in the hour of 13:00, 112.".into(),
        first_hour: "20 Nov, 15:00".into(),
        last_hour: "now".into(),
        hours: vec![
            HourLine { hour: "13:00".into(), fresh: "22".into(), history: "90".into() },
            HourLine { hour: "14:00".into(), fresh: "4".into(), history: "96".into() },
        ],
    }
}

pub(super) fn choice(value: &str, label: &str, chosen: bool) -> Choice {
    Choice { value: value.into(), label: label.into(), chosen }
}

fn disconnect(error: bool) -> Disconnect {
    Disconnect {
        effects: vec![
            (Icon::Off, "The status becomes disconnected, at once.".into()),
            (Icon::Key, "The stored credentials are deleted.".into()),
            (
                Icon::Stop,
                "Work that waits or runs for this connection is cancelled; no further request goes to Gong."
                    .into(),
            ),
            (Icon::Check, "12,480 calls with their transcripts, and what was made of them, stay.".into()),
        ],
        error: error.then_some("Type the word disconnect, then press the button."),
    }
}

fn connection(panel: Panel) -> ConnectionPage {
    let backfilling = panel.progress.as_ref().is_some_and(|progress| progress.running);
    let missing = panel.facts.iter().any(|fact| fact.word == "missing_scope");
    let mut scopes = scopes(Some(true));
    if missing {
        scopes[2].granted = Some(false);
    }
    ConnectionPage {
        frame: frame(Here::Integrations),
        panel,
        no_board: true,
        may_manage: true,
        history: history(None),
        backfilling,
        budget: budget(),
        settings: SettingsForm {
            poll_every: vec![choice("", "Default (4 hours)", true), choice("900", "15 minutes", false)],
            poll_error: None,
            overlap: vec![choice("", "Default (24 hours)", true), choice("172800", "2 days", false)],
            overlap_error: None,
            all_workspaces: false,
            workspaces: vec![choice("1", "Northwind Sales", true), choice("2", HOSTILE, false)],
            workspaces_error: None,
            version: "0123456789abcdef".into(),
            conflict: Some(Conflict {
                who: HOSTILE.into(),
                at: Some(ago(Duration::minutes(2))),
                differs: vec!["Look for new calls every: now 15 minutes, in your form 2 hours".into()],
            }),
        },
        runs: vec![
            RunRow {
                kind: "Poll",
                pill: pill(Tone::Good, Icon::Check, "done", "done"),
                started: ago(Duration::minutes(17)),
                took: "took 4 seconds".into(),
                listed: "42".into(),
                new: "5".into(),
                private: "1".into(),
                requests: "3".into(),
                problem: None,
            },
            RunRow {
                kind: "History",
                pill: pill(Tone::Bad, Icon::Stop, "failed", "failed"),
                started: ago(Duration::days(2)),
                took: "took 3 minutes".into(),
                listed: "1,204".into(),
                new: "1,101".into(),
                private: "40".into(),
                requests: "61".into(),
                problem: Some("Gong did not answer for too long.".into()),
            },
        ],
        scopes,
        by_key: false,
        connected_by: Some(HOSTILE.into()),
        connected_at: ago(Duration::days(41)),
        token_expires: Some(Moment::new(NOW + Duration::hours(19), NOW)),
        api_base_url: "https://us-70001.api.gong.io".into(),
        workspaces: vec!["Northwind Sales".into(), "Northwind Success".into()],
        disconnect: disconnect(false),
        help: vec![("New calls do not appear", "They are looked for every few hours, not at once.")],
    }
}
