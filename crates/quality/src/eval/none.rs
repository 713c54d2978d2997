//! Real conversations that hold no product feedback: how many of them would make a post.

use std::{collections::HashMap, path::Path};

use feedback::{Analyzer, Conversation, House, Participant, Sentence, Source, Speech};
use kernel::CallId;
use serde::Deserialize;
use time::OffsetDateTime;

use super::{
    Bench,
    report::{Report, table},
};
use crate::{
    fault::{Doing, Fault},
    judge::share,
};

#[derive(Deserialize)]
struct Row {
    parties: Vec<Party>,
    sentences: Vec<Said>,
}

#[derive(Deserialize)]
struct Party {
    speaker_id: String,
    name: Option<String>,
    affiliation: Option<String>,
}

#[derive(Deserialize)]
struct Said {
    speaker_id: Option<String>,
    start_ms: i64,
    end_ms: i64,
    text: String,
}

pub(super) async fn measure(bench: &Bench, report: &mut Report) -> Result<(), Fault> {
    let mut rows = Vec::new();
    for (name, what) in [
        ("star", "customers and agents of banks, hotels, doctors ..."),
        ("earnings22", "earnings calls; nobody's side is known"),
    ] {
        let figure = format!("calls of {name} that would make a post");
        let Some(file) = bench.file(&format!("conversations/{name}.jsonl")) else {
            report.absent(&figure, &format!("conversations/{name}.jsonl"));
            continue;
        };
        let talks = read(&file)?;
        let analyzer = bench.basic();
        let (mut calls, mut items, mut held, mut sentences) = (0, 0, 0, 0);
        for talk in &talks {
            let (detection, _) = analyzer.detect(talk).await.doing("detecting")?;
            let (found, _) =
                analyzer.extract(talk, &detection, &House::default()).await.doing("extracting")?;
            calls += usize::from(!found.is_empty());
            items += found.len();
            held += usize::from(detection.holds);
            sentences += talk.theirs().count();
        }
        report.at_most(&figure, share(calls, talks.len()) * 100.0, 2.0, " %");
        let counts = [talks.len(), sentences, calls, items, held].map(|count| count.to_string());
        rows.push([name.to_owned(), what.to_owned()].into_iter().chain(counts).collect());
    }
    let head = [
        "set",
        "what it is",
        "calls",
        "sentences not ours",
        "calls with a post",
        "posts",
        "calls a language model would read",
    ];
    let text = format!(
        "Real talk without product feedback: every post out of it is a false one. The last column is the wider screen in front of a \
         language model. None of these conversations was trained on.\n\n{}",
        table(&head, &rows)
    );
    report.section("Conversations that hold none", &text);
    Ok(())
}

/// Conversations of a file.
pub(super) fn read(file: &Path) -> Result<Vec<Conversation>, Fault> {
    let text = std::fs::read_to_string(file).doing(format!("reading {}", file.display()))?;
    text.lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| serde_json::from_str::<Row>(line).map(talk).doing(format!("reading {}", file.display())))
        .collect()
}

fn talk(row: Row) -> Conversation {
    let party = |party: &Party| Participant {
        speaker_id: Some(party.speaker_id.clone()),
        name: party.name.clone(),
        external: party.affiliation.as_deref().map(|affiliation| affiliation == "External"),
        ..Participant::default()
    };
    let mut speeches: Vec<Speech> = Vec::new();
    for said in row.sentences {
        let sentence = Sentence { text: said.text, start_ms: said.start_ms, end_ms: said.end_ms };
        match speeches.last_mut() {
            Some(speech) if speech.speaker_id == said.speaker_id => speech.sentences.push(sentence),
            _ => speeches.push(Speech { speaker_id: said.speaker_id, sentences: vec![sentence] }),
        }
    }
    let parties: HashMap<&str, Participant> =
        row.parties.iter().map(|one| (one.speaker_id.as_str(), party(one))).collect();
    let mut parties: Vec<Participant> = parties.into_values().collect();
    parties.sort_by(|a, b| a.speaker_id.cmp(&b.speaker_id));
    let source = Source {
        call: CallId::from_uuid(uuid::Uuid::nil()),
        title: None,
        url: None,
        started_at: OffsetDateTime::UNIX_EPOCH,
        parties,
        speeches,
    };
    Conversation::of(&source, &[])
}
