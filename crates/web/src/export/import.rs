//! Reading an export back in, into a fresh installation. Line by line, in batches; what was stored stays when a later line
//! fails, and says so.

use accounts::PasswordHasher;
use db::Db;
use kernel::{Ambient, OrganizationId, Scope, SecretString};
use serde::Deserialize;
use serde_json::Value;

use super::{FORMAT, VERSION};

/// Rows, and bytes, of one batch.
const MOST_ROWS: usize = 200;
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// Why an export could not be written or read in.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// The file is not an export of a version that we know.
    #[error("line {line} is not a line of an export of version {VERSION}: {what}")]
    Format {
        /// Counted from one.
        line: u64,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The end of the file is missing.
    #[error(
        "the file is cut off: erase the organization (`soundpost organizations erase`) and import a whole one"
    )]
    CutOff,
    /// Accounts refused.
    #[error(transparent)]
    Accounts(#[from] accounts::AccountsError),
    /// The connector refused.
    #[error(transparent)]
    Connector(#[from] connector::ConnectorError),
    /// Ingestion refused.
    #[error(transparent)]
    Ingest(#[from] ingest::IngestError),
    /// The room of feedback refused.
    #[error(transparent)]
    Feedback(#[from] feedback::FeedbackError),
    /// The database failed.
    #[error(transparent)]
    Db(#[from] db::DbError),
}

/// What was read in.
#[derive(Debug, Clone, Copy)]
pub struct Imported {
    /// The organization.
    pub organization: OrganizationId,
    /// Rows of all tables.
    pub rows: u64,
}

#[derive(Deserialize)]
struct Line {
    format: Option<String>,
    version: Option<i64>,
    organization: Option<OrganizationId>,
    table: Option<String>,
    row: Option<Value>,
    end: Option<bool>,
    rows: Option<u64>,
}

/// An import under way.
#[derive(Debug)]
pub struct Import {
    db: Db,
    password_hash: SecretString,
    organization: Option<OrganizationId>,
    line: u64,
    table: String,
    batch: Vec<Value>,
    bytes: usize,
    rows: u64,
    ended: bool,
}

impl Import {
    /// Begins one.
    ///
    /// # Errors
    /// When hashing fails.
    pub async fn new(db: Db, hasher: &PasswordHasher, ambient: &dyn Ambient) -> Result<Self, TransferError> {
        Ok(Self {
            db,
            password_hash: accounts::unknown_password(hasher, ambient).await?,
            organization: None,
            line: 0,
            table: String::new(),
            batch: Vec::new(),
            bytes: 0,
            rows: 0,
            ended: false,
        })
    }

    /// Takes the next line.
    ///
    /// # Errors
    /// When it is not one of an export, or cannot be stored.
    pub async fn line(&mut self, text: &str) -> Result<(), TransferError> {
        self.line += 1;
        let line: Line = serde_json::from_str(text).map_err(|_| self.wrong("not such a JSON object"))?;
        if self.line == 1 {
            let known = line.format.as_deref() == Some(FORMAT) && line.version == Some(VERSION);
            self.organization = line.organization.filter(|_| known);
            return if self.organization.is_some() {
                Ok(())
            } else {
                Err(self.wrong("not the head of an export"))
            };
        }
        if line.end == Some(true) {
            self.flush().await?;
            self.ended = line.rows == Some(self.rows);
            return Ok(());
        }
        let (Some(table), Some(row)) = (line.table, line.row) else { return Err(self.wrong("no row")) };
        if table != self.table || self.batch.len() >= MOST_ROWS || self.bytes + text.len() > MOST_BYTES {
            self.flush().await?;
        }
        self.table = table;
        self.bytes += text.len();
        self.batch.push(row);
        self.rows += 1;
        Ok(())
    }

    /// Ends the import.
    ///
    /// # Errors
    /// When the end of the file was missing.
    pub fn finish(self) -> Result<Imported, TransferError> {
        let organization = self.organization.filter(|_| self.ended).ok_or(TransferError::CutOff)?;
        Ok(Imported { organization, rows: self.rows })
    }

    const fn wrong(&self, what: &'static str) -> TransferError {
        TransferError::Format { line: self.line, what }
    }

    async fn flush(&mut self) -> Result<(), TransferError> {
        let rows = std::mem::take(&mut self.batch);
        self.bytes = 0;
        let Some(organization) = self.organization.filter(|_| !rows.is_empty()) else { return Ok(()) };
        let mut fleet = self.db.fleet().await?;
        let part = (self.table.as_str(), rows.as_slice());
        if accounts::import_rows(&mut fleet, organization, part, &self.password_hash).await? {
            return Ok(fleet.commit().await?);
        }
        drop(fleet);
        let mut tx = self.db.begin(&Scope::operator(organization)).await?;
        if self.table == connector::EXPORTED {
            connector::import_rows(&mut tx, &rows).await?;
        } else if !ingest::import_rows(&mut tx, &self.table, &rows).await?
            && !feedback::import_rows(&mut tx, &self.table, &rows).await?
        {
            return Err(self.wrong("a table that this version does not know"));
        }
        Ok(tx.commit().await?)
    }
}
