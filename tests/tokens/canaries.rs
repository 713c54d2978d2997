//! Canaries for TOK-28: a secret in every form in which it might lie around, and the places to look.

use std::{
    io::Write,
    sync::{Arc, Mutex},
};

use base64::Engine;
use stories::World;

/// Everything that anything logged.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

/// A secret, and every form in which it might lie around.
pub(crate) struct Canary {
    name: &'static str,
    forms: Vec<String>,
}

impl Canary {
    pub(crate) fn new(name: &'static str, secret: &str) -> Self {
        assert!(secret.len() >= 8, "{name} is no secret: {secret:?}");
        let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
        let url: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        let mut forms = vec![secret.to_owned(), hex.to_uppercase(), hex, url, secret.chars().rev().collect()];
        // Base64 looks different at each of three offsets; the edges depend on what stands beside it.
        for lead in 0..3 {
            let padded = [vec![0; lead], secret.as_bytes().to_vec()].concat();
            let text = base64::engine::general_purpose::STANDARD_NO_PAD.encode(padded);
            let middle = &text[4..text.len() - 4];
            forms.push(middle.to_owned());
            forms.push(middle.replace('+', "-").replace('/', "_"));
        }
        forms.retain(|form| form.len() >= 8);
        Self { name, forms }
    }

    fn found_in(&self, text: &str) -> Option<String> {
        let at = self.forms.iter().find_map(|form| text.find(form.as_str()))?;
        let from = text[..at].rfind('\n').map_or(0, |line| line + 1);
        Some(text[from..].lines().next().unwrap_or_default().chars().take(400).collect())
    }
}

pub(crate) fn assert_clean(place: &str, text: &str, canaries: &[Canary]) {
    for canary in canaries {
        if let Some(line) = canary.found_in(text) {
            panic!("{} lies in {place}: {line}", canary.name);
        }
    }
}

/// Every row of every table, as text.
pub(crate) async fn dump(world: &World) -> String {
    let tables: Vec<String> = sqlx::query_scalar(
        "select format('%I.%I', schemaname, tablename) from pg_tables
         where schemaname not in ('pg_catalog', 'information_schema') order by 1",
    )
    .fetch_all(world.db.pool())
    .await
    .unwrap();
    assert!(tables.len() > 20, "{tables:?}");
    let mut all = String::new();
    for table in tables {
        let query = format!("select coalesce(string_agg(t::text, E'\\n'), '') from {table} t");
        let rows: String =
            sqlx::query_scalar(sqlx::AssertSqlSafe(query)).fetch_one(world.db.pool()).await.unwrap();
        all.push_str(&format!("-- {table}\n{rows}\n"));
    }
    // What bytea columns show in hex is looked at as text too.
    let bytes: Vec<String> = all
        .split("\\x")
        .skip(1)
        .map(|rest| {
            let hex: Vec<u8> = rest.bytes().take_while(u8::is_ascii_hexdigit).collect();
            let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
            String::from_utf8_lossy(&hex.chunks_exact(2).map(pair).collect::<Vec<u8>>()).into_owned()
        })
        .collect();
    all + &bytes.join("\n")
}

#[test]
fn tok_28_the_search_itself_finds_what_is_there() {
    let secret = "gsaccess-0123456789abcdef.xyz";
    let canary = Canary::new("a token", secret);
    let base64 = |text: String| base64::engine::general_purpose::STANDARD.encode(text);
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    for text in [
        format!("Bearer {secret}"),
        base64(format!("client:{secret}")),
        base64(format!("clients:{secret}")),
        base64(format!("a:{secret}:b")),
        format!("\\x{hex}"),
    ] {
        assert!(canary.found_in(&text).is_some(), "{text}");
    }
    assert!(canary.found_in("nothing to see").is_none());
}
