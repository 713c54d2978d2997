//! Makes believable companies and calls from a seed: who takes part, when, how private, how late.
//! Knows nothing of HTTP. The same seed and epoch always give the same data.

use crate::call::NewCall;
use crate::cast::{account, cast, slug, user};
use crate::chance::Chance;
use crate::clock::trim;
use crate::limit::Limiter;
use crate::model::{Call, Company, CompanyId, CompanyOptions, Party};
use crate::talk::{Flavour, Script, Speaker, Talk};
use sha2::{Digest, Sha256};
use std::net::SocketAddr;
use std::sync::Arc;
use time::{Duration, OffsetDateTime, UtcOffset};

/// What generated calls are like.
#[derive(Clone, Debug)]
pub struct GeneratorOptions {
    /// Seed; the same one gives the same calls.
    pub seed: u64,
    /// How many calls.
    pub calls: usize,
    /// Over how many days before `until` they are spread.
    pub days: u32,
    /// The end of the span; `None` = the simulator's epoch.
    pub until: Option<OffsetDateTime>,
    /// Share of calls with `isPrivate: true`.
    pub private_share: f64,
    /// Share of calls without `isPrivate`.
    pub unknown_privacy_share: f64,
    /// Share of calls that are listed only hours after they ended.
    pub late_share: f64,
    /// By how many hours at most.
    pub late_hours: u32,
    /// Minutes from being listed to the transcript.
    pub transcript_minutes: u32,
    /// Share of calls that never get a transcript.
    pub no_transcript_share: f64,
    /// Fewest and most sentences of a call.
    pub sentences: (usize, usize),
    /// Null speakers, missing parties, unknown enum values, imported calls.
    pub oddities: bool,
}

impl Default for GeneratorOptions {
    /// Forty calls of 40 to 120 sentences over 30 days, a tenth private, all on time.
    fn default() -> Self {
        Self {
            seed: 1,
            calls: 40,
            days: 30,
            until: None,
            private_share: 0.1,
            unknown_privacy_share: 0.02,
            late_share: 0.0,
            late_hours: 6,
            transcript_minutes: 0,
            no_transcript_share: 0.0,
            sentences: (40, 120),
            oddities: true,
        }
    }
}

/// Makes a company with its workspaces and users.
pub(crate) fn company(
    seed: u64,
    id: CompanyId,
    options: &CompanyOptions,
    address: SocketAddr,
    epoch: OffsetDateTime,
) -> Company {
    let mut chance = Chance::of(seed, &["company", &options.name, &id.to_string()]);
    let domain = format!("{}.example", slug(&options.name));
    let workspaces = (0..options.workspaces.max(1))
        .map(|index| {
            let name = match index {
                0 => "Initial workspace".to_owned(),
                _ => format!("Workspace {}", index + 1),
            };
            (chance.long_id(), name)
        })
        .collect();
    let users = (0..options.users.max(2)).map(|_| user(&mut chance, &domain, epoch)).collect();
    let access_key = (chance.id(), format!("{}{}", chance.request_id(), chance.request_id()));
    let offset = UtcOffset::from_whole_seconds(options.offset_minutes * 60).unwrap_or(UtcOffset::UTC);
    Company {
        id,
        name: options.name.clone(),
        domain,
        cell: format!("us-{}", 70_001 + id.0),
        address,
        offset,
        workspaces,
        users,
        calls: std::collections::HashMap::new(),
        access_keys: vec![access_key],
        ip_blocked: false,
        limit: None,
        limiter: Limiter::default(),
        cursor_key: Sha256::digest(format!("{seed}/{}/cursor", options.name)).into(),
        fresh_made: 0,
    }
}

/// Makes all calls of the options for one company.
pub(crate) fn calls(company: &Company, options: &GeneratorOptions, until: OffsetDateTime) -> Vec<Call> {
    let mut calls = Vec::with_capacity(options.calls);
    for index in 0..options.calls {
        let mut chance = Chance::of(options.seed, &["call", &company.name, &index.to_string()]);
        let span = u64::from(options.days.max(1)) * 86_400;
        let slot = span / options.calls.max(1) as u64;
        let back = slot * index as u64 + chance.below(slot.max(1)) + 3_900;
        let back = i64::try_from(back.min(span.saturating_sub(60).max(60))).unwrap_or(3_900);
        let started = precise(&mut chance, until - Duration::seconds(back));
        calls.push(one(company, options, &mut chance, started));
    }
    calls
}

/// Times with 0, 3 or 6 fraction digits, in turn.
fn precise(chance: &mut Chance, at: OffsetDateTime) -> OffsetDateTime {
    let nanos = match chance.below(3) {
        0 => 0,
        1 => chance.between(1, 999) * 1_000_000,
        _ => chance.between(1, 999_999) * 1_000,
    };
    at.replace_nanosecond(u32::try_from(nanos).unwrap_or(0)).unwrap_or(at)
}

