//! Posts, one post, the review, the trace of a call, the settings of feedback.

use time::Duration;

use super::{
    super::{calls::Tab, feedback::*, gong::Choice, icon::Icon, overview::FeedbackLines, posts::*, shell::*},
    HOSTILE, Page, ago, frame, out, pill,
};

pub(super) fn pages() -> Vec<Page> {
    vec![
        ("posts", out(&posts_page(false))),
        ("posts-none", out(&posts_page(true))),
        ("post", out(&post_page(false))),
        ("post-review", out(&post_page(true))),
        ("review", out(&review_page(false))),
        ("review-none", out(&review_page(true))),
        ("trace", out(&trace_page())),
        ("feedback-settings", out(&settings_page(false))),
        ("feedback-settings-first", out(&settings_page(true))),
    ]
}

/// What the overview says.
pub(super) fn lines() -> FeedbackLines {
    FeedbackLines {
        new: "14".into(),
        review: "3".into(),
        published: "128".into(),
        has_board: true,
        most_asked: vec![row(0), row(1), row(2)],
    }
}

fn row(at: usize) -> PostRow {
    let titles =
        ["Export the shipment report as a file every Monday", "Let dispatchers see the map offline", HOSTILE];
    PostRow {
        id: format!("post_{at}"),
        title: titles[at % 3].into(),
        summary: if at == 2 {
            HOSTILE.into()
        } else {
            "Operations teams type figures off the screen because the report cannot be scheduled.".into()
        },
        labels: vec![
            "Missing capability".into(),
            "reporting".into(),
            "export".into(),
            if at == 2 { HOSTILE.into() } else { "automation".into() },
        ],
        accounts: format!("{} accounts", 12 - at),
        asks: format!("{} asks", 19 - at),
        priority: pill(Tone::Warn, Icon::Gauge, "high", "high"),
        status: pill(Tone::Busy, Icon::Clock, "planned", "planned"),
        last_asked: Some(ago(Duration::hours(5))),
    }
}

fn choice(label: &str, chosen: bool) -> Choice {
    Choice { value: label.to_lowercase(), label: label.into(), chosen }
}

fn posts_page(none: bool) -> PostsPage {
    let tab = |label: &str, count: &str, chosen| Tab {
        label: label.into(),
        count: count.into(),
        href: "/posts".into(),
        chosen,
    };
    let filter =
        |name, label| Filter { name, label, choices: vec![choice("Any", true), choice("Open", false)] };
    PostsPage {
        frame: frame(Here::Posts),
        panel: StandingPanel {
            shape: "x".into(),
            review: Some("3 posts wait for review.".into()),
            looking: Some("412 calls to be looked at for feedback.".into()),
            waiting: vec!["7 calls wait: this month's money for models is spent.".into()],
            failed: Some("2 calls could not be read by a model and were given up.".into()),
        },
        boards: vec![tab("All boards", "128", true), tab("Freight", "96", false), tab(HOSTILE, "32", false)],
        board: String::new(),
        search: if none { HOSTILE.into() } else { String::new() },
        label: String::new(),
        filters: vec![filter("sort", "Order"), filter("status", "Status"), filter("state", "Where")],
        more: vec![filter("kind", "Kind"), filter("priority", "Priority"), filter("sentiment", "Sentiment")],
        more_open: none,
        filtered: none,
        rows: if none { vec![] } else { vec![row(0), row(1), row(2)] },
        nothing: none.then(|| Nothing {
            title: "No post fits".into(),
            words: "Search looks at titles and summaries. Take a filter away, or clear all of them.".into(),
            action: Some(("/posts", "Clear the filters")),
        }),
        newer: None,
        older: (!none).then(|| "/posts?cursor=x".into()),
        csv: "/api/v1/posts/export?format=csv".into(),
        json: "/api/v1/posts/export?format=json".into(),
    }
}

fn card(at: usize) -> EvidenceCard {
    EvidenceCard {
        id: format!("evid_{at}"),
        title: row(at).title,
        quotes: vec![QuoteLine {
            text: if at == 2 {
                HOSTILE.into()
            } else {
                "We need the shipment report as a file every Monday, and today somebody clicks through it by hand.".into()
            },
            speaker: "Ines Okafor".into(),
            at: "01:01".into(),
            gong: Some("https://us-70001.app.gong.io/call?id=7".into()),
            transcript: "/calls/call_x#t-61000".into(),
        }],
        who: "Ines Okafor".into(),
        account: Some("helio-freight.example".into()),
        call: "call_x".into(),
        call_title: "Helio Freight: quarterly review".into(),
        called: ago(Duration::days(3)),
        how: "It joined by its likeness, 91 %.".into(),
        pain_points: vec!["An hour of typing each Monday".into()],
    }
}

