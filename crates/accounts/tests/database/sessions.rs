//! Sessions in the database: found by hash, ended at once and for all processes.

use std::sync::Arc;

use accounts::{
    ABSOLUTE_END, ChangePassword, IDLE_END, PgSessionStore, RequestInfo, SESSION_KEY, SessionData,
};
use db::Db;
use kernel::{Ambient as _, ManualAmbient, OrganizationId, Role, Scope, SharedAmbient, UserId};
use sqlx::Executor as _;
use tower_sessions_core::{
    SessionStore as _,
    session::{Id, Record},
};

use crate::house::{House, PASSWORD};

/// The store of one more process, with the test's clock.
fn store(db: &Db, clock: &Arc<ManualAmbient>) -> PgSessionStore {
    let ambient: SharedAmbient = clock.clone();
    PgSessionStore::new(db.clone(), ambient)
}

async fn begin(
    store: &PgSessionStore,
    clock: &ManualAmbient,
    user: UserId,
    organization: OrganizationId,
) -> Record {
    let data = SessionData::begin(user, organization, clock.now());
    // The cookie layer's own idea of the end, which must not matter.
    let mut record = Record {
        id: Id::default(),
        data: [(SESSION_KEY.to_owned(), serde_json::to_value(data).unwrap())].into(),
        expiry_date: time::OffsetDateTime::UNIX_EPOCH,
    };
    store.create(&mut record).await.unwrap();
    record
}

fn clock_of(house: &House) -> Arc<ManualAmbient> {
    Arc::new(ManualAmbient::at(house.clock.now()))
}

fn seconds(length: time::Duration) -> std::time::Duration {
    length.try_into().unwrap()
}

#[tokio::test]
async fn a_session_is_found_by_its_id_and_the_id_is_not_in_the_database() {
    let house = House::open().await;
    let (acme, owner) = house.organization("acme").await;
    let clock = clock_of(&house);
    let store = store(&house.db, &clock);
    let record = begin(&store, &clock, owner, acme).await;
    let found = store.load(&record.id).await.unwrap().unwrap();
    assert_eq!(found.data, record.data);
    // The database keeps microseconds.
    assert!((found.expiry_date - clock.now() - IDLE_END).abs() < time::Duration::MILLISECOND);
    assert!(store.load(&Id(7)).await.unwrap().is_none(), "an id that somebody made up");
    let texts: Vec<String> =
        sqlx::query_scalar("select s::text from sessions s").fetch_all(house.db.pool()).await.unwrap();
    let forms = [record.id.to_string(), record.id.0.to_string(), format!("{:032x}", record.id.0)];
    assert!(texts.iter().all(|text| forms.iter().all(|form| !text.contains(form))));
    house.close().await;
}

#[tokio::test]
async fn a_session_ends_when_idle_and_after_twelve_hours_by_our_clock() {
    let house = House::open().await;
    let (acme, owner) = house.organization("acme").await;
    let clock = clock_of(&house);
    let store = store(&house.db, &clock);
    let idle = begin(&store, &clock, owner, acme).await;
    let mut busy = begin(&store, &clock, owner, acme).await;
    let started = clock.now();
    clock.advance(seconds(IDLE_END - time::Duration::SECOND));
    assert!(store.load(&idle.id).await.unwrap().is_some());
    let mut last = started;
    while clock.now() - started < ABSOLUTE_END {
        let mut data: SessionData = serde_json::from_value(busy.data[SESSION_KEY].clone()).unwrap();
        assert!(data.touch(clock.now()));
        busy.data.insert(SESSION_KEY.to_owned(), serde_json::to_value(data).unwrap());
        store.save(&busy).await.unwrap();
        assert!(store.load(&busy.id).await.unwrap().is_some(), "{}", clock.now());
        last = clock.now();
        clock.advance(seconds(IDLE_END - time::Duration::MINUTE));
    }
    assert!(ABSOLUTE_END - (last - started) < IDLE_END, "it was in use until the end");
    assert!(store.load(&busy.id).await.unwrap().is_none());
    assert!(store.load(&idle.id).await.unwrap().is_none());
    house.close().await;
}

#[tokio::test]
async fn an_ended_session_is_dead_in_every_process_and_stays_dead() {
    let house = House::open().await;
    let (acme, owner) = house.organization("acme").await;
    let clock = clock_of(&house);
    let (one, two) = (store(&house.db, &clock), store(&house.db, &clock));
    let record = begin(&one, &clock, owner, acme).await;
    let under_way = two.load(&record.id).await.unwrap().unwrap();
    one.delete(&record.id).await.unwrap();
    assert!(two.load(&record.id).await.unwrap().is_none());
    two.save(&under_way).await.unwrap();
    assert!(two.load(&record.id).await.unwrap().is_none(), "a late save brings nothing back");
    house.close().await;
}

