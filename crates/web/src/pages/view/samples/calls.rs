//! Calls, one call, the overview.

use time::Duration;

use super::{
    super::{calls::*, figures, icon::Icon, overview::OverviewPage, shell::*},
    HOSTILE, Page, ago, frame,
    gong::{connected, panel},
    out, pill,
};

pub(super) fn pages() -> Vec<Page> {
    vec![
        ("calls", out(&calls_page(rows(), ""))),
        ("calls-none", out(&calls_page(vec![], HOSTILE))),
        ("call", out(&call_page(false))),
        ("call-waiting", out(&call_page(true))),
        (
            "overview-empty",
            out(&OverviewPage {
                frame: frame(Here::Overview),
                panel: None,
                may_manage: true,
                kept: None,
                recent: vec![],
                feedback: None,
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
                feedback: Some(super::posts::lines()),
            }),
        ),
    ]
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
        since: why.map(|_| ago(Duration::hours(hours))),
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
        .map(|(label, count, chosen)| Tab {
            label: label.into(),
            count: count.into(),
            href: "/calls".into(),
            chosen,
        })
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
        sides: sides(),
        facts: vec![
            ("Language", "English".into()),
            ("Recorded by", "Zoom".into()),
            ("Direction", "Conference".into()),
        ],
        turns: turns(),
        transcript_size: "412 sentences, 6,208 words".into(),
        feedback_href: "/calls/call_x/feedback".into(),
        feedback: (!missing).then(|| pill(Tone::Good, Icon::CheckCircle, "done", "2 wishes")),
        missing: missing.then(|| NoTranscript {
            title: "Gong has no transcript yet",
            lines: vec![
                "Soundpost has asked 3 times and asks again in 40 minutes.".into(),
                "It usually takes minutes to hours, rarely a day. After 14 days it is given up.".into(),
            ],
        }),
    }
}

fn sides() -> Vec<Side> {
    vec![
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
    ]
}

fn turns() -> Vec<Turn> {
    let says = |from: i64, texts: &[&str]| {
        texts
            .iter()
            .enumerate()
            .map(|(at, text)| {
                let ms = from + i64::try_from(at).unwrap() * 6_000;
                Say { anchor: format!("t-{ms}"), at: figures::clock(ms), text: (*text).into() }
            })
            .collect()
    };
    let turn = |side, name: &str, label, says| Turn { side, name: name.into(), label, topic: None, says };
    vec![
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
    ]
}
