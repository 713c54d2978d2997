//! What every scenario stands on: the release programs, a PostgreSQL of its own, a folder that goes afterwards.
//! Knows psql as a program and nothing of our tables.

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

/// Lives as long as the bench.
pub(super) struct Ground {
    postgres: Postgres,
    settings: String,
    /// Where the release programs are.
    pub(super) programs: PathBuf,
    /// For logs and whatever programs keep.
    pub(super) folder: PathBuf,
    psql: PathBuf,
}

impl Ground {
    pub(super) fn open(workspace: &Workspace) -> Result<Self, Fault> {
        let folder = std::env::temp_dir().join(format!("soundpost-bench-{}", secret::random_word(4)?));
        fs::create_dir_all(&folder).doing(format!("creating {}", folder.display()))?;
        let (postgres, settings) = Postgres::for_bench(workspace)?;
        let beside = postgres.programs.join("psql");
        let psql = if beside.is_file() { Some(beside) } else { run::find("psql") };
        let psql =
            psql.ok_or_else(|| Fault::new("psql is not here; Debian: `apt install postgresql-client`"))?;
        Ok(Self { postgres, settings, programs: workspace.programs(true), folder, psql })
    }

    /// Which PostgreSQL this is.
    pub(super) fn postgres(&self) -> &str {
        &self.postgres.description
    }

    /// The settings that it was given.
    pub(super) fn settings(&self) -> &str {
        &self.settings
    }

    /// CPU seconds of PostgreSQL, all its processes together.
    pub(super) fn postgres_cpu(&self) -> f64 {
        process::cpu_of_tree(self.postgres.shell_id())
    }

    /// A new, empty database.
    pub(super) fn database(&self, name: &str) -> Result<Database, Fault> {
        let mut database = Database { url: self.postgres.url.clone(), psql: self.psql.clone() };
        let name = format!("{name}_{}", secret::random_word(3)?);
        database.query(&format!("create database {name}"))?;
        let end = database.url.rfind('/').unwrap_or(database.url.len());
        database.url.truncate(end);
        database.url.push_str(&format!("/{name}"));
        database.query("create extension pg_stat_statements")?;
        Ok(database)
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// One database, with the rights of a superuser.
pub(super) struct Database {
    /// `postgres://...`
    pub(super) url: String,
    psql: PathBuf,
}

impl Database {
    /// What psql prints for some SQL: columns separated by `|`, rows by line ends.
    pub(super) fn query(&self, sql: &str) -> Result<String, Fault> {
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

    /// One number.
    pub(super) fn number(&self, sql: &str) -> Result<f64, Fault> {
        let text = self.query(sql)?;
        if text.is_empty() { Ok(0.0) } else { text.parse().doing(format!("reading {text:?} as a number")) }
    }

    /// Waits until a query says `t`; fails after `patience`.
    pub(super) fn wait_for(&self, what: &str, sql: &str, patience: Duration) -> Result<(), Fault> {
        let end = Instant::now() + patience;
        while self.query(sql)? != "t" {
            stop::check()?;
            if Instant::now() > end {
                return Err(Fault::new(format!("{what} did not come within {} s", patience.as_secs())));
            }
            stop::sleep(Duration::from_millis(250));
        }
        Ok(())
    }

    /// The statements that took most of the server's time so far, a line each.
    pub(super) fn costliest(&self, most: u32) -> Result<String, Fault> {
        self.query(&format!(
            "select format('%7s ms %6s x %7s kB of log  %s', round(total_exec_time::numeric, 0), calls, wal_bytes::bigint / 1000,
                left(regexp_replace(query, '\\s+', ' ', 'g'), 130))
             from pg_stat_statements s join pg_database d on d.oid = s.dbid
             where d.datname = current_database() and query not like '%pg_stat_statements%'
             order by total_exec_time desc limit {most}"
        ))
    }

    /// Runs one `\copy` and says how many seconds it took and how many CPU seconds psql itself.
    pub(super) fn copy(&self, words: &str) -> Result<(f64, f64), Fault> {
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

/// The size of a file in MiB.
pub(super) fn mebibytes(path: &Path) -> Result<f64, Fault> {
    let length = fs::metadata(path).doing(format!("looking at {}", path.display()))?.len();
    Ok(length as f64 / f64::from(1 << 20))
}
