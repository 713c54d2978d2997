//! The handle that tests and the binary hold: start, stop, companies, tokens, time, switches.
//! Calls are added and changed in `data`, questions are asked in `questions`.

use crate::chance::Chance;
use crate::clock::{Clock, machine_now, trim};
use crate::config::{CompaniesAt, Config, SimError};
use crate::faults::{FaultId, Faults, Rule};
use crate::generate;
use crate::grants::Grants;
use crate::limit::Limit;
use crate::memory::Memory;
use crate::model::{CompanyId, CompanyOptions};
use crate::serve::{Side, listen};
use crate::shared::{Kept, Shared};
use crate::switches::{Consent, Switches};
use crate::world::World;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use time::{Duration, OffsetDateTime};

/// A running simulator. Everything stops when it is dropped.
#[derive(Debug)]
pub struct Sim {
    pub(crate) shared: Arc<Shared>,
}

impl Sim {
    /// Binds the app listener and starts to answer. Call it inside of a tokio runtime.
    ///
    /// # Errors
    /// When the address cannot be bound or the state file cannot be read.
    pub async fn start(config: Config) -> Result<Self, SimError> {
        let kept = match &config.state {
            Some(path) => Kept::read(path)?,
            None => None,
        };
        let earlier = kept.as_ref().map(|kept| kept.companies.clone()).unwrap_or_default();
        let wished =
            [kept.as_ref().map(|kept| kept.app).filter(|_| config.listen.port() == 0), Some(config.listen)];
        let wished: Vec<SocketAddr> = wished.into_iter().flatten().collect();
        let (bound, app) = bind(&wished)?;
        let world = world(&config, kept);
        let shared = Arc::new(Shared::new(world, app, &config, earlier));
        let sim = Self { shared };
        sim.spawn(bound, Side::App);
        Ok(sim)
    }

    /// Stops all listeners, gives open answers 300 ms, frees the ports.
    pub async fn stop(self) {
        self.shared.stop.send_replace(true);
        self.save();
        let listeners: Vec<_> = match self.shared.listeners.lock() {
            Ok(mut listeners) => listeners.drain(..).collect(),
            Err(_) => Vec::new(),
        };
        for listener in listeners {
            // a listener that panicked is stopped too
            drop(listener.await);
        }
    }

    /// The authorize page.
    pub fn authorize_url(&self) -> String {
        format!("http://{}/oauth2/authorize", self.shared.app)
    }

    /// The token URL.
    pub fn token_url(&self) -> String {
        format!("http://{}/oauth2/generate-customer-token", self.shared.app)
    }

    /// The control surface.
    pub fn control_url(&self) -> String {
        format!("http://{}/sim", self.shared.app)
    }

    /// A company's API base, as in `api_base_url_for_customer`; empty for an unknown company.
    pub fn api_base(&self, company: CompanyId) -> String {
        self.look(|world| world.company(company).map(|company| format!("http://{}", company.address)))
            .unwrap_or_default()
    }

    /// Adds a company with two workspaces and eight users, on a listener of its own.
    pub fn add_company(&self, name: &str) -> CompanyId {
        self.add_company_with(&CompanyOptions::named(name))
    }

    /// Adds a company. Where no address can be bound it gets one that nobody listens on.
    pub fn add_company_with(&self, options: &CompanyOptions) -> CompanyId {
        let mut world = self.shared.lock();
        let id = CompanyId(world.companies.len());
        let (bound, address) = match bind(&self.addresses(id)) {
            Ok((bound, address)) => (Some(bound), address),
            Err(error) => {
                tracing::error!(error = %error, company = %id, "a company of the simulator has no listener");
                (None, SocketAddr::from((Ipv4Addr::LOCALHOST, 1)))
            }
        };
        let company = generate::company(world.seed, id, options, address, world.epoch);
        world.companies.push(company);
        self.shared.keep(&world);
        drop(world);
        if let Some(bound) = bound {
            self.spawn(bound, Side::Api(id));
        }
        id
    }

    /// Finds a company by name or number.
    pub fn company(&self, word: &str) -> Option<CompanyId> {
        self.look(|world| world.find_company(word))
    }

    /// All companies.
    pub fn companies(&self) -> Vec<CompanyId> {
        self.look(|world| world.companies.iter().map(|company| company.id).collect())
    }

    /// Ids of a company's workspaces.
    pub fn workspaces(&self, company: CompanyId) -> Vec<String> {
        self.look(|world| {
            let company = world.company(company);
            company.map(|company| company.workspaces.iter().map(|(id, _)| id.clone()).collect())
        })
        .unwrap_or_default()
    }

    /// The access key and secret of a company.
    pub fn access_key(&self, company: CompanyId) -> Option<(String, String)> {
        self.look(|world| world.company(company)?.access_keys.first().cloned())
    }

    /// Blocks (403) or allows the client's address at a company.
    pub fn block_ip(&self, company: CompanyId, blocked: bool) {
        self.change_company(company, |company| company.ip_blocked = blocked);
    }

    /// Ends all tokens of a company, as when it removes the app.
    pub fn revoke(&self, company: CompanyId) {
        self.change(|world| world.grants.end_company(company));
    }

    /// Ends only the access tokens of a company; the next API call gets 401, a refresh works.
    pub fn expire_access_tokens(&self, company: CompanyId) {
        self.change(|world| world.grants.end_access(company));
    }

