//! Questions about what happened and about what is true, for tests. Changes nothing, but for `clear_memory`.

use crate::memory::{Request, Summary};
use crate::model::{CompanyId, Monologue, Truth};
use crate::{Endpoint, Sim};
use std::collections::HashMap;

impl Sim {
    /// All remembered requests, oldest first.
    pub fn requests(&self) -> Vec<Request> {
        self.requests_since(0)
    }

    /// Remembered requests from a sequence number on.
    pub fn requests_since(&self, sequence: u64) -> Vec<Request> {
        self.look(|world| world.memory.since(sequence).cloned().collect())
    }

    /// The exact counters.
    pub fn summary(&self) -> Summary {
        self.look(crate::world::World::summary)
    }

    /// Requests to an endpoint by anybody.
    pub fn count(&self, endpoint: Endpoint) -> u64 {
        self.look(|world| world.count(endpoint, None))
    }

    /// Requests to an endpoint of one company.
    pub fn count_of(&self, company: CompanyId, endpoint: Endpoint) -> u64 {
        self.look(|world| world.count(endpoint, Some(company)))
    }

    /// Ids that a transcript was asked for, each once, in order of the first time; also those that a
    /// request without ids was given.
    pub fn transcripts_asked(&self, company: CompanyId) -> Vec<String> {
        self.look(|world| {
            world.memory.companies.get(&company).map(|memory| memory.asked_order.clone()).unwrap_or_default()
        })
    }

    /// How often each transcript was asked for.
    pub fn transcript_asks(&self, company: CompanyId) -> HashMap<String, u64> {
        self.look(|world| {
            world.memory.companies.get(&company).map(|memory| memory.asked.clone()).unwrap_or_default()
        })
    }

    /// How often each transcript was given out.
    pub fn transcripts_served(&self, company: CompanyId) -> HashMap<String, u64> {
        self.look(|world| {
            world.memory.companies.get(&company).map(|memory| memory.served.clone()).unwrap_or_default()
        })
    }

    /// Most API requests that arrived within any 1,000 ms of real time, refused ones too.
    pub fn max_in_sliding_second(&self, company: CompanyId) -> usize {
        self.look(|world| world.memory.companies.get(&company).map_or(0, |memory| memory.max_in_second))
    }

    /// How many requests of a company got 429 from its limit.
    pub fn rate_limited(&self, company: CompanyId) -> u64 {
        self.look(|world| world.memory.companies.get(&company).map_or(0, |memory| memory.rate_limited))
    }

    /// How many refresh tokens came a second time, outside of the grace time.
    pub fn refresh_reuses(&self) -> u64 {
        self.look(|world| world.memory.refresh_reuses)
    }

    /// How many access tokens were given out.
    pub fn tokens_issued(&self) -> u64 {
        self.look(|world| world.memory.tokens_issued)
    }

    /// Most token requests of a company that were open at once.
    pub fn open_token_requests_max(&self, company: CompanyId) -> usize {
        self.look(|world| world.memory.companies.get(&company).map_or(0, |memory| memory.open.most))
    }

    /// Most token requests of one token family (one authorization) that were open at once.
    pub fn open_token_requests_max_of_family(&self, family: u64) -> usize {
        self.look(|world| world.memory.families.get(&family).map_or(0, |open| open.most))
    }

    /// Forgets all requests and counters.
    pub fn clear_memory(&self) {
        self.shared.lock().memory.clear();
    }

    /// What is true of a company's calls now, oldest first; deleted and vanished ones are left out.
    pub fn expected(&self, company: CompanyId) -> Vec<Truth> {
        self.look(|world| world.expected(company))
    }

    /// The monologues of a call, whether they are served yet or not.
    pub fn transcript(&self, company: CompanyId, id: &str) -> Option<Vec<Monologue>> {
        self.look(|world| world.call(company, id).map(|call| call.talk.monologues().into_owned()))
    }

    /// All sentences of a call, one a line, byte for byte as they are served.
    pub fn transcript_text(&self, company: CompanyId, id: &str) -> Option<String> {
        let monologues = self.transcript(company, id)?;
        let texts: Vec<String> =
            monologues.into_iter().flat_map(|monologue| monologue.sentences).map(|said| said.text).collect();
        Some(texts.join("\n"))
    }
}
