//! How often a post is asked for, week by week of the last year, as a drawing and in words.

use time::{Duration, OffsetDateTime};

use super::view::{
    figures,
    moment::Moment,
    posts::{TrendFigure, WeekBar},
};

const WEEKS: i64 = 53;
/// The drawing's unit is a pixel of its own 330 x 104 field; the base line lies at 80.
const BASE: i64 = 80;
const TALLEST: i64 = 70;
/// 53 weeks of six pixels, and a margin before them.
const STEP: i64 = 6;
const MARGIN: i64 = 10;

/// The drawing; `None` where nobody asked within the last year.
pub(super) fn draw(weeks: &[(OffsetDateTime, i64)], now: OffsetDateTime) -> Option<TrendFigure> {
    let back = Duration::days(i64::from(now.weekday().number_days_from_monday()));
    let this_week = now.replace_time(time::Time::MIDNIGHT) - back;
    let first = this_week - Duration::weeks(WEEKS - 1);
    let shown: Vec<(i64, OffsetDateTime, i64)> = weeks
        .iter()
        .map(|(week, asks)| ((*week - first).whole_weeks(), *week, *asks))
        .filter(|(slot, ..)| (0..WEEKS).contains(slot))
        .collect();
    let most = shown.iter().map(|(_, _, asks)| *asks).max()?;
    let busiest = shown.iter().rev().find(|(_, _, asks)| *asks == most)?;
    let sum: i64 = shown.iter().map(|(_, _, asks)| asks).sum();
    let day = |at: OffsetDateTime| Moment::new(at, now).date();
    let summary = format!(
        "{} within a year; most in the week of {}: {}.",
        figures::of(sum, "ask", "asks"),
        day(busiest.1),
        figures::count(most)
    );
    Some(TrendFigure {
        summary,
        bars: shown.iter().map(|(slot, _, asks)| bar(*slot, *asks, most)).collect(),
        first: day(first),
        weeks: shown.iter().rev().map(|(_, week, asks)| (day(*week), figures::count(*asks))).collect(),
    })
}

fn bar(slot: i64, asks: i64, most: i64) -> WeekBar {
    let height = (asks * TALLEST / most.max(1)).max(2);
    WeekBar { x: MARGIN + slot * STEP, y: BASE - height, height }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn bars_stand_on_the_base_line_each_in_its_week() {
        let now = datetime!(2026-11-21 14:20 UTC);
        let weeks = [
            (datetime!(2025-11-03 0:00 UTC), 9),
            (datetime!(2026-11-09 0:00 UTC), 1),
            (datetime!(2026-11-16 0:00 UTC), 4),
        ];
        let figure = draw(&weeks, now).unwrap();
        assert_eq!(figure.bars.len(), 2, "what lies more than a year back is not drawn");
        assert_eq!(figure.bars[1].x, MARGIN + (WEEKS - 1) * STEP, "this week stands last");
        assert_eq!((figure.bars[1].height, figure.bars[1].y), (TALLEST, BASE - TALLEST));
        assert_eq!(figure.summary, "5 asks within a year; most in the week of 16 Nov 2026: 4.");
        assert_eq!(figure.weeks[0], ("16 Nov 2026".into(), "4".into()));
        assert!(draw(&weeks[..1], now).is_none() && draw(&[], now).is_none());
    }
}