    /// Sets the limit of one company; `None` = no limit.
    pub fn set_limit(&self, company: CompanyId, limit: Option<Limit>) {
        self.change_company(company, |company| {
            company.limit = Some(limit);
            company.limiter.clear();
        });
    }

    /// Changes switches.
    pub fn adjust(&self, change: impl FnOnce(&mut Switches)) {
        self.change(|world| change(&mut world.switches));
    }

    /// Sets what the authorize page does.
    pub fn set_consent(&self, consent: Consent) {
        self.change(|world| world.consent = consent);
    }

    /// Adds a rule that makes requests fail.
    pub fn fault(&self, rule: Rule) -> FaultId {
        self.shared.lock().faults.add(rule)
    }

    /// Lets the requests go that a rule holds, and disarms it.
    pub fn release(&self, fault: FaultId) {
        self.shared.lock().faults.release(fault);
    }

    /// How many requests a rule has hit.
    pub fn fault_hits(&self, fault: FaultId) -> u64 {
        self.look(|world| world.faults.hits(fault))
    }

    /// Removes all rules; held requests go on.
    pub fn clear_faults(&self) {
        self.shared.lock().faults.clear();
    }

    /// The time of the simulator.
    pub fn now(&self) -> OffsetDateTime {
        self.look(World::now)
    }

    /// Moves the clock.
    pub fn advance(&self, by: Duration) {
        self.change(|world| world.clock.advance(by));
    }

    /// Sets the clock; a running one keeps running from there.
    pub fn set_now(&self, to: OffsetDateTime) {
        self.change(|world| world.clock.set(to));
    }

    /// Stops the clock.
    pub fn freeze(&self) {
        self.change(|world| world.clock.freeze());
    }

    /// Lets a stopped clock run again.
    pub fn unfreeze(&self) {
        self.change(|world| world.clock.run());
    }

    pub(crate) fn look<T>(&self, question: impl FnOnce(&World) -> T) -> T {
        question(&self.shared.lock())
    }

    fn change(&self, change: impl FnOnce(&mut World)) {
        let mut world = self.shared.lock();
        change(&mut world);
        self.shared.keep(&world);
    }

    fn change_company(&self, company: CompanyId, change: impl FnOnce(&mut crate::model::Company)) {
        if let Some(company) = self.shared.lock().company_mut(company) {
            change(company);
        }
    }

    fn save(&self) {
        self.shared.keep(&self.shared.lock());
    }

    fn spawn(&self, bound: TcpListener, side: Side) {
        let task = self.shared.runtime.spawn(listen(Arc::clone(&self.shared), bound, side));
        if let Ok(mut listeners) = self.shared.listeners.lock() {
            listeners.push(task);
        }
    }

    /// Where a company's listener may be, best first.
    fn addresses(&self, id: CompanyId) -> Vec<SocketAddr> {
        let number = u32::try_from(id.0).unwrap_or(0);
        let own = Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 0, 0, 2)).wrapping_add(number));
        let mut wished: Vec<SocketAddr> = self.shared.earlier.get(id.0).copied().into_iter().collect();
        if self.shared.companies_at == CompaniesAt::OwnAddressSamePort {
            let port = self.shared.app.port();
            let beside = port.saturating_add(1).saturating_add(u16::try_from(number).unwrap_or(0));
            wished.push(SocketAddr::from((own, port)));
            wished.push(SocketAddr::from((Ipv4Addr::LOCALHOST, beside)));
        }
        if self.shared.companies_at != CompaniesAt::OneAddress {
            wished.push(SocketAddr::from((own, 0)));
        }
        wished.push(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        wished
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        self.shared.stop.send_replace(true);
        self.shared.lock().faults.clear();
    }
}

/// Binds the first address that can be bound.
fn bind(wished: &[SocketAddr]) -> Result<(TcpListener, SocketAddr), SimError> {
    let mut last = std::io::Error::other("no address was given");
    for address in wished {
        match TcpListener::bind(address).and_then(|bound| bound.local_addr().map(|at| (bound, at))) {
            Ok(bound) => return Ok(bound),
            Err(error) => last = error,
        }
    }
    let address = wished.last().copied().unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    Err(SimError::Bind { address, source: last })
}

fn world(config: &Config, kept: Option<Kept>) -> World {
    let start = machine_now();
    let (epoch, offset, grants, edits) = match kept {
        Some(kept) => {
            (Some(kept.epoch), Duration::seconds_f64(kept.offset_seconds), Some(kept.grants), kept.edits)
        }
        None => (None, Duration::ZERO, None, Vec::new()),
    };
    let clock = match config.frozen_at {
        Some(at) => Clock::Frozen(trim(at)),
        None => Clock::Running { offset },
    };
    let salt = format!("{}/{}", config.seed, start.unix_timestamp_nanos());
    World {
        seed: config.seed,
        epoch: trim(config.epoch.or(epoch).unwrap_or_else(|| clock.now())),
        clock,
        switches: config.switches.clone(),
        consent: config.consent.clone(),
        clients: config.clients.clone(),
        companies: Vec::new(),
        grants: grants.unwrap_or_else(|| Grants::new(&salt)),
        memory: Memory::new(config.memory_cap),
        faults: Faults::default(),
        mint: Chance::of(config.seed, &["mint", &salt]),
        edits,
    }
}
