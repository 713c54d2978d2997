//! A moment on a page: relative words, the exact time with its zone on hover and focus, and the machine's form. Knows no clock: the
//! present is handed in.

use std::fmt;

use askama::filters::HtmlSafe;
use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339, macros::format_description};

/// A point in time as a page shows it; writes its own `<time>` element.
#[derive(Debug, Clone)]
pub(crate) struct Moment {
    at: OffsetDateTime,
    now: OffsetDateTime,
    exact: bool,
}

impl Moment {
    /// `at`, seen from `now`.
    pub(crate) fn new(at: OffsetDateTime, now: OffsetDateTime) -> Self {
        Self { at: at.to_offset(UtcOffset::UTC), now: now.to_offset(UtcOffset::UTC), exact: false }
    }

    /// The same shown as date and time instead of relative words.
    pub(crate) fn exact(mut self) -> Self {
        self.exact = true;
        self
    }

    /// Date, time and zone.
    pub(crate) fn full(&self) -> String {
        let form =
            format_description!("[day padding:none] [month repr:long] [year], [hour]:[minute]:[second] UTC");
        self.at.format(form).unwrap_or_default()
    }

    /// Date and time, without the year where it is the present one.
    pub(crate) fn short(&self) -> String {
        let same_year = self.at.year() == self.now.year();
        let form = if same_year {
            format_description!("[day padding:none] [month repr:short], [hour]:[minute] UTC")
        } else {
            format_description!("[day padding:none] [month repr:short] [year], [hour]:[minute] UTC")
        };
        self.at.format(form).unwrap_or_default()
    }

    /// The date alone.
    pub(crate) fn date(&self) -> String {
        self.at
            .format(format_description!("[day padding:none] [month repr:short] [year]"))
            .unwrap_or_default()
    }

    /// How long ago, or in how long. `live.js` says it the same way.
    pub(crate) fn relative(&self) -> String {
        let seconds = (self.now - self.at).whole_seconds();
        let (size, past) = (seconds.abs(), seconds >= 0);
        let words = match size {
            0..10 => return if past { "just now".into() } else { "now".into() },
            10..60 => format!("{size} seconds"),
            60..3_600 => plural(size / 60, "minute"),
            3_600..86_400 => plural(size / 3_600, "hour"),
            86_400..2_592_000 => plural(size / 86_400, "day"),
            _ if past => return format!("on {}", self.date()),
            _ => return format!("on {}", self.date()),
        };
        if past { format!("{words} ago") } else { format!("in {words}") }
    }
}

fn plural(number: i64, unit: &str) -> String {
    if number == 1 { format!("1 {unit}") } else { format!("{number} {unit}s") }
}

/// Digits, letters, commas and colons only: nothing to escape.
impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let iso = self.at.replace_nanosecond(0).unwrap_or(self.at).format(&Rfc3339).unwrap_or_default();
        let (full, short) = (self.full(), self.short());
        if self.exact {
            write!(f, r#"<time datetime="{iso}" title="{full}">{short}</time>"#)
        } else {
            write!(
                f,
                r#"<time datetime="{iso}" title="{full}" tabindex="0" data-relative>{}</time>"#,
                self.relative()
            )
        }
    }
}

impl HtmlSafe for Moment {}

#[cfg(test)]
mod tests {
    use time::{Duration, macros::datetime};

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-21 12:00 UTC);

    #[test]
    fn relative_words_change_at_the_right_second() {
        let ago = |seconds| Moment::new(NOW - Duration::seconds(seconds), NOW).relative();
        assert_eq!(ago(0), "just now");
        assert_eq!(ago(59), "59 seconds ago");
        assert_eq!(ago(60), "1 minute ago");
        assert_eq!(ago(23 * 3_600), "23 hours ago");
        assert_eq!(ago(25 * 3_600), "1 day ago");
        assert_eq!(ago(-7_200), "in 2 hours");
        assert_eq!(ago(40 * 86_400), "on 12 Oct 2026");
    }

    #[test]
    fn the_exact_time_is_there_with_its_zone() {
        let html = Moment::new(datetime!(2026-11-21 13:05:09.5 +02:00), NOW).to_string();
        assert_eq!(
            html,
            r#"<time datetime="2026-11-21T11:05:09Z" title="21 November 2026, 11:05:09 UTC" tabindex="0" data-relative>54 minutes ago</time>"#
        );
    }
}
