//! What the default analyzer costs: calls a second on one core, memory, and finding duplicates among many posts.

use std::{
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use feedback::{Analyzer, BasicAnalyzer, Conversation, House, VectorCopy};
use kernel::PostId;
use models::Embedder;

use super::{Bench, report::Report};
use crate::{
    curve::quantile,
    fault::{Doing, Fault},
    labelled::{self, Wish},
};

/// Sentences of a call that is measured.
const SENTENCES: usize = 300;
/// Calls that are measured.
const CALLS: usize = 12;
/// Posts of one organization.
const POSTS: u32 = 100_000;
/// Searches.
const SEARCHES: usize = 200;

pub(super) async fn measure(bench: &Bench, report: &mut Report) -> Result<(), Fault> {
    let talks = long_calls(bench)?;
    // The model itself: nothing that is known already counts.
    let model = Arc::new(bench.model.bare());
    let analyzer = BasicAnalyzer::with_weights(model.clone(), bench.weights.clone());
    let mut cpu = Vec::new();
    for (talk, _) in talks.iter().cycle().take(CALLS + 1) {
        let begin = cpu_seconds();
        let (detection, _) = analyzer.detect(talk).await.doing("detecting")?;
        let (items, _) = analyzer.extract(talk, &detection, &House::default()).await.doing("extracting")?;
        let texts: Vec<String> = items.iter().map(feedback::Item::canonical).collect();
        model.embed(&texts).await.doing("embedding items")?;
        cpu.push(cpu_seconds() - begin);
    }
    // The first call pays for what is built once.
    cpu.remove(0);
    let each = cpu.iter().sum::<f64>() / cpu.len().max(1) as f64;
    report.at_least("calls of 300 sentences, a second and core", 1.0 / each.max(1e-6), 2.0, "");
    report.at_most("memory of the process while it does so, at its highest", memory("VmHWM:"), 400.0, " MB");
    let sentences: usize =
        talks.iter().map(|(talk, _)| talk.turns.iter().map(|turn| turn.sentences.len()).sum::<usize>()).sum();
    let p95 = near();
    report.at_most("duplicate search in 100,000 posts, p95", p95.as_secs_f64() * 1_000.0, 30.0, " ms");
    let text = format!(
        "A call is a labelled call of the test half among others that hold nothing, {} sentences on average, both sides counted; {:.0} ms of processor time \
         (user and system, all threads) for a call, which covers screen, vectors, items and the vectors that duplicates are found by. \
         The figure is a call by processor time, so that what else runs on the machine does not count. Memory is the highest \
         that the process ever had; {:.0} MB of it are the model's file. The search is exact, one thread, {SEARCHES} times over \
         {POSTS} vectors of 384 numbers, by the clock; the machine was not idle.",
        sentences / talks.len().max(1),
        each * 1_000.0,
        90.9,
    );
    report.section("Speed and memory", &text);
    Ok(())
}

/// Calls of about three hundred sentences: one that holds something among others that hold nothing; and what is labelled in it.
pub(super) fn long_calls(bench: &Bench) -> Result<Vec<(Conversation, Vec<Wish>)>, Fault> {
    let calls = labelled::read(&bench.labelled, "test-")?;
    let (with, without): (Vec<_>, Vec<_>) = calls.into_iter().partition(|call| !call.wishes.is_empty());
    let step = (with.len() / CALLS).max(1);
    let mut rest = without.iter().cycle();
    let mut talks = Vec::new();
    for call in with.into_iter().step_by(step).take(CALLS) {
        let mut talk = call.talk;
        while talk.turns.iter().map(|turn| turn.sentences.len()).sum::<usize>() < SENTENCES {
            let Some(other) = rest.next() else { break };
            let speakers = talk.speakers.len();
            talk.speakers.extend(other.talk.speakers.iter().cloned());
            talk.turns.extend(other.talk.turns.iter().cloned().map(|mut turn| {
                turn.speaker += speakers;
                turn
            }));
        }
        talks.push((talk, call.wishes));
    }
    Ok(talks)
}

/// Searches in a copy of many posts.
fn near() -> Duration {
    let mut state = 1_u64;
    let mut vector = || -> Vec<f32> {
        let mut numbers: Vec<f32> = (0..384)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                f32::from(u16::try_from(state >> 48).unwrap_or_default()) / 32_768.0 - 1.0
            })
            .collect();
        let length = numbers.iter().map(|x| x * x).sum::<f32>().sqrt();
        numbers.iter_mut().for_each(|x| *x /= length);
        numbers
    };
    let mut copy = VectorCopy::of(&models::ModelId::new("local", "all-MiniLM-L6-v2"), 0);
    for n in 0..POSTS {
        copy.put(PostId::from_uuid(uuid::Uuid::from_u128(u128::from(n))), &vector());
    }
    let mut times: Vec<f64> = (0..SEARCHES)
        .map(|_| {
            let wanted = vector();
            let begin = Instant::now();
            let found = copy.nearest(&wanted, 5);
            let took = begin.elapsed().as_secs_f64();
            if found.len() == 5 { took } else { f64::MAX }
        })
        .collect();
    Duration::from_secs_f64(quantile(&mut times, 0.95).min(1e6))
}

/// Processor time of this process so far.
fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|word| word.parse::<f64>().ok()).unwrap_or_default();
    (ticks(11) + ticks(12)) / 100.0
}

/// A line of the process' status, in MB.
fn memory(name: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kilobytes.unwrap_or_default() / 1_024.0
}
