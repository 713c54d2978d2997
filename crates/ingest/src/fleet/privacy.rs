//! What of an organization's privacy is due, over all organizations.

use db::{Db, FleetTx};
use kernel::{OrganizationId, Scope};
use queue::{Lane, NewJob};
use sqlx::FromRow;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{IngestError, rules::task};

/// Work for somebody's privacy that was begun, or whose time has come.
#[derive(FromRow, Debug, Clone)]
pub struct Chore {
    organization_id: OrganizationId,
    subject: Uuid,
    task: String,
}

impl Chore {
    /// The organization and the key of the job that would do it.
    pub fn key(&self) -> (OrganizationId, String) {
        let subject = match self.kind() {
            task::RECHECK => kernel::ConnectionId::from_uuid(self.subject).to_string(),
            _ => self.organization_id.to_string(),
        };
        (self.organization_id, format!("{}:{subject}", self.kind()))
    }

    fn kind(&self) -> &'static str {
        match self.task.as_str() {
            "recheck" => task::RECHECK,
            "purge" => task::PURGE,
            "erase" => task::ERASE,
            _ => task::RETENTION,
        }
    }
}

/// Calls to look at again or to purge, people to erase, and retention times that are over; at most `most`, in a fixed order,
/// those behind `after`.
///
/// # Errors
/// When the database fails.
pub async fn chores(
    fleet: &mut FleetTx,
    now: OffsetDateTime,
    after: Option<&Chore>,
    most: i64,
) -> Result<Vec<Chore>, IngestError> {
    sqlx::query_as(
        "select * from (
         select l.organization_id, l.connection_id as subject, 'recheck' as task
         from gong_losses l join gong_schedules s on s.connection_id = l.connection_id and s.active
         where l.state = 'checking' and l.seen_at <= $3
         union
         select organization_id, organization_id, 'purge' from gong_losses where state = 'purging'
         union
         select organization_id, organization_id, 'erase' from gong_erasures where state <> 'done'
         union
         select organization_id, organization_id, 'retention' from gong_privacy
         where retention_days is not null and next_retention_at <= $1) chores
         where $4::uuid is null or (subject, task) > ($4, $5)
         order by subject, task limit $2",
    )
    .bind(now)
    .bind(most)
    .bind(now - time::Duration::minutes(10))
    .bind(after.map(|after| after.subject))
    .bind(after.map(|after| after.task.as_str()))
    .fetch_all(&mut **fleet)
    .await
    .map_err(IngestError::db("finding what is due for privacy"))
}

/// Sends the job of a chore.
///
/// # Errors
/// When the database fails.
pub async fn send_chore(db: &Db, chore: &Chore) -> Result<(), IngestError> {
    let (organization, key) = chore.key();
    let mut tx = db.begin(&Scope::job(organization)).await?;
    let job = NewJob::new(Lane::Upkeep, chore.kind(), organization, chore.subject, key);
    queue::enqueue(&mut tx, &job).await?;
    Ok(tx.commit().await?)
}
