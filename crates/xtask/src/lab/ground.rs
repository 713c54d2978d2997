//! What every scenario stands on: our programs, a PostgreSQL of its own, a folder that goes afterwards.
//! Knows psql as a program and nothing of our tables.

use std::cell::Cell;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::process;
use crate::fault::{Doing, Fault};
use crate::postgres::Postgres;
use crate::workspace::Workspace;
use crate::{run, secret, stop};

/// Lives as long as what is measured or proved on it.
pub(crate) struct Ground {
    postgres: Postgres,
    settings: String,
    /// Whether statements are counted.
    counted: bool,
    keep: Cell<bool>,
    /// Where our programs are.
    pub(crate) programs: PathBuf,
    /// For logs and whatever programs keep.
    pub(crate) folder: PathBuf,
    psql: PathBuf,
}

impl Ground {
    /// For measuring: release programs, a database that forgets nothing and counts statements.
    pub(crate) fn measured(workspace: &Workspace) -> Result<Self, Fault> {
        Self::measured_with(workspace, Vec::new())
    }

    /// The same, where PostgreSQL finds more in its environment.
    pub(crate) fn measured_with(
        workspace: &Workspace,
        environment: Vec<(String, String)>,
    ) -> Result<Self, Fault> {
        let (postgres, settings) = Postgres::for_bench(workspace, environment)?;
        Self::on(postgres, settings, true, workspace.programs(true))
    }

    /// For breaking things: room for many processes, and a server that comes back when one of its processes dies.
    pub(crate) fn sturdy(workspace: &Workspace, programs: &Path) -> Result<Self, Fault> {
        let (postgres, settings) = Postgres::for_proofs(workspace)?;
        Self::on(postgres, settings, false, programs.to_path_buf())
    }

    fn on(postgres: Postgres, settings: String, counted: bool, programs: PathBuf) -> Result<Self, Fault> {
        let folder = std::env::temp_dir().join(format!("soundpost-lab-{}", secret::random_word(4)?));
        fs::create_dir_all(&folder).doing(format!("creating {}", folder.display()))?;
        let beside = postgres.programs.join("psql");
        let psql = if beside.is_file() { Some(beside) } else { run::find("psql") };
        let psql =
            psql.ok_or_else(|| Fault::new("psql is not here; Debian: `apt install postgresql-client`"))?;
        Ok(Self { postgres, settings, counted, keep: Cell::new(false), programs, folder, psql })
    }

    /// Leaves the folder with all logs behind, to be looked at.
    pub(crate) fn keep_folder(&self) {
        self.keep.set(true);
    }

    /// Where a program of PostgreSQL is, such as `pg_dump`.
    pub(crate) fn postgres_program(&self, name: &str) -> PathBuf {
        self.psql.with_file_name(name)
    }

    /// Which PostgreSQL this is.
    pub(crate) fn postgres(&self) -> &str {
        &self.postgres.description
    }

    /// The settings that it was given.
    pub(crate) fn settings(&self) -> &str {
        &self.settings
    }

    /// CPU seconds of PostgreSQL, all its processes together.
    pub(crate) fn postgres_cpu(&self) -> f64 {
        process::cpu_of_tree(self.postgres.shell_id())
    }