fn post_page(review: bool) -> PostPage {
    PostPage {
        frame: frame(Here::Posts),
        row: row(if review { 2 } else { 0 }),
        description: "The weekly report is read off the screen.\nA file that comes by itself would end that."
            .into(),
        board: "Freight".into(),
        facts: vec![
            ("Kind", "Missing capability".into()),
            ("Area", "reporting".into()),
            ("First asked", "3 Mar 2026".into()),
            ("Found by", "basic/1".into()),
        ],
        notice: review.then(|| {
            ("This post waits for review", "It is not on its board before somebody says yes.".into())
        }),
        decides: review,
        doubt: review.then(|| row(1)),
        may_edit: true,
        edit: EditForm {
            version: "abc".into(),
            title: row(0).title,
            summary: row(0).summary,
            description: HOSTILE.into(),
            tags: "export, automation".into(),
            boards: vec![choice("Freight", true)],
            categories: vec![choice("None", true)],
            priorities: vec![choice("High", true)],
            statuses: vec![choice("Open", false), choice("Planned", true)],
            error: review.then(|| "Title is too long.".into()),
            open: review,
        },
        merge: MergeForm { search: HOSTILE.into(), found: vec![row(1), row(2)], asked: review, error: None },
        trend: Some(TrendFigure {
            summary: "19 asks within a year; most in the week of 2 Mar 2026: 4.".into(),
            bars: (0..30)
                .map(|at| WeekBar { x: 10 + at * 10, y: 80 - (at % 7) * 9 - 2, height: (at % 7) * 9 + 2 })
                .collect(),
            first: "24 Nov 2025".into(),
            weeks: vec![("2 Mar 2026".into(), "4".into())],
        }),
        evidence: vec![card(0), card(2)],
        may_split: true,
        more: Some("/posts/post_0?after=x".into()),
        first: None,
    }
}

fn review_page(none: bool) -> ReviewPage {
    ReviewPage {
        frame: frame(Here::Review),
        approval: none,
        waiting: "3 posts wait".into(),
        may_edit: true,
        cards: if none {
            vec![]
        } else {
            vec![
                ReviewCard {
                    post: row(0),
                    evidence: Some(card(0)),
                    doubt: Some(("78 %".into(), row(1), Some(card(1)))),
                },
                ReviewCard { post: row(2), evidence: Some(card(2)), doubt: None },
            ]
        },
        older: None,
        newer: None,
        script: "/static/review.js",
    }
}

fn trace_page() -> TracePage {
    let stage = |name: &str, score: Option<&str>| StageLine {
        name: name.into(),
        why: "One distinct wish, with its words found in the transcript.".into(),
        score: score.map(Into::into),
        tokens: score.map(|_| "1,204 tokens".into()),
        cost: "$0.0031".into(),
        took: "412 ms".into(),
        made_by: "basic/1 local/all-MiniLM-L6-v2 s4".into(),
        output: format!("{{\n  \"why\": \"{HOSTILE}\"\n}}"),
    };
    TracePage {
        frame: frame(Here::Calls),
        call: "call_x".into(),
        title: HOSTILE.into(),
        pill: pill(Tone::Good, Icon::CheckCircle, "done", "1 wish"),
        explained: vec![
            "The transcript and its parties were made one conversation.".into(),
            "It holds 1 distinct wishes.".into(),
        ],
        stored: Some(ago(Duration::hours(2))),
        finished: Some(ago(Duration::hours(1))),
        due: None,
        tries: "1 time".into(),
        stages: vec![stage("Normalize", None), stage("Detect", Some("0.93")), stage("Extract", None)],
        posts: vec![CameOf { post: "post_0".into(), title: HOSTILE.into(), how: "made the post" }],
        may_retry: true,
    }
}

fn settings_page(first: bool) -> FeedbackSettingsPage {
    let offer = |value, label, chosen, possible| Offer {
        value,
        label,
        means: "What it means stands here in a sentence or two.".into(),
        chosen,
        possible,
    };
    let board = |name: &str| BoardForm {
        id: format!("board_{}", name.len()),
        version: "v".into(),
        name: name.into(),
        description: "What it is for".into(),
        categories: "Reporting, Integrations".into(),
        posts: "96 posts".into(),
    };
    FeedbackSettingsPage {
        frame: frame(Here::Feedback),
        version: "v".into(),
        wrong: Wrong {
            form: if first { "boards".into() } else { "money".into() },
            words: "Name is the name of another board already.".into(),
        },
        boards: if first { vec![] } else { vec![board("Freight"), board(HOSTILE)] },
        new_board: BoardForm { name: if first { HOSTILE.into() } else { String::new() }, ..board("") },
        modes: vec![
            offer("automatic", "By itself", true, true),
            offer("approval", "After a yes", false, true),
        ],
        days: "30".into(),
        analyzers: vec![
            offer("basic", "Basic", true, true),
            offer("model", "Language model", false, false),
            offer("off", "Off", false, true),
        ],
        default_board: vec![choice("The oldest board", true)],
        may_add_tags: true,
        tags: "export\nmobile".into(),
        tags_version: "v".into(),
        products: "Helio".into(),
        competitors: HOSTILE.into(),
        domains: "northwind.example".into(),
        thresholds: ThresholdForm {
            join_at: "0.82".into(),
            ask_at: String::new(),
            usual: "The model of this installation joins from 0.85 and asks from 0.7.".into(),
            preview: (!first).then(|| PreviewLines {
                title: "With 0.82 and 0.7".into(),
                lines: vec!["214 wishes were compared with a post so far.".into()],
            }),
        },
        cap: "25".into(),
        spent: "This month so far: $12.40.".into(),
        usage: vec![UsageLine {
            month: "November 2026".into(),
            model: "anthropic/model/1".into(),
            asks: "812".into(),
            tokens: "1,204,331".into(),
            cost: "$12.40".into(),
        }],
        ledger: vec![
            ("With feedback".into(), "312 calls".into()),
            ("Waiting: There is no board yet".into(), "7 calls".into()),
        ],
    }
}
