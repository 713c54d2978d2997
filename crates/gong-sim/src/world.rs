//! All that the simulator holds while it runs, behind one lock, and the changes that tests make to it.
//! Knows nothing of sockets.

use crate::chance::Chance;
use crate::clock::Clock;
use crate::config::OAuthClient;
use crate::faults::Faults;
use crate::generate::GeneratorOptions;
use crate::grants::Grants;
use crate::memory::{Memory, Summary};
use crate::model::{Call, Company, Truth};
use crate::switches::{Consent, Switches};
use crate::{CompanyId, Endpoint};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use time::{Duration, OffsetDateTime};

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) epoch: OffsetDateTime,
    pub(crate) clock: Clock,
    pub(crate) switches: Switches,
    pub(crate) consent: Consent,
    pub(crate) clients: Vec<OAuthClient>,
    pub(crate) companies: Vec<Company>,
    pub(crate) grants: Grants,
    pub(crate) memory: Memory,
    pub(crate) faults: Faults,
    pub(crate) mint: Chance,
    pub(crate) edits: Vec<Edit>,
}

/// A change that is kept over a restart, because the generator would not make it again.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Edit {
    Private { company: CompanyId, id: String, flag: Option<bool> },
    Title { company: CompanyId, id: String, title: String },
    Delete { company: CompanyId, id: String },
    Fresh(Fresh),
}

/// A generated call that was added while the simulator ran.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Fresh {
    pub(crate) company: CompanyId,
    pub(crate) number: u64,
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) listed: OffsetDateTime,
    pub(crate) transcript_seconds: i64,
    pub(crate) private: Option<bool>,
}

impl World {
    pub(crate) fn now(&self) -> OffsetDateTime {
        self.clock.now()
    }

    pub(crate) fn company(&self, id: CompanyId) -> Option<&Company> {
        self.companies.get(id.0)
    }

    pub(crate) fn company_mut(&mut self, id: CompanyId) -> Option<&mut Company> {
        self.companies.get_mut(id.0)
    }

    /// Finds a company by name or number.
    pub(crate) fn find_company(&self, word: &str) -> Option<CompanyId> {
        let by_name = self.companies.iter().find(|company| company.name == word).map(|company| company.id);
        by_name.or_else(|| word.parse().ok().map(CompanyId).filter(|id| self.company(*id).is_some()))
    }

    pub(crate) fn call(&self, company: CompanyId, id: &str) -> Option<&Call> {
        self.company(company)?.calls.get(id)
    }

    /// Makes a change and keeps it; false when there is no such call.
    pub(crate) fn edit(&mut self, edit: Edit) -> bool {
        let done = self.apply(&edit);
        if done {
            self.edits.push(edit);
        }
        done
    }

    fn apply(&mut self, edit: &Edit) -> bool {
        let (company, id) = match edit {
            Edit::Fresh(fresh) => return self.add_fresh(fresh).is_some(),
            Edit::Private { company, id, .. }
            | Edit::Title { company, id, .. }
            | Edit::Delete { company, id } => (*company, id),
        };
        let Some(call) = self.company_mut(company).and_then(|company| company.calls.get_mut(id)) else {
            return false;
        };
        match edit {
            Edit::Private { flag, .. } => {
                call.private = *flag;
                call.privacy_changes.clear();
            }
            Edit::Title { title, .. } => {
                call.title = Some(title.clone());
                call.extra.remove("title");
            }
            Edit::Delete { .. } => call.deleted = true,
            Edit::Fresh(_) => {}
        }
        true
    }

    /// Makes the changes of an earlier run again, after the same data was generated.
    pub(crate) fn replay(&mut self) {
        for edit in self.edits.clone() {
            self.apply(&edit);
        }
    }