#[tokio::test]
async fn a_new_password_ends_all_other_sessions_and_forgets_other_browsers() {
    let house = House::open().await;
    let (acme, owner) = house.organization("acme").await;
    let (globex, stranger) = house.organization("globex").await;
    let clock = clock_of(&house);
    let store = store(&house.db, &clock);
    let (this, other) = (begin(&store, &clock, owner, acme).await, begin(&store, &clock, owner, acme).await);
    let foreign = begin(&store, &clock, stranger, globex).await;
    let device = house.log_in("owner@acme.test", PASSWORD, "192.0.2.1", None).await.unwrap().device_token;
    house.log_in("owner@acme.test", PASSWORD, "192.0.2.2", None).await.unwrap();

    let change = async |current: &str, new: &str| {
        let change = ChangePassword {
            user: owner,
            scope: Scope::job(acme),
            current: current.into(),
            new: new.into(),
            keep_session: Some(this.id),
            keep_device: Some(device.clone()),
            request: RequestInfo::default(),
        };
        accounts::change_password(&house.db, &house.hasher, change, &house.clock).await
    };
    assert_eq!(
        change("not it at all", "a new horse, a boat").await.unwrap_err().field(),
        Some("current_password")
    );
    assert_eq!(change(PASSWORD, "short").await.unwrap_err().field(), Some("new_password"));
    assert_eq!(change(PASSWORD, PASSWORD).await.unwrap_err().field(), Some("new_password"));
    assert!(store.load(&other.id).await.unwrap().is_some(), "nothing ends while nothing changed");

    change(PASSWORD, "a new horse, a boat").await.unwrap();
    assert!(store.load(&this.id).await.unwrap().is_some());
    assert!(store.load(&other.id).await.unwrap().is_none());
    assert!(store.load(&foreign.id).await.unwrap().is_some());
    assert_eq!(house.count("select count(*) from known_devices").await, 1);
    assert!(house.log_in("owner@acme.test", PASSWORD, "192.0.2.1", None).await.is_err());
    assert!(house.log_in("owner@acme.test", "a new horse, a boat", "192.0.2.1", None).await.is_ok());
    assert_eq!(house.times(acme, "password.changed").await, 1);
    house.close().await;
}

#[tokio::test]
async fn the_current_password_cannot_be_guessed_with_a_stolen_session() {
    let house = House::open().await;
    let (acme, owner) = house.organization("acme").await;
    let mut codes = Vec::new();
    for _ in 0..12 {
        let change = ChangePassword {
            user: owner,
            scope: Scope::job(acme),
            current: "a guess, no more".into(),
            new: "a new horse, a boat".into(),
            keep_session: None,
            keep_device: None,
            request: RequestInfo::default(),
        };
        let refused = accounts::change_password(&house.db, &house.hasher, change, &house.clock).await;
        codes.push(refused.unwrap_err().code());
    }
    assert!(codes[..10].iter().all(|code| *code == "invalid_field"));
    assert_eq!(codes[10..], ["too_many_tries", "too_many_tries"]);
    house.close().await;
}

#[tokio::test]
async fn removal_ends_the_sessions_in_that_organization() {
    let house = House::open().await;
    let (acme, acme_owner) = house.organization("acme").await;
    let (globex, ann) = house.organization("globex").await;
    house.add(acme, "owner@globex.test", Role::Member).await;
    let clock = clock_of(&house);
    let store = store(&house.db, &clock);
    let (here, there) = (begin(&store, &clock, ann, acme).await, begin(&store, &clock, ann, globex).await);
    house.remove(acme_owner, acme, ann).await.unwrap();
    assert!(store.load(&here.id).await.unwrap().is_none());
    assert!(store.load(&there.id).await.unwrap().is_some());
    house.close().await;
}

#[tokio::test]
async fn what_is_over_is_swept_and_what_is_not_stays() {
    let house = House::open().await;
    let (acme, owner) = house.organization("acme").await;
    let clock = clock_of(&house);
    let store = store(&house.db, &clock);
    begin(&store, &clock, owner, acme).await;
    house.log_in("owner@acme.test", PASSWORD, "192.0.2.1", None).await.unwrap();
    clock.advance(seconds(IDLE_END));
    let live = begin(&store, &clock, owner, acme).await;
    let sweep = async || {
        let mut tx = house.db.fleet().await.unwrap();
        let swept = accounts::sweep_expired_sessions(&mut tx, clock.now()).await.unwrap();
        tx.commit().await.unwrap();
        (swept.sessions, swept.tries, swept.devices)
    };
    // The log-in began one, too.
    assert_eq!(sweep().await, (2, 2, 0));
    assert_eq!(sweep().await, (0, 0, 0));
    assert!(store.load(&live.id).await.unwrap().is_some());
    clock.advance(seconds(time::Duration::days(181)));
    assert_eq!(sweep().await, (1, 0, 1));
    house.close().await;
}

