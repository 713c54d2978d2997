//! Shows the history coming in: a bar on a terminal, a line now and then elsewhere.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::programs::App;
use super::visitor::Visitor;
use crate::fault::Fault;
use crate::stop;

/// Gives up when nothing moves for so long.
const STALLED: Duration = Duration::from_secs(300);

/// Waits until the backfill is done; the last thing the API said about the connection.
pub(super) fn watch(visitor: &mut Visitor, app: &mut App) -> Result<Value, Fault> {
    let on_terminal = std::io::stdout().is_terminal();
    let mut moved = (Instant::now(), Value::Null);
    let mut printed = Instant::now();
    loop {
        stop::check()?;
        app.check()?;
        let connection = visitor.connection()?;
        let backfill = &connection["backfill"];
        let over = is_over(backfill);
        if on_terminal {
            print!("\r\x1b[2K{}", line(backfill));
            std::io::stdout().flush().ok();
        } else if over || printed.elapsed() > Duration::from_secs(5) {
            println!("{}", line(backfill));
            printed = Instant::now();
        }
        if over {
            if on_terminal {
                println!();
            }
            return Ok(connection);
        }
        if moved.1 != essence(backfill) {
            moved = (Instant::now(), essence(backfill));
        } else if moved.0.elapsed() > STALLED {
            return Err(Fault::new(format!("the history has not moved for five minutes: {backfill}")));
        }
        stop::sleep(Duration::from_millis(500));
    }
}

/// What changes only when something was done.
fn essence(backfill: &Value) -> Value {
    Value::from(
        ["state", "listed", "transcripts_stored", "percent"].map(|name| backfill[name].clone()).to_vec(),
    )
}

fn is_over(backfill: &Value) -> bool {
    match backfill["state"].as_str() {
        Some(state) => {
            matches!(state, "done" | "cancelled" | "failed")
        }
        None => backfill.is_null(),
    }
}

fn line(backfill: &Value) -> String {
    let number = |name: &str| backfill[name].as_f64();
    let over = is_over(backfill);
    let percent = number("percent").unwrap_or(if over { 100.0 } else { 0.0 }).clamp(0.0, 100.0);
    let full = (0..30).map(|cell| if f64::from(cell) < percent * 0.3 { '█' } else { '░' });
    let mut line: String = full.collect();
    line.push_str(&format!(" {percent:>3.0} %"));
    for (name, word) in
        [("listed", "calls"), ("transcripts_stored", "transcripts"), ("requests_used", "requests")]
    {
        if let Some(value) = number(name) {
            line.push_str(&format!("  {value:.0} {word}"));
        }
    }
    if let Some(rate) = number("rate_per_second").filter(|_| !over) {
        line.push_str(&format!("  {rate:.1}/s"));
    }
    if let Some(seconds) = number("eta_seconds").filter(|_| !over) {
        line.push_str(&format!("  {seconds:.0} s left"));
    }
    line
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{is_over, line};

    #[test]
    fn the_bar_says_what_is_known() {
        let half = json!({"state": "running", "percent": 50, "listed": 200, "transcripts_stored": 180,
            "requests_used": 7, "rate_per_second": 40.25, "eta_seconds": 5});
        let text = line(&half);
        assert_eq!(text.matches('█').count(), 15);
        assert!(text.ends_with(" 50 %  200 calls  180 transcripts  7 requests  40.2/s  5 s left"), "{text}");
        assert!(!is_over(&half));
        assert!(is_over(&json!({"state": "done"})));
        assert!(is_over(&json!(null)));
    }
}