/// Makes one call that starts at a time.
pub(crate) fn one(
    company: &Company,
    options: &GeneratorOptions,
    chance: &mut Chance,
    started: OffsetDateTime,
) -> Call {
    let account = account(chance);
    let flavour = Flavour::ALL[chance.index(Flavour::ALL.len())];
    let parties = cast(company, options.oddities, chance, &account);
    let (low, high) = options.sentences;
    let sentences = usize::try_from(chance.between(low as u64, high as u64)).unwrap_or(low);
    let script = script(company, chance, &parties, sentences, flavour, &account, options.oddities);
    let mut call = NewCall::new().title(&title(company, flavour, &account, chance)).started(started);
    call.talk = Some(Talk::Script(Arc::new(script)));
    call.private = Some(privacy(options, chance));
    call.parties = Some(parties);
    call.workspace = chance.index(company.workspaces.len());
    if chance.hit(0.7) {
        call = call.scheduled(started - Duration::seconds(i64::try_from(chance.below(300)).unwrap_or(0)));
    } else if chance.hit(0.5) {
        call = call.direction("Outbound");
    }
    if options.oddities {
        call = odd(call, chance);
    }
    let mut call = call.build(company, chance, started);
    delay(&mut call, options, chance);
    call
}

fn privacy(options: &GeneratorOptions, chance: &mut Chance) -> Option<bool> {
    if chance.hit(options.private_share) {
        return Some(true);
    }
    (!chance.hit(options.unknown_privacy_share)).then_some(false)
}

fn odd(mut call: NewCall, chance: &mut Chance) -> NewCall {
    if chance.hit(0.03) {
        call = call.no_parties();
    }
    if chance.hit(0.03) {
        call = call.direction("Relayed");
    }
    if chance.hit(0.05) {
        call = call.field("title", serde_json::Value::Null);
    }
    if chance.hit(0.02) {
        call = call.field("system", serde_json::Value::Null).field("media", "Hologram".into());
    }
    call
}

fn delay(call: &mut Call, options: &GeneratorOptions, chance: &mut Chance) {
    let ended = call.started + Duration::seconds(call.duration_s);
    call.visible_at = ended;
    if chance.hit(options.late_share) {
        let minutes = chance.between(10, u64::from(options.late_hours.max(1)) * 60);
        call.visible_at += Duration::minutes(i64::try_from(minutes).unwrap_or(10));
    }
    let never = chance.hit(options.no_transcript_share);
    let transcribed = call.visible_at + Duration::minutes(i64::from(options.transcript_minutes));
    call.transcript_at = (!never).then_some(transcribed);
    call.ai_at = (!chance.hit(0.1)).then_some(transcribed + Duration::minutes(20));
}

fn title(company: &Company, flavour: Flavour, account: &str, chance: &mut Chance) -> String {
    let vendor = &company.name;
    let patterns: [&str; 3] = match flavour {
        Flavour::Discovery => ["Intro call with {a}", "{a} and {v}: first talk", "Discovery: {a}"],
        Flavour::Demo => ["{v} demo for {a}", "{a}: product walk-through", "Demo part two, {a}"],
        Flavour::Review => ["Quarterly review {a}", "{a} check-in", "{a} / {v}: how is it going?"],
        Flavour::Support => ["{a}: open tickets", "Support call {a}", "Troubleshooting with {a}"],
        Flavour::Renewal => ["{a} renewal", "Contract talk {a}", "{v} and {a}: next year"],
        Flavour::Onboarding => ["Kick-off {a}", "{a} onboarding", "Rollout plan {a}"],
    };
    chance.pick(&patterns).replace("{a}", account).replace("{v}", vendor)
}

/// A talk for a call that names no text.
pub(crate) fn scripted(company: &Company, chance: &mut Chance, parties: &[Party], sentences: usize) -> Talk {
    let account = account(chance);
    let flavour = Flavour::ALL[chance.index(Flavour::ALL.len())];
    Talk::Script(Arc::new(script(company, chance, parties, sentences, flavour, &account, false)))
}

fn script(
    company: &Company,
    chance: &mut Chance,
    parties: &[Party],
    sentences: usize,
    flavour: Flavour,
    account: &str,
    oddities: bool,
) -> Script {
    let speakers = parties
        .iter()
        .filter(|party| party.speaker_id.is_some())
        .map(|party| Speaker { id: party.speaker_id.clone(), internal: party.affiliation == "Internal" })
        .collect();
    Script {
        seed: chance.next(),
        sentences,
        flavour,
        speakers,
        account: account.to_owned(),
        product: company.name.clone(),
        nameless: if oddities { 40 } else { 0 },
    }
}

/// Many calls that share a few dozen bodies: for load, written once and served fast.
pub(crate) fn uniform(company: &Company, calls: usize, sentences: usize, until: OffsetDateTime) -> Vec<Call> {
    let options = GeneratorOptions {
        sentences: (sentences, sentences),
        private_share: 0.0,
        unknown_privacy_share: 0.0,
        oddities: false,
        ..GeneratorOptions::default()
    };
    let models: Vec<Call> = (0..48)
        .map(|index: u32| {
            let mut chance = Chance::of(77, &["pool", &company.name, &index.to_string()]);
            let mut call = one(company, &options, &mut chance, until);
            call.talk = Talk::pooled(call.talk.monologues().into_owned());
            call
        })
        .collect();
    let step = Duration::days(28) / i32::try_from(calls.max(1)).unwrap_or(i32::MAX);
    let mut out = Vec::with_capacity(calls);
    for (index, model) in models.iter().cycle().take(calls).enumerate() {
        let mut chance = Chance::of(77, &["uniform", &company.name, &index.to_string()]);
        let back = Duration::hours(2) + step * i32::try_from(index).unwrap_or(0);
        let started = trim(until - back);
        let id = chance.id();
        out.push(Call {
            number: id.parse().unwrap_or(0),
            id,
            started,
            scheduled: None,
            visible_at: started,
            transcript_at: Some(started),
            ..model.clone()
        });
    }
    out
}
