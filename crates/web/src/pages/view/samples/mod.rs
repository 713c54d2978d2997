//! Every page with sample data: that all templates write what they should, and, when `SOUNDPOST_PREVIEW_DIR` is set, files
//! to look at.

mod access;
mod calls;
mod gong;
mod letters;
mod plain;
mod posts;
mod privacy;

use time::{Duration, OffsetDateTime, macros::datetime};

use super::{
    icon::Icon,
    moment::Moment,
    shell::{Assets, Frame, Here, Pill, Theme, Tone, Who},
};

type Page = (&'static str, String);

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
            review: "/static/review.js",
        },
    }
}

fn pill(tone: Tone, icon: Icon, word: &'static str, label: &str) -> Pill {
    Pill { tone, icon, word, label: label.into() }
}

fn out(page: &dyn askama::DynTemplate) -> String {
    page.dyn_render().unwrap()
}

fn all() -> Vec<Page> {
    [
        plain::pages(),
        gong::pages(),
        calls::pages(),
        access::pages(),
        letters::pages(),
        privacy::pages(),
        posts::pages(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[test]
fn every_page_is_written_and_nothing_hostile_becomes_markup() {
    for (name, html) in all() {
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
    for (name, html) in all() {
        let mut ids: Vec<&str> =
            html.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        ids.sort_unstable();
        let doubled: Vec<_> = ids.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
        assert!(doubled.is_empty(), "{name}: {doubled:?}");
    }
}
