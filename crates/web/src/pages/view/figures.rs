//! Numbers and lengths of time as people read them. Knows no page.

/// A whole number with thousands separators: `12,345`.
pub(crate) fn count(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if number < 0 {
        text.push('-');
    }
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count and its noun, in the singular where it is one: `1 call`, `1,204 calls`.
pub(crate) fn of(number: i64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// A percentage for a progress bar: never 100 before it is 100, one decimal below ten.
pub(crate) fn percent(percent: f64) -> String {
    let percent = percent.clamp(0.0, 100.0);
    if percent > 0.0 && percent < 10.0 {
        format!("{percent:.1} %")
    } else {
        format!("{:.0} %", percent.floor())
    }
}

/// A rate with as many decimals as help.
pub(crate) fn per_second(rate: f64) -> String {
    if rate >= 10.0 { format!("{rate:.0}/s") } else { format!("{rate:.1}/s") }
}

/// The length of a call: `47 min`, `1 h 05 min`, `38 s`.
pub(crate) fn length(seconds: i64) -> String {
    match seconds.max(0) {
        short @ 0..60 => format!("{short} s"),
        minutes @ 60..3600 => format!("{} min", (minutes + 30) / 60),
        long => format!("{} h {:02} min", long / 3600, (long % 3600) / 60),
    }
}

/// A regular interval in its largest even unit: `4 hours`, `90 minutes`.
pub(crate) fn interval(seconds: i64) -> String {
    match seconds {
        day if day >= 86_400 && day % 86_400 == 0 => of(day / 86_400, "day", "days"),
        hour if hour >= 3_600 && hour % 3_600 == 0 => of(hour / 3_600, "hour", "hours"),
        minute if minute >= 60 && minute % 60 == 0 => of(minute / 60, "minute", "minutes"),
        other => of(other, "second", "seconds"),
    }
}

/// A remaining time, rounded as a person would say it.
pub(crate) fn about(seconds: i64) -> String {
    match seconds.max(0) {
        0..5 => "a few seconds".to_owned(),
        s @ 5..50 => format!("about {} seconds", (s + 4) / 5 * 5),
        50..90 => "about a minute".to_owned(),
        m @ 90..5_400 => format!("about {} minutes", (m + 30) / 60),
        h @ 5_400..129_600 => format!("about {} hours", (h + 1_800) / 3_600),
        d => format!("about {} days", (d + 43_200) / 86_400),
    }
}

/// A place in a recording: `02:05`, `1:02:05`.
pub(crate) fn clock(milliseconds: i64) -> String {
    let seconds = milliseconds.max(0) / 1000;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes:02}:{seconds:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_thousands_separators() {
        for (number, text) in
            [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567"), (-12_345, "-12,345")]
        {
            assert_eq!(count(number), text);
        }
        assert_eq!((of(1, "call", "calls"), of(2, "call", "calls")), ("1 call".into(), "2 calls".into()));
    }

    #[test]
    fn a_bar_says_100_only_when_it_is_done() {
        assert_eq!(percent(99.97), "99 %");
        assert_eq!(percent(100.0), "100 %");
        assert_eq!(percent(3.26), "3.3 %");
        assert_eq!(percent(0.0), "0 %");
    }

    #[test]
    fn lengths_and_remaining_times_are_said_as_people_say_them() {
        assert_eq!([length(38), length(2_820), length(3_900)], ["38 s", "47 min", "1 h 05 min"]);
        assert_eq!(
            [about(3), about(42), about(240), about(7_300)],
            ["a few seconds", "about 45 seconds", "about 4 minutes", "about 2 hours"]
        );
        assert_eq!([interval(14_400), interval(300), interval(172_800)], ["4 hours", "5 minutes", "2 days"]);
        assert_eq!([clock(61_200), clock(3_725_000)], ["01:01", "1:02:05"]);
    }
}
