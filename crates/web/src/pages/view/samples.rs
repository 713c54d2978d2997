//! Every page with sample data: that all templates write what they should, and, when `SOUNDPOST_PREVIEW_DIR` is set, files
//! to look at.

use time::{Duration, OffsetDateTime, macros::datetime};

use super::{access::*, calls::*, gong::*, icon::Icon, moment::Moment, overview::*, plain::*, shell::*};

const NOW: OffsetDateTime = datetime!(2026-11-21 14:03:27 UTC);
/// What a customer could put into a title or a name.
const HOSTILE: &str = r#"<script>alert(1)</script>"><img src=x onerror=alert(2)> O'Hara & Söhne"#;

fn ago(duration: Duration) -> Moment {
    Moment::new(NOW - duration, NOW)
}

fn frame(here: Here) -> Frame {
    let theme = std::env::var("SOUNDPOST_PREVIEW_THEME").unwrap_or_default();
    Frame {
        theme: Theme::of(&theme),
        here,
        path: "/calls?state=waiting&q=a".into(),
        who: Some(Who {
            email: "mara.lindqvist@northwind.example".into(),
            organization: "Northwind Analytics".into(),
            role: "owner",
            admin: true,
        }),
        flash: None,
        assets: Assets {
            css: "/static/soundpost.css",
            htmx: "/static/htmx.js",
            live: "/static/live.js",
            favicon: "/static/favicon.svg",
        },
    }
}

fn pill(tone: Tone, icon: Icon, word: &'static str, label: &str) -> Pill {
    Pill { tone, icon, word, label: label.into() }
}

