//! Shows the calls becoming feedback, and checks that every quote on the board was really said.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::language::{self, LanguageServer};
use super::programs::App;
use super::visitor::Visitor;
use crate::fault::Fault;
use crate::stop;

/// Gives up when nothing moves for so long.
const STALLED: Duration = Duration::from_secs(120);
/// Posts whose quotes are looked up in the transcripts.
const CHECKED: usize = 60;
/// Posts that are shown.
const SHOWN: usize = 5;

/// Makes the board that posts hang on, unless there is one.
pub(crate) fn board(visitor: &mut Visitor) -> Result<(), Fault> {
    if visitor.get("/api/v1/boards")?["items"].as_array().is_some_and(Vec::is_empty) {
        let board = json!({
            "name": "Customer wishes", "description": "What customers asked for on their calls.",
            "categories": ["Reporting", "Integrations", "Permissions", "Mobile", "Performance", "Billing"],
        });
        visitor.send("POST", "/api/v1/boards", Some(&board))?;
    }
    Ok(())
}

/// Waits until every call was looked at, and prints what came of it; whether every quote that was looked up was said, and the
/// language model, where there is one, made every post.
pub(super) fn watch(
    visitor: &mut Visitor,
    app: &mut App,
    language: Option<&LanguageServer>,
) -> Result<bool, Fault> {
    let status = wait(visitor, app)?;
    let calls = &status["calls"];
    let row = |word: &str, value: String| println!("  {word:<12} {value}");
    println!();
    row("looked at", format!("{} calls, {} of them with wishes", done(calls), calls["done"]));
    for reason in
        ["waiting", "failed"].iter().flat_map(|state| calls[*state].as_array().into_iter().flatten())
    {
        row("left out", format!("{} calls: {}", reason["calls"], reason["reason"].as_str().unwrap_or("?")));
    }
    let posts = posts(visitor)?;
    row("posts", format!("{} on the board, {} wait for review", status["published"], status["review"]));
    let is_made = match language {
        Some(language) => told(&status, &posts, language, &row)?,
        None => true,
    };
    let Quotes { found, all, top } = look_up(visitor, &posts)?;
    row("quotes", format!("{found} of {all} looked up stand word for word in their transcripts"));
    for (post, quote) in &top {
        let title = post["title"].as_str().unwrap_or_default();
        let asks = match post["accounts"].as_u64() {
            Some(1) => "1 account asks".to_owned(),
            accounts => format!("{} accounts ask", accounts.unwrap_or(0)),
        };
        println!("\n  {asks}: {title}\n    \u{201c}{quote}\u{201d}");
    }
    Ok(is_made && found == all && !posts.is_empty())
}

/// Prints what the language model did; whether it made every post.
fn told(
    status: &Value,
    posts: &[Value],
    language: &LanguageServer,
    row: &impl Fn(&str, String),
) -> Result<bool, Fault> {
    row("model", language::used(status).unwrap_or_else(|| "never asked".to_owned()));
    let of = |post: &&Value| post["analyzer"].as_str().is_some_and(|by| by.starts_with(language::MODEL));
    let by_it = posts.iter().filter(of).count();
    row(
        "made by it",
        format!("{by_it} of {} posts; it was asked {} times since the start", posts.len(), language.asked()?),
    );
    Ok(by_it == posts.len())
}

fn done(calls: &Value) -> u64 {
    ["done", "discarded"].iter().filter_map(|state| calls[*state].as_u64()).sum()
}

fn wait(visitor: &mut Visitor, app: &mut App) -> Result<Value, Fault> {
    let on_terminal = std::io::stdout().is_terminal();
    let (mut moved, mut last, mut printed) = (Instant::now(), u64::MAX, Instant::now());
    loop {
        stop::check()?;
        app.check()?;
        let status = visitor.get("/api/v1/feedback/status")?;
        let calls = &status["calls"];
        let (wanted, looked) = (calls["wanted"].as_u64().unwrap_or(0), done(calls));
        // What came last is entered a moment later.
        let over = wanted == 0 && looked > 0 && moved.elapsed() > Duration::from_secs(3);
        let line = format!(
            "{looked} of {} calls looked at for feedback, {} posts",
            looked + wanted,
            status["published"].as_u64().unwrap_or(0)
        );
        if on_terminal {
            print!("\r\x1b[2K{line}");
            std::io::stdout().flush().ok();
        } else if over || printed.elapsed() > Duration::from_secs(10) {
            println!("{line}");
            printed = Instant::now();
        }
        if looked != last {
            (moved, last) = (Instant::now(), looked);
        }
        if over || moved.elapsed() > STALLED {
            if on_terminal {
                println!();
            }
            return if over {
                Ok(status)
            } else {
                Err(Fault::new(format!("no call was looked at for two minutes: {calls}")))
            };
        }
        stop::sleep(Duration::from_millis(500));
    }
}

fn posts(visitor: &mut Visitor) -> Result<Vec<Value>, Fault> {
    Ok(visitor.get("/api/v1/posts?limit=100")?["items"].as_array().cloned().unwrap_or_default())
}

/// What the quotes on the board are worth.
#[derive(Default)]
struct Quotes {
    /// Which stand in their transcripts.
    found: usize,
    /// Which were looked up.
    all: usize,
    /// A quote of each of the posts that are asked for most.
    top: Vec<(Value, String)>,
}

fn look_up(visitor: &mut Visitor, posts: &[Value]) -> Result<Quotes, Fault> {
    let mut quotes = Quotes::default();
    for post in posts.iter().take(CHECKED) {
        let id = post["id"].as_str().unwrap_or_default();
        let evidence = visitor.get(&format!("/api/v1/posts/{id}/evidence?limit=5"))?;
        for one in evidence["items"].as_array().into_iter().flatten() {
            let call = one["call"].as_str().unwrap_or_default();
            let said = said(&visitor.get(&format!("/api/v1/calls/{call}/transcript"))?);
            for quote in one["quotes"].as_array().into_iter().flatten() {
                let quote = quote["text"].as_str().unwrap_or_default();
                quotes.all += 1;
                quotes.found += usize::from(!quote.is_empty() && said.contains(&words(quote)));
                let shown = quotes.top.iter().any(|(shown, _)| shown["id"] == post["id"]);
                if quotes.top.len() < SHOWN && !shown {
                    quotes.top.push((post.clone(), quote.to_owned()));
                }
            }
        }
    }
    Ok(quotes)
}

/// Everything that was said, one sentence behind the other.
fn said(transcript: &Value) -> String {
    let mut text = String::new();
    let mut open = vec![transcript];
    let mut sentences = Vec::new();
    while let Some(value) = open.pop() {
        match value {
            Value::Array(items) => open.extend(items.iter().rev()),
            Value::Object(fields) => {
                if let Some(said) = fields.get("text").and_then(Value::as_str) {
                    sentences.push(said);
                }
                open.extend(fields.values().filter(|value| value.is_array()));
            }
            _ => {}
        }
    }
    for sentence in sentences {
        text.push_str(&words(sentence));
        text.push(' ');
    }
    text
}

/// White space as single blanks.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{said, words};

    #[test]
    fn what_was_said_is_read_out_of_a_transcript_in_order() {
        let transcript = json!({"monologues": [
            {"speaker_id": "1", "sentences": [{"text": "One  two.", "start_ms": 0}, {"text": "Three."}]},
            {"sentences": [{"text": "Four."}]}]});
        assert_eq!(said(&transcript), "One two. Three. Four. ");
        assert!(said(&transcript).contains(&words("two.\nThree.")));
        assert!(!said(&transcript).contains("Five"));
    }
}