    /// A new, empty database.
    pub(crate) fn database(&self, name: &str) -> Result<Database, Fault> {
        let mut database = Database { url: self.postgres.url.clone(), psql: self.psql.clone() };
        let name = format!("{name}_{}", secret::random_word(3)?);
        database.query(&format!("create database {name}"))?;
        let end = database.url.rfind('/').unwrap_or(database.url.len());
        database.url.truncate(end);
        database.url.push_str(&format!("/{name}"));
        if self.counted {
            database.query("create extension pg_stat_statements")?;
        }
        Ok(database)
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        if !self.keep.get() {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// One database, with the rights of a superuser.
pub(crate) struct Database {
    /// `postgres://...`
    pub(crate) url: String,
    psql: PathBuf,
}

impl Database {
    /// What psql prints for some SQL: columns separated by `|`, rows by line ends.
    pub(crate) fn query(&self, sql: &str) -> Result<String, Fault> {
        let mut child = self.psql(&[]).spawn().doing("starting psql")?;
        if let Some(mut input) = child.stdin.take() {
            input.write_all(sql.as_bytes()).doing("writing to psql")?;
        }
        let output = child.wait_with_output().doing("waiting for psql")?;
        if !output.status.success() {
            let why = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(Fault::new(format!("psql failed: {}", why.trim())));
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// The same, but patient with a server that is just coming back.
    pub(crate) fn ask(&self, sql: &str) -> Result<String, Fault> {
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            match self.query(sql) {
                Err(fault) if Instant::now() < end && is_away(&fault.to_string()) => {
                    stop::check()?;
                    stop::sleep(Duration::from_millis(200));
                }
                answer => return answer,
            }
        }
    }

    /// Rows of columns.
    pub(crate) fn rows(&self, sql: &str) -> Result<Vec<Vec<String>>, Fault> {
        let text = self.ask(sql)?;
        Ok(text.lines().map(|line| line.split('|').map(str::to_owned).collect()).collect())
    }

    /// One number.
    pub(crate) fn number(&self, sql: &str) -> Result<f64, Fault> {
        let text = self.ask(sql)?;
        if text.is_empty() { Ok(0.0) } else { text.parse().doing(format!("reading {text:?} as a number")) }
    }

    /// Waits until a query says `t`; fails after `patience`.
    pub(crate) fn wait_for(&self, what: &str, sql: &str, patience: Duration) -> Result<(), Fault> {
        let end = Instant::now() + patience;
        while self.ask(sql)? != "t" {
            stop::check()?;
            if Instant::now() > end {
                return Err(Fault::new(format!("{what} did not come within {} s", patience.as_secs())));
            }
            stop::sleep(Duration::from_millis(250));
        }
        Ok(())
    }

    /// The statements that took most of the server's time so far, a line each.
    pub(crate) fn costliest(&self, most: u32) -> Result<String, Fault> {
        self.query(&format!(
            "select format('%7s ms %6s x %7s kB of log  %s', round(total_exec_time::numeric, 0), calls, wal_bytes::bigint / 1000,
                left(regexp_replace(query, '\\s+', ' ', 'g'), 130))
             from pg_stat_statements s join pg_database d on d.oid = s.dbid
             where d.datname = current_database() and query not like '%pg_stat_statements%'
             order by total_exec_time desc limit {most}"
        ))
    }

    /// The statements that came most often since the last [`Database::forget_statements`], a line each.
    pub(crate) fn most_often(&self, most: u32) -> Result<String, Fault> {
        self.query(&format!(
            "select format('%6s x %9s ms  %s', calls, round(total_exec_time::numeric, 1), left(regexp_replace(query, '\\s+', ' ', 'g'), 110))
             from pg_stat_statements s join pg_database d on d.oid = s.dbid
             where d.datname = current_database() and query not like '%pg_stat_statements%'
             order by calls desc, query limit {most}"
        ))
    }

    /// Counts statements from zero.
    pub(crate) fn forget_statements(&self) -> Result<(), Fault> {
        self.query(
            "select pg_stat_statements_reset(0, (select oid from pg_database where datname = current_database()), 0)",
        )
        .map(|_| ())
    }

    /// Runs one `\copy` and says how many seconds it took and how many CPU seconds psql itself.
    pub(crate) fn copy(&self, words: &str) -> Result<(f64, f64), Fault> {
        let before = process::cpu_of_tree(std::process::id());
        let began = Instant::now();
        run::output(self.psql(&["-c", words]).stdin(Stdio::null()))?;
        Ok((began.elapsed().as_secs_f64(), process::cpu_of_tree(std::process::id()) - before))
    }

    fn psql(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.psql);
        command.args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-d", &self.url]).args(words);
        command.current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

/// Whether psql failed because the server was not there at that moment.
fn is_away(why: &str) -> bool {
    [
        "closed the connection",
        "starting up",
        "not yet accepting connections",
        "recovery mode",
        "shutting down",
        "Connection refused",
        "crash of another",
    ]
    .iter()
    .any(|words| why.contains(words))
}

/// The size of a file in MiB.
pub(crate) fn mebibytes(path: &Path) -> Result<f64, Fault> {
    let length = fs::metadata(path).doing(format!("looking at {}", path.display()))?.len();
    Ok(length as f64 / f64::from(1 << 20))
}