fn connected() -> Pill {
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

fn panel(pill: Pill, problems: Vec<Callout>, facts: Vec<Pill>, progress: Option<ProgressView>) -> Panel {
    Panel {
        shape: pill.word.into(),
        working: pill.word == "connected",
        pill,
        facts,
        problems,
        may_manage: true,
        may_poll: true,
        company: "Northwind Sales, Northwind Success".into(),
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

fn choice(value: &str, label: &str, chosen: bool) -> Choice {
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
        connected_at: ago(Duration::days(41)),
        token_expires: Some(Moment::new(NOW + Duration::hours(19), NOW)),
        api_base_url: "https://us-70001.api.gong.io".into(),
        workspaces: vec!["Northwind Sales".into(), "Northwind Success".into()],
        disconnect: disconnect(false),
        help: vec![("New calls do not appear", "They are looked for every few hours, not at once.")],
    }
}

fn rows() -> Vec<CallRow> {
    let row = |title: &str, pill, why: Option<&str>, hours| CallRow {
        href: "/calls/call_0190aaaaaaaaaaaaaaaaaaaaaaaaaaaa".into(),
        title: title.into(),
        people: "Ines Okafor, Tom Berger, Priya Raman".into(),
        account: Some("helio-freight.example".into()),
        started: ago(Duration::hours(hours)),
        length: "47 min".into(),
        pill,
        why: why.map(Into::into),
        partial: hours == 30,
    };
    let stored = pill(Tone::Good, Icon::Text, "stored", "stored");
    vec![
        row("Helio Freight: quarterly review", stored.clone(), None, 2),
        row(
            "Brightwater onboarding, session 3",
            pill(Tone::Busy, Icon::Clock, "waiting", "waiting"),
            Some("since 5 hours; asked 3 times"),
            6,
        ),
        row(HOSTILE, stored.clone(), None, 30),
        row(
            "Kestrel Bank: export and permissions",
            pill(Tone::Warn, Icon::Close, "gave_up", "gave up"),
            Some("Gong had no transcript for 14 days"),
            400,
        ),
    ]
}

fn calls_page(rows: Vec<CallRow>, search: &str) -> CallsPage {
    CallsPage {
        frame: frame(Here::Calls),
        tabs: [
            ("All", "12,480", true),
            ("Stored", "12,106", false),
            ("Waiting", "349", false),
            ("Wanted", "12", false),
            ("Gave up", "13", false),
        ]
        .into_iter()
        .map(|(label, count, chosen)| Tab { label, count: count.into(), href: "/calls".into(), chosen })
        .collect(),
        state: "",
        search: search.into(),
        older: (!rows.is_empty()).then(|| "/calls?cursor=b".into()),
        newer: (!rows.is_empty()).then(|| "/calls".into()),
        rows,
        private: Some(
            "287 private calls were left out. Soundpost never asks for them, so there is nothing to show."
                .into(),
        ),
        connected: true,
        any: true,
    }
}

fn call_page(missing: bool) -> CallPage {
    let says = |from: i64, texts: &[&str]| {
        texts
            .iter()
            .enumerate()
            .map(|(at, text)| {
                let ms = from + i64::try_from(at).unwrap() * 6_000;
                Say { anchor: format!("t-{ms}"), at: super::figures::clock(ms), text: (*text).into() }
            })
            .collect()
    };
    let turn = |side, name: &str, label, says| Turn { side, name: name.into(), label, topic: None, says };
    CallPage {
        frame: frame(Here::Calls),
        title: if missing { HOSTILE.into() } else { "Helio Freight: quarterly review".into() },
        started: ago(Duration::hours(2)).exact(),
        length: "47 min".into(),
        pill: if missing {
            pill(Tone::Busy, Icon::Clock, "waiting", "transcript awaited")
        } else {
            pill(Tone::Good, Icon::Text, "stored", "transcript stored")
        },
        partial: missing,
        gong_url: Some("https://us-70001.app.gong.io/call?id=7000000000000000011".into()),
        gong_call_id: "7000000000000000011".into(),
        sides: vec![
            Side {
                title: "Customer",
                parties: vec![
                    PartyLine {
                        name: "Ines Okafor".into(),
                        detail: "Head of Operations, ines@helio-freight.example".into(),
                    },
                    PartyLine { name: HOSTILE.into(), detail: String::new() },
                ],
            },
            Side {
                title: "Us",
                parties: vec![PartyLine { name: "Tom Berger".into(), detail: "Account Executive".into() }],
            },
            Side {
                title: "Unknown",
                parties: vec![PartyLine { name: "+44 20 7946 0018".into(), detail: "dialled in".into() }],
            },
        ],
        facts: vec![
            ("Language", "English".into()),
            ("Recorded by", "Zoom".into()),
            ("Direction", "Conference".into()),
        ],
        turns: vec![
            turn(
                "us",
                "Tom Berger",
                "us",
                says(
                    0,
                    &[
                        "Thanks for making the time, Ines.",
                        "I would love to hear how the rollout is going on your side.",
                    ],
                ),
            ),
            turn(
                "customer",
                "Ines Okafor",
                "customer",
                says(
                    61_000,
                    &[
                        "Mostly well. The one thing that keeps coming back is the export.",
                        "We need the shipment report as a file every Monday, and today somebody clicks through it by hand.",
                        HOSTILE,
                    ],
                ),
            ),
            turn("unknown", "Unknown speaker", "unknown", says(92_000, &["Same here, honestly."])),
        ],
        transcript_size: "412 sentences, 6,208 words".into(),
        missing: missing.then(|| NoTranscript {
            title: "Gong has no transcript yet",
            lines: vec![
                "Soundpost has asked 3 times and asks again in 40 minutes.".into(),
                "It usually takes minutes to hours, rarely a day. After 14 days it is given up.".into(),
            ],
        }),
    }
}

fn pages() -> Vec<(&'static str, String)> {
    let out = |page: &dyn askama::DynTemplate| page.dyn_render().unwrap();
    let role = |value: &'static str, chosen| choice(value, value, chosen);
    let matrix = || {
        vec![
            RoleLine { words: "See calls, parties and transcripts", allowed: [true; 4] },
            RoleLine {
                words: "Connect Gong, change its settings, pause, resume, backfill, disconnect",
                allowed: [false, false, true, true],
            },
        ]
    };
    let limited = pill(Tone::Warn, Icon::Gauge, "rate_limited", "Rate limited until 14:20 UTC");
    let mut flashed = connection(panel(connected(), vec![], vec![], None));
    flashed.frame.flash =
        Some(Flash { good: true, text: "Gong is connected. The first look for calls has begun." });
    vec![
        (
            "login",
            out(&LoginPage {
                frame: Frame { who: None, ..frame(Here::Elsewhere) },
                email: "mara@northwind.example".into(),
                next: "/calls".into(),
                error: Some("E-mail or password is wrong.".into()),
                notice: None,
            }),
        ),
        (
            "password",
            out(&PasswordPage {
                frame: frame(Here::Elsewhere),
                forced: true,
                policy: "At least 12 characters. A sentence is fine.".into(),
                current_error: None,
                new_error: Some("Too short: at least 12 characters.".into()),
                again_error: None,
            }),
        ),
        (
            "overview-empty",
            out(&OverviewPage {
                frame: frame(Here::Overview),
                panel: None,
                may_manage: true,
                kept: None,
                recent: vec![],
            }),
        ),
        (
            "overview",
            out(&OverviewPage {
                frame: frame(Here::Overview),
                panel: Some(panel(connected(), vec![], vec![], None)),
                may_manage: true,
                kept: None,
                recent: rows(),
            }),
        ),
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
        (
            "gong-disconnect",
            out(&DisconnectPage { frame: frame(Here::Integrations), disconnect: disconnect(true) }),
        ),
        (
            "gong-problem",
            out(&ConnectProblemPage {
                frame: frame(Here::Integrations),
                problem: callout(
                    Tone::Bad,
                    "Gong has not approved this app yet",
                    "New OAuth apps have to be switched on by Gong before anybody can approve them.",
                ),
            }),
        ),
        ("calls", out(&calls_page(rows(), ""))),
        ("calls-none", out(&calls_page(vec![], HOSTILE))),
        ("call", out(&call_page(false))),
        ("call-waiting", out(&call_page(true))),
        (
            "members",
            out(&MembersPage {
                frame: frame(Here::Members),
                members: vec![
                    MemberRow {
                        id: "usr_1".into(),
                        email: "mara.lindqvist@northwind.example".into(),
                        role: "owner",
                        joined: ago(Duration::days(90)),
                        you: true,
                        roles: vec![],
                    },
                    MemberRow {
                        id: "usr_2".into(),
                        email: "tom.berger@northwind.example".into(),
                        role: "member",
                        joined: ago(Duration::days(9)),
                        you: false,
                        roles: vec![role("viewer", false), role("member", true), role("admin", false)],
                    },
                ],
                may_manage: true,
                email: "x".into(),
                email_error: Some("This is not an e-mail address.".into()),
                role_error: None,
                roles: vec![role("viewer", false), role("member", true)],
                matrix: matrix(),
            }),
        ),
        (
            "shown-once",
            out(&ShownOncePage {
                frame: frame(Here::Members),
                title: "A member was added",
                lead: "ana@northwind.example can log in now.".into(),
                label: "First password",
                secret: "maple-orbit-violin-7-harbor".into(),
                after: "It has to be changed at the first log-in.",
                back: "/settings/members",
                back_label: "I have written it down",
            }),
        ),
        (
            "confirm",
            out(&ConfirmPage {
                frame: frame(Here::ApiKeys),
                title: format!("Revoke the key {HOSTILE}?"),
                lines: vec!["Programs that use it are refused from the next request.".into()],
                action: "/settings/api-keys/key_1/revoke".into(),
                button: "Revoke key",
                back: "/settings/api-keys",
            }),
        ),
        (
            "api-keys",
            out(&ApiKeysPage {
                frame: frame(Here::ApiKeys),
                keys: vec![
                    KeyRow {
                        id: "key_1".into(),
                        name: "Warehouse loader".into(),
                        prefix: "spk_live_8FqT".into(),
                        role: "viewer",
                        made_by: "mara.lindqvist@northwind.example".into(),
                        created: ago(Duration::days(12)),
                        used: Some(ago(Duration::minutes(3))),
                        revoked: None,
                    },
                    KeyRow {
                        id: "key_2".into(),
                        name: HOSTILE.into(),
                        prefix: "spk_live_Kd01".into(),
                        role: "admin",
                        made_by: "tom".into(),
                        created: ago(Duration::days(80)),
                        used: None,
                        revoked: Some(ago(Duration::days(2))),
                    },
                ],
                may_manage: true,
                name: String::new(),
                name_error: None,
                roles: vec![role("viewer", true)],
            }),
        ),
        (
            "activity",
            out(&ActivityPage {
                frame: frame(Here::Activity),
                rows: vec![
                    ActivityRow {
                        at: ago(Duration::minutes(3)),
                        actor: "mara.lindqvist@northwind.example".into(),
                        sentence: "Connected Gong".into(),
                        details: vec![("history".into(), "60 days".into())],
                        ip: Some("203.0.113.7".into()),
                        request_id: Some("0190f3a1c2".into()),
                    },
                    ActivityRow {
                        at: ago(Duration::hours(5)),
                        actor: "system".into(),
                        sentence: "Renewed Gong's access".into(),
                        details: vec![],
                        ip: None,
                        request_id: None,
                    },
                ],
                newer: None,
                older: Some("/activity?cursor=a".into()),
            }),
        ),
        ("docs", out(&DocsPage { frame: frame(Here::Docs) })),
        (
            "docs-errors",
            out(&ErrorsPage {
                frame: Frame { who: None, ..frame(Here::Docs) },
                codes: vec![CodeLine {
                    code: "not_found",
                    title: "Not found",
                    cause: "It does not exist, or belongs to somebody else.",
                    who: None,
                }],
            }),
        ),
        (
            "error",
            out(&ErrorPage {
                frame: frame(Here::Elsewhere),
                status: 404,
                title: "This page is not here".into(),
                detail: HOSTILE.into(),
                code: "not_found".into(),
                request_id: "0190f3a1c2d3".into(),
                action: "To the overview",
                href: "/".into(),
            }),
        ),
    ]
}

#[test]
fn every_page_is_written_and_nothing_hostile_becomes_markup() {
    for (name, html) in pages() {
        assert!(html.starts_with("<!doctype html>"), "{name}");
        assert_eq!(html.matches("<h1").count(), 1, "{name} has exactly one h1");
        assert!(!html.contains("<script>"), "{name} let a script through");
        assert!(!html.contains("<img"), "{name} let an image through");
        assert!(!html.contains(" style="), "{name} has an inline style, which the content policy forbids");
        assert!(!html.contains(" onclick"), "{name} has an inline handler");
        assert!(!html.contains("{{") && !html.contains("{%"), "{name} shows template marks");
        if let Ok(folder) = std::env::var("SOUNDPOST_PREVIEW_DIR") {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(format!("{folder}/{name}.html"), html).unwrap();
        }
    }
}

#[test]
fn ids_are_unique_within_a_page() {
    for (name, html) in pages() {
        let mut ids: Vec<&str> =
            html.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        ids.sort_unstable();
        let doubled: Vec<_> = ids.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
        assert!(doubled.is_empty(), "{name}: {doubled:?}");
    }
}
