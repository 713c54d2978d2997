//! What a test does to the data of a running simulator: adds, changes and deletes calls.

use crate::call::NewCall;
use crate::chance::Chance;
use crate::config::SimError;
use crate::generate::{self, GeneratorOptions};
use crate::model::{Call, Company, CompanyId};
use crate::world::Edit;
use crate::{Sim, conversations};
use std::path::Path;

impl Sim {
    /// Adds a call and gives its id.
    pub fn add_call(&self, company: CompanyId, call: NewCall) -> String {
        let mut world = self.shared.lock();
        let (now, seed) = (world.now(), world.mint.next());
        let Some(company) = world.company_mut(company) else { return String::new() };
        let call = call.build(company, &mut Chance::new(seed), now);
        let id = call.id.clone();
        company.calls.insert(id.clone(), call);
        id
    }

    /// Adds generated calls and gives their ids, newest first.
    pub fn generate(&self, company: CompanyId, options: &GeneratorOptions) -> Vec<String> {
        let mut world = self.shared.lock();
        let until = options.until.unwrap_or(world.epoch);
        let Some(company) = world.company_mut(company) else { return Vec::new() };
        keep_all(company, generate::calls(company, options, until))
    }

    /// Adds so many generated calls that are listed and transcribed now.
    pub fn add_calls_now(&self, company: CompanyId, count: usize) -> Vec<String> {
        let mut world = self.shared.lock();
        let ids = world.add_fresh_now(company, count, 0, Some(false));
        self.shared.keep(&world);
        ids
    }

    /// Adds many calls over 28 days that share a few dozen bodies of so many sentences, for load.
    pub fn uniform_load(&self, company: CompanyId, calls: usize, sentences: usize) -> Vec<String> {
        let mut world = self.shared.lock();
        let until = world.epoch;
        let Some(company) = world.company_mut(company) else { return Vec::new() };
        keep_all(company, generate::uniform(company, calls, sentences, until))
    }

    /// Adds the conversations of a JSON-lines file, spread over so many days before the epoch.
    ///
    /// # Errors
    /// When the file cannot be read or a line is not understood.
    pub fn load_conversations(
        &self,
        company: CompanyId,
        path: &Path,
        days: u32,
    ) -> Result<Vec<String>, SimError> {
        let mut world = self.shared.lock();
        let (seed, until) = (world.seed, world.epoch);
        let Some(company) = world.company_mut(company) else { return Ok(Vec::new()) };
        let calls = conversations::load(company, path, (seed, days), until)?;
        Ok(keep_all(company, calls))
    }

    /// Makes the changes of an earlier run again; call it after the same data was added again.
    pub fn replay_edits(&self) {
        self.shared.lock().replay();
    }

    /// Sets the privacy flag; `None` leaves the field out. False when there is no such call.
    pub fn set_private(&self, company: CompanyId, id: &str, flag: Option<bool>) -> bool {
        self.edit(Edit::Private { company, id: id.to_owned(), flag })
    }

    /// Sets the title. False when there is no such call.
    pub fn set_title(&self, company: CompanyId, id: &str, title: &str) -> bool {
        self.edit(Edit::Title { company, id: id.to_owned(), title: title.to_owned() })
    }

    /// Deletes a call. False when there is no such call.
    pub fn delete_call(&self, company: CompanyId, id: &str) -> bool {
        self.edit(Edit::Delete { company, id: id.to_owned() })
    }

    fn edit(&self, edit: Edit) -> bool {
        let mut world = self.shared.lock();
        let done = world.edit(edit);
        self.shared.keep(&world);
        done
    }
}

fn keep_all(company: &mut Company, calls: Vec<Call>) -> Vec<String> {
    let ids: Vec<String> = calls.iter().map(|call| call.id.clone()).collect();
    company.calls.extend(calls.into_iter().map(|call| (call.id.clone(), call)));
    ids
}
