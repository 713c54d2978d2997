//! An installation to break things in: companies of the simulator, organizations connected to them, wires between all.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::proxy::{Proxy, Wire, through};
use crate::demo::visitor::Visitor;
use crate::fault::{Doing, Fault};
use crate::lab::app::{App, Program};
use crate::lab::ground::{Database, Ground};
use crate::lab::process;
use crate::lab::simulator::Simulator;

/// What is built.
#[derive(Clone, Default)]
pub(super) struct Plan {
    pub(super) companies: usize,
    pub(super) calls: usize,
    /// The calls took place within so many days; 50 where it is not said.
    pub(super) days: Option<u32>,
    /// Further words for the simulator.
    pub(super) simulator: Vec<&'static str>,
    /// Settings of our programs.
    pub(super) settings: Vec<(&'static str, String)>,
    /// Whether wires that can be bad lie between our programs, PostgreSQL and Gong.
    pub(super) wired: bool,
    /// The folder with our programs, where they are others than everywhere.
    pub(super) programs: Option<PathBuf>,
}

/// The wires of a town.
pub(super) struct Wires {
    pub(super) database: Proxy,
    pub(super) token: Proxy,
    /// One before each company.
    pub(super) gong: Vec<Proxy>,
}

impl Wires {
    /// Mends all.
    pub(super) fn clear(&self) {
        for wire in self.gong.iter().chain([&self.database, &self.token]) {
            wire.set(Wire::Clear);
        }
    }
}

/// An organization, its owner at a browser, and its connection.
pub(super) struct Person {
    pub(super) organization: String,
    pub(super) visitor: Visitor,
}

/// Everything that runs but the workers.
pub(super) struct Town {
    pub(super) people: Vec<Person>,
    serve: Program,
    pub(super) app: Arc<App>,
    pub(super) wires: Option<Wires>,
    pub(super) database: Database,
    pub(super) simulator: Simulator,
}

impl Town {
    /// Builds it and connects one organization to each company; no job was worked on yet.
    pub(super) fn build(ground: &Ground, plan: &Plan) -> Result<Self, Fault> {
        let companies = plan.companies.max(1).to_string();
        let calls = plan.calls.to_string();
        let days = plan.days.unwrap_or(50).to_string();
        let mut words =
            vec!["--companies", &companies, "--calls", &calls, "--days", &days, "--remember", "400000"];
        words.extend(plan.simulator.iter());
        let simulator = Simulator::start(ground, &words)?;
        let database = ground.database("prove")?;
        let mut settings = plan.settings.clone();
        let wires = match plan.wired {
            true => Some(wire(&simulator, &database, &mut settings)?),
            false => None,
        };
        let settings: Vec<(&str, &str)> =
            settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let programs = plan.programs.as_deref().unwrap_or(&ground.programs);
        let app = Arc::new(App::of(programs, ground, &database, &simulator, &settings)?);
        let serve = app.serve(&["--no-workers"])?;
        let mut people = Vec::new();
        for number in 0..plan.companies.max(1) {
            let base = match &wires {
                Some(wires) => json!({ "text": format!("http://127.0.0.1:{}", wires.gong[number].port) }),
                None => json!("real"),
            };
            simulator
                .tell("/config", &json!({ "api_base_on_code": base, "api_base_on_refresh": "absent" }))?;
            simulator.tell("/consent", &json!({ "consent": { "approve": number } }))?;
            let email = format!("owner@company{number}.example");
            let organization = app.organization(&format!("Company {number}"), &email)?;
            let mut visitor = app.visitor(&email)?;
            visitor.connect_quietly()?;
            people.push(Person { organization: plain(&organization), visitor });
        }
        Ok(Self { people, serve, app, wires, database, simulator })
    }

    /// Ends the process that serves and starts one of this installation in its place.
    pub(super) fn serve_as(&mut self, app: &Arc<App>) -> Result<(), Fault> {
        self.serve.kill()?;
        self.app = Arc::clone(app);
        self.serve = self.app.serve(&["--no-workers"])?;
        Ok(())
    }

    /// Waits until every backfill is over.
    pub(super) fn wait_for_history(&self, patience: Duration) -> Result<(), Fault> {
        self.database.wait_for("the history", crate::lab::app::BACKFILLED, patience)
    }

    /// What the simulator knows of one company's calls.
    pub(super) fn truth(&self, company: usize) -> Result<Vec<Value>, Fault> {
        let answer = self.simulator.ask(&format!("/expected?company={company}"))?;
        Ok(answer["calls"].as_array().cloned().unwrap_or_default())
    }

    /// How many token answers lie in escrow.
    pub(super) fn deposits(&self) -> Result<u64, Fault> {
        let files = std::fs::read_dir(self.app.escrow()).doing("looking into the escrow")?.flatten();
        let kept = files.filter(|file| !file.file_name().to_string_lossy().starts_with('.'));
        Ok(kept.filter(|file| file.path().extension().is_none_or(|ending| ending != "partial")).count()
            as u64)
    }

    /// Memory in MB, open files and threads of the process that serves.
    pub(super) fn serving(&mut self) -> Option<(f64, usize, usize)> {
        process::standing(self.serve.id().ok()?)
    }

    /// Has the next look at every connection come at once.
    pub(super) fn look_now(&self) -> Result<(), Fault> {
        self.database.ask("update gong_schedules set next_poll_at = now(), next_sweep_at = now()").map(|_| ())
    }
}

/// `org_<32 hex>` as PostgreSQL writes a uuid.
fn plain(id: &str) -> String {
    let hex = id.rsplit('_').next().unwrap_or(id);
    let at = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    format!("{}-{}-{}-{}-{}", at(0, 8), at(8, 12), at(12, 16), at(16, 20), at(20, 32))
}

fn wire(
    simulator: &Simulator,
    database: &Database,
    settings: &mut Vec<(&'static str, String)>,
) -> Result<Wires, Fault> {
    let of = |name: &str| {
        let found = simulator.environment.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let before = |url: &str| Proxy::before(&through(url, 0)?.1);
    let database_wire = before(&database.url)?;
    let token = before(&of("GONG_TOKEN_URL"))?;
    let gong = simulator.bases.iter().map(|base| before(base)).collect::<Result<Vec<_>, Fault>>()?;
    settings.push(("DATABASE_URL", through(&database.url, database_wire.port)?.0));
    settings.push(("GONG_TOKEN_URL", through(&of("GONG_TOKEN_URL"), token.port)?.0));
    settings.push(("GONG_API_HOSTS", format!("{},http://127.0.0.1", of("GONG_API_HOSTS"))));
    Ok(Wires { database: database_wire, token, gong })
}