/// Waits until somebody waits for a row that another transaction holds.
async fn somebody_waits(house: &House) {
    let waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    while house.count(waiting).await == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

/// Changes the password behind the back of whatever `meanwhile` does, which waits for it.
async fn changed_meanwhile<T>(house: &House, user: UserId, meanwhile: impl Future<Output = T>) -> T {
    let mut lock = house.db.pool().begin().await.unwrap();
    sqlx::query("select 1 from users where id = $1 for update").bind(user).execute(&mut *lock).await.unwrap();
    let change = async {
        somebody_waits(house).await;
        let reset = "update users set password_hash = 'reset', must_change_password = true where id = $1";
        sqlx::query(reset).bind(user).execute(&mut *lock).await.unwrap();
        lock.commit().await.unwrap();
    };
    let both = async { tokio::join!(meanwhile, change).0 };
    let ended = tokio::time::timeout(std::time::Duration::from_secs(10), Box::pin(both)).await;
    ended.unwrap_or_else(|_| panic!("one of them waits for the other for ever"))
}

#[tokio::test]
async fn who_logs_in_with_a_password_that_changes_meanwhile_is_not_let_in() {
    let house = House::open().await;
    let (acme, owner) = house.organization("acme").await;
    let login = house.log_in("owner@acme.test", PASSWORD, "192.0.2.1", None);
    let refused = Box::pin(changed_meanwhile(&house, owner, login)).await;
    assert!(matches!(refused, Err(accounts::LoginError::WrongCredentials)), "{refused:?}");
    assert_eq!(house.count("select count(*) from sessions").await, 0);
    assert_eq!(house.times(acme, "login.failed").await, 1);
    house.close().await;
}

#[tokio::test]
async fn a_change_under_way_does_not_undo_an_operators_reset() {
    let house = House::open().await;
    let (acme, owner) = house.organization("acme").await;
    let change = ChangePassword {
        user: owner,
        scope: Scope::job(acme),
        current: PASSWORD.into(),
        new: "a new horse, a boat".into(),
        keep_session: None,
        keep_device: None,
        request: RequestInfo::default(),
    };
    let change = accounts::change_password(&house.db, &house.hasher, change, &house.clock);
    let refused = Box::pin(changed_meanwhile(&house, owner, change)).await;
    assert_eq!(refused.unwrap_err().field(), Some("current_password"));
    let kept = "select count(*) from users where password_hash = 'reset' and must_change_password";
    assert_eq!(house.count(kept).await, 1);
    house.close().await;
}

#[tokio::test]
async fn a_session_that_begins_while_the_password_changes_ends_with_the_others() {
    let house = House::open().await;
    let (acme, owner) = house.organization("acme").await;
    // A log-in holds for a second what comes before its session counts.
    house
        .db
        .pool()
        .execute(
            "create function slowly() returns trigger language plpgsql as $$ begin perform pg_sleep(1); return new; end $$;
             create trigger slowly before insert on known_devices for each row execute function slowly()",
        )
        .await
        .unwrap();
    let login = house.log_in("owner@acme.test", PASSWORD, "192.0.2.1", None);
    let change = async {
        let sleeping = "select count(*) from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'";
        while house.count(sleeping).await == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        let change = ChangePassword {
            user: owner,
            scope: Scope::job(acme),
            current: PASSWORD.into(),
            new: "a new horse, a boat".into(),
            keep_session: None,
            keep_device: None,
            request: RequestInfo::default(),
        };
        accounts::change_password(&house.db, &house.hasher, change, &house.clock).await
    };
    let (login, change) = tokio::join!(login, change);
    change.unwrap();
    let clock = clock_of(&house);
    let session = login.unwrap().session;
    assert!(store(&house.db, &clock).load(&session).await.unwrap().is_none());
    house.close().await;
}

#[tokio::test]
async fn a_session_moves_once_and_not_after_it_ended() {
    let house = House::open().await;
    let (acme, owner) = house.organization("acme").await;
    let (globex, _) = house.organization("globex").await;
    house.add(globex, "owner@acme.test", Role::Viewer).await;
    let clock = clock_of(&house);
    let store = store(&house.db, &clock);
    let record = begin(&store, &clock, owner, acme).await;
    let data: SessionData = serde_json::from_value(record.data[SESSION_KEY].clone()).unwrap();
    let scope = house.member(owner, acme).await.unwrap().scope();
    let own = accounts::Own { id: &record.id, data: &data, scope: &scope };
    let request = RequestInfo::default();
    let to = async |to| accounts::move_session(&house.db, own, to, &request, &house.clock).await;
    assert_eq!(to(OrganizationId::mint(&house.clock)).await.unwrap_err().code(), "not_found");
    let moved = to(globex).await.unwrap().unwrap();
    assert!(store.load(&record.id).await.unwrap().is_none());
    let stored = store.load(&moved).await.unwrap().unwrap();
    assert_eq!(stored.data[SESSION_KEY]["organization"], globex.to_string());
    assert_eq!(to(globex).await.unwrap(), None, "the first one is over");
    assert_eq!(house.times(globex, "session.switched").await, 1);
    house.close().await;
}

#[tokio::test]
async fn an_organizations_transaction_sees_no_secrets_of_people() {
    let house = House::open().await;
    let (acme, owner) = house.organization("acme").await;
    for statement in [
        "select password_hash from users",
        "select * from sessions",
        "select * from login_tries",
        "select * from known_devices",
        "update users set email = 'x@y.z'",
    ] {
        let mut tx = house.begin_as(owner, acme).await;
        let refused = tx.execute(statement).await.unwrap_err().to_string();
        assert!(refused.contains("permission denied"), "{statement}: {refused}");
    }
    house.close().await;
}
