//! The requests of 24 hours as a drawing and in words.

use ingest::{BudgetView, UsedHour};
use time::{Duration, OffsetDateTime};

use super::view::{
    figures,
    gong::{Bar, BudgetPanel, HourLine},
};

const HOURS: i64 = 24;
/// The drawing's unit is a pixel of its own 720 x 150 field; the base line lies at 120.
const BASE: i64 = 120;
const TALLEST: i64 = 108;
const STEP: i64 = 30;

/// How the requests of the last 24 hours were spent.
pub(super) fn draw(budget: &BudgetView, now: OffsetDateTime) -> BudgetPanel {
    let this_hour = now
        - Duration::nanoseconds(i64::try_from(now.unix_timestamp_nanos() % 3_600_000_000_000).unwrap_or(0));
    let first = this_hour - Duration::hours(HOURS - 1);
    let most = budget.hours.iter().map(|h| h.fresh + h.backfill).max().unwrap_or(0).max(1);
    let busiest = budget.hours.iter().max_by_key(|h| h.fresh + h.backfill);
    let summary = busiest.filter(|h| h.fresh + h.backfill > 0).map_or_else(
        || "Requests to Gong by hour: none in the last 24 hours.".to_owned(),
        |h| {
            let number = figures::of(h.fresh + h.backfill, "request", "requests");
            format!("Requests to Gong by hour over the last 24 hours; most in the hour of {:02}:00 UTC: {number}.", h.hour.hour())
        },
    );
    let left = (budget.per_day - budget.used_last_24h).max(0);
    BudgetPanel {
        used: figures::count(budget.used_last_24h),
        per_day: figures::count(budget.per_day),
        left: figures::count(left),
        per_second: format!("{} a second", budget.per_second),
        value: budget.used_last_24h.clamp(0, budget.per_day.max(1)),
        most: budget.per_day.max(1),
        tight: left * 10 < budget.per_day,
        bars: budget.hours.iter().filter_map(|hour| bar(hour, first, most)).collect(),
        summary,
        first_hour: format!("{:02}:00 UTC", first.hour()),
        last_hour: "now".into(),
        hours: budget.hours.iter().map(line).collect(),
    }
}

fn bar(hour: &UsedHour, first: OffsetDateTime, most: i64) -> Option<Bar> {
    let slot = (hour.hour - first).whole_hours();
    if !(0..HOURS).contains(&slot) {
        return None;
    }
    let history_height = hour.backfill * TALLEST / most;
    let fresh_height = hour.fresh * TALLEST / most;
    Some(Bar {
        x: slot * STEP + 5,
        history_y: BASE - history_height,
        history_height,
        fresh_y: BASE - history_height - fresh_height,
        fresh_height,
    })
}

fn line(hour: &UsedHour) -> HourLine {
    HourLine {
        hour: format!("{:02}:00", hour.hour.hour()),
        fresh: figures::count(hour.fresh),
        history: figures::count(hour.backfill),
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn bars_stand_on_the_base_line_and_stay_inside_the_drawing() {
        let now = datetime!(2026-11-21 14:20 UTC);
        let hour = |h: i64, fresh, backfill| UsedHour {
            hour: datetime!(2026-11-21 14:00 UTC) - Duration::hours(h),
            fresh,
            backfill,
        };
        let budget = BudgetView {
            per_second: 2.5,
            per_day: 8_000,
            used_last_24h: 7_900,
            held_until: None,
            held_reason: None,
            backfill_held_until: None,
            hours: vec![hour(30, 5, 5), hour(23, 1, 0), hour(0, 100, 900)],
        };
        let panel = draw(&budget, now);
        assert_eq!(panel.bars.len(), 2, "an hour before the drawing begins is not drawn");
        assert!(panel.tight);
        assert_eq!(panel.bars[0].x, 5);
        assert_eq!(panel.bars[1].x, 23 * STEP + 5);
        for bar in &panel.bars {
            assert_eq!(bar.history_y + bar.history_height, BASE);
            assert!(bar.fresh_y >= BASE - TALLEST && bar.fresh_y + bar.fresh_height == bar.history_y);
        }
        assert!(panel.summary.contains("14:00 UTC: 1,000 requests"));
    }
}
