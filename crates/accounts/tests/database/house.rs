//! A database of its own for one test, with a clock that stands still.

use std::{net::IpAddr, time::Duration};

use accounts::{
    AccountsError, LoggedIn, LoginError, LoginRequest, Member, NewOrganization, PasswordHasher, RequestInfo,
};
use db::{Db, Tx};
use kernel::{Ambient as _, ManualAmbient, OrganizationId, Role, Scope, UserId};
use sqlx::{Connection as _, Executor as _, PgConnection};

pub(crate) const PASSWORD: &str = "a horse, a boat";

pub(crate) struct House {
    pub(crate) db: Db,
    pub(crate) clock: ManualAmbient,
    pub(crate) hasher: PasswordHasher,
    server: String,
    name: String,
}

impl House {
    /// Makes the database and brings it up to date.
    pub(crate) async fn open() -> Self {
        let server = std::env::var("SOUNDPOST_TEST_DATABASE_URL")
            .unwrap_or_else(|_| panic!("no test database: run cargo xtask test"));
        let clock = ManualAmbient::now_frozen();
        let name = format!("accounts_{}_{}", std::process::id(), clock.now().unix_timestamp_nanos());
        let mut admin = PgConnection::connect(&server).await.unwrap();
        admin.execute(sqlx::AssertSqlSafe(format!("create database {name}"))).await.unwrap();
        admin.close().await.unwrap();
        let (base, _) = server.rsplit_once('/').unwrap();
        let url = format!("{base}/{name}");
        db::migrate(&url, async |pool| queue::setup(pool).await).await.unwrap();
        let db = Db::connect(&url, 12).await.unwrap();
        Self { db, clock, hasher: PasswordHasher::default(), server, name }
    }

    /// Throws the database away, whatever is still connected to it.
    pub(crate) async fn close(self) {
        let mut admin = PgConnection::connect(&self.server).await.unwrap();
        let name = self.name;
        admin.execute(sqlx::AssertSqlSafe(format!("drop database {name} with (force)"))).await.unwrap();
    }

    pub(crate) fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// An organization with its owner, who has the usual password.
    pub(crate) async fn organization(&self, name: &str) -> (OrganizationId, UserId) {
        let new = NewOrganization {
            name: name.to_owned(),
            owner_email: format!("owner@{name}.test"),
            password: Some(PASSWORD.into()),
        };
        let made = accounts::create_organization(&self.db, &self.hasher, new, &self.clock).await.unwrap();
        (made.organization, made.owner)
    }

    /// Adds somebody as the operator would.
    pub(crate) async fn add(&self, organization: OrganizationId, email: &str, role: Role) -> UserId {
        let scope = Scope::operator(organization);
        let request = RequestInfo::default();
        let member = (email, role);
        let added = accounts::add_member(&self.db, &self.hasher, &scope, member, &request, &self.clock)
            .await
            .unwrap();
        added.user
    }

    pub(crate) async fn member(&self, user: UserId, organization: OrganizationId) -> Option<Member> {
        let mut tx = self.db.fleet().await.unwrap();
        accounts::resolve_session(&mut tx, user, organization).await.unwrap()
    }

    /// A transaction of a member with the role the member has now.
    pub(crate) async fn begin_as(&self, user: UserId, organization: OrganizationId) -> Tx {
        let member = self.member(user, organization).await.unwrap();
        self.db.begin(&member.scope()).await.unwrap()
    }

    pub(crate) async fn change_role(
        &self,
        actor: UserId,
        organization: OrganizationId,
        user: UserId,
        role: Role,
    ) -> Result<(), AccountsError> {
        let mut tx = self.begin_as(actor, organization).await;
        accounts::change_role(&mut tx, user, role, &RequestInfo::default(), &self.clock).await?;
        Ok(tx.commit().await?)
    }

    pub(crate) async fn remove(
        &self,
        actor: UserId,
        organization: OrganizationId,
        user: UserId,
    ) -> Result<(), AccountsError> {
        let scope = self.member(actor, organization).await.unwrap().scope();
        accounts::remove_member(&self.db, &scope, user, &RequestInfo::default(), &self.clock).await
    }

    pub(crate) async fn log_in(
        &self,
        email: &str,
        password: &str,
        ip: &str,
        device: Option<&str>,
    ) -> Result<LoggedIn, LoginError> {
        let request = LoginRequest {
            email: email.to_owned(),
            password: password.into(),
            ip: ip.parse::<IpAddr>().unwrap(),
            device: device.map(Into::into),
            organization: None,
            ends: None,
            request_id: Some("req-1".to_owned()),
        };
        accounts::login(&self.db, &self.hasher, request, &self.clock).await
    }

    /// The names of the actions in an organization's log, oldest first.
    pub(crate) async fn actions(&self, organization: OrganizationId) -> Vec<String> {
        sqlx::query_scalar("select action from audit_log where organization_id = $1 order by line")
            .bind(organization)
            .fetch_all(self.db.pool())
            .await
            .unwrap()
    }

    /// How often an organization's log names an action.
    pub(crate) async fn times(&self, organization: OrganizationId, action: &str) -> usize {
        self.actions(organization).await.iter().filter(|name| *name == action).count()
    }

    /// How many rows a count finds when asked without any scope.
    pub(crate) async fn count(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(self.db.pool()).await.unwrap()
    }
}