    /// Adds a generated call that is listed from `listed` on.
    pub(crate) fn add_fresh(&mut self, fresh: &Fresh) -> Option<String> {
        let seed = self.seed;
        let company = self.company_mut(fresh.company)?;
        let mut chance = Chance::of(seed, &["fresh", &company.name, &fresh.number.to_string()]);
        let options = GeneratorOptions { oddities: false, ..GeneratorOptions::default() };
        let mut call = crate::generate::one(company, &options, &mut chance, fresh.listed);
        call.started = crate::clock::trim(fresh.listed - Duration::seconds(call.duration_s));
        call.scheduled = None;
        call.direction = "Inbound".to_owned();
        call.visible_at = fresh.listed;
        call.transcript_at = Some(fresh.listed + Duration::seconds(fresh.transcript_seconds));
        call.private = fresh.private;
        company.fresh_made = company.fresh_made.max(fresh.number);
        let id = call.id.clone();
        company.calls.insert(id.clone(), call);
        Some(id)
    }

    /// Adds so many generated calls that are listed now.
    pub(crate) fn add_fresh_now(
        &mut self,
        company: CompanyId,
        count: usize,
        transcript_seconds: i64,
        private: Option<bool>,
    ) -> Vec<String> {
        let now = self.now();
        let mut ids = Vec::new();
        for index in 0..count {
            let Some(number) = self.company(company).map(|company| company.fresh_made + 1) else { break };
            let listed = now - Duration::milliseconds(i64::try_from(index).unwrap_or(0));
            let fresh = Fresh { company, number, listed, transcript_seconds, private };
            ids.extend(self.add_fresh(&fresh));
            self.edits.push(Edit::Fresh(fresh));
        }
        ids
    }

    /// What a client may know of a company's calls, oldest first.
    pub(crate) fn expected(&self, company: CompanyId) -> Vec<Truth> {
        let now = self.now();
        let Some(company) = self.company(company) else { return Vec::new() };
        let mut truth: Vec<Truth> =
            company.calls.values().filter(|call| call.exists_at(now)).map(|call| truth(call, now)).collect();
        truth.sort_by(|a, b| (a.started, &a.id).cmp(&(b.started, &b.id)));
        truth
    }

    /// The exact counters.
    pub(crate) fn summary(&self) -> Summary {
        let memory = &self.memory;
        let mut requests: BTreeMap<String, u64> = BTreeMap::new();
        for ((endpoint, _), count) in &memory.counts {
            *requests.entry(endpoint.word().to_owned()).or_default() += count;
        }
        let mut summary = Summary {
            requests,
            statuses: memory.statuses.clone(),
            tokens_issued: memory.tokens_issued,
            refresh_reuses: memory.refresh_reuses,
            remembered: memory.remembered(),
            forgotten: memory.forgotten,
            ..Summary::default()
        };
        for (id, counted) in &memory.companies {
            let Some(name) = self.company(*id).map(|company| company.name.clone()) else { continue };
            summary.rate_limited.insert(name.clone(), counted.rate_limited);
            summary.max_in_sliding_second.insert(name, counted.max_in_second);
        }
        summary
    }

    /// Requests to one endpoint, of one company or of all.
    pub(crate) fn count(&self, endpoint: Endpoint, company: Option<CompanyId>) -> u64 {
        let fits = |key: &(Endpoint, Option<CompanyId>)| {
            key.0 == endpoint && (company.is_none() || key.1 == company)
        };
        self.memory.counts.iter().filter(|(key, _)| fits(key)).map(|(_, count)| count).sum()
    }
}

fn truth(call: &Call, now: OffsetDateTime) -> Truth {
    let title = match call.extra.get("title") {
        Some(value) => value.as_str().map(str::to_owned),
        None => call.title.clone(),
    };
    Truth {
        id: call.id.clone(),
        title,
        started: call.started,
        private: call.private_at(now),
        visible_now: call.visible_at(now),
        has_transcript_now: call.transcribed_at(now),
        sentences: call.talk.sentences(),
    }
}
