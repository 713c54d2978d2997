//! The audit log: complete, append-only, one organization at a time.

use accounts::{Cursor, Entry, PageSize, RequestInfo, actions};
use kernel::{ExposeSecret as _, Role, Scope};
use serde_json::json;
use sqlx::Executor as _;

use crate::house::{House, PASSWORD};

#[tokio::test]
async fn the_log_can_only_grow() {
    let house = House::open().await;
    let (acme, _) = house.organization("acme").await;
    for statement in
        ["update audit_log set action = 'nothing'", "delete from audit_log", "truncate audit_log"]
    {
        let mut tx = house.db.begin(&Scope::operator(acme)).await.unwrap();
        let refused = tx.execute(statement).await.unwrap_err().to_string();
        assert!(refused.contains("permission denied"), "{statement}: {refused}");
        let mut tx = house.db.fleet().await.unwrap();
        let refused = tx.execute(statement).await.unwrap_err().to_string();
        assert!(refused.contains("permission denied"), "{statement}: {refused}");
    }
    let owner = house.db.pool().execute("update audit_log set action = 'nothing'").await;
    assert!(owner.unwrap_err().to_string().contains("append-only"), "not even the owner of the tables");
    assert_eq!(house.actions(acme).await, ["organization.created"]);
    house.close().await;
}

#[tokio::test]
async fn every_change_leaves_one_line_with_who_what_and_where() {
    let house = House::open().await;
    let (acme, owner) = house.organization("acme").await;
    let request =
        RequestInfo { request_id: Some("req-7".to_owned()), ip: Some("::ffff:192.0.2.9".parse().unwrap()) };
    let scope = house.member(owner, acme).await.unwrap().scope();
    let member = ("ann@acme.test", Role::Member);
    let added =
        accounts::add_member(&house.db, &house.hasher, &scope, member, &request, &house.clock).await.unwrap();
    let mut tx = house.db.begin(&scope).await.unwrap();
    house.pass(1);
    accounts::change_role(&mut tx, added.user, Role::Admin, &request, &house.clock).await.unwrap();
    house.pass(1);
    let (key, secret) =
        accounts::create_api_key(&mut tx, "export", Role::Viewer, &request, &house.clock).await.unwrap();
    house.pass(1);
    let leak = json!({ "after": { "refresh_token": "rt", "key": secret.expose_secret() } });
    accounts::audit(&mut tx, Entry::new(actions::GONG_CONNECTED, &request).detail(leak), &house.clock)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    house.pass(1);
    accounts::remove_member(&house.db, &scope, added.user, &request, &house.clock).await.unwrap();

    let mut tx = house.db.begin(&scope).await.unwrap();
    let log = accounts::activity(&mut tx, None, PageSize::default()).await.unwrap().items;
    let names: Vec<_> = log.iter().map(|line| line.action.as_str()).collect();
    assert_eq!(
        names,
        [
            "member.removed",
            "gong.connected",
            "api_key.created",
            "member.role_changed",
            "member.added",
            "organization.created"
        ]
    );
    for line in &log[..5] {
        assert_eq!(line.actor_kind, "user");
        assert_eq!(line.actor_id, Some(owner.to_string()));
        assert_eq!(line.actor_label.as_deref(), Some("owner@acme.test"));
        assert_eq!(line.request_id.as_deref(), Some("req-7"));
        assert_eq!(line.ip.as_deref(), Some("192.0.2.9"));
    }
    assert_eq!(log[1].detail, json!({ "after": { "refresh_token": "***", "key": "***" } }));
    assert_eq!(log[2].target, Some(key.id.to_string()));
    assert_eq!(log[3].detail, json!({ "before": "member", "after": "admin" }));
    assert_eq!(log[3].sentence(), "changed the role of a member");
    assert_eq!(log[5].actor_kind, "operator");
    house.close().await;
}

#[tokio::test]
async fn a_line_of_an_undone_change_is_undone() {
    let house = House::open().await;
    let (acme, owner) = house.organization("acme").await;
    let ann = house.add(acme, "ann@acme.test", Role::Member).await;
    let mut tx = house.begin_as(owner, acme).await;
    accounts::change_role(&mut tx, ann, Role::Viewer, &RequestInfo::default(), &house.clock).await.unwrap();
    drop(tx);
    assert_eq!(house.member(ann, acme).await.unwrap().role, Role::Member);
    assert_eq!(house.actions(acme).await.last().unwrap(), "member.added");
    house.close().await;
}

#[tokio::test]
async fn the_log_is_paged_newest_first_and_shows_no_other_organization() {
    let house = House::open().await;
    let (acme, owner) = house.organization("acme").await;
    let (globex, globex_owner) = house.organization("globex").await;
    let mut tx = house.begin_as(owner, acme).await;
    for n in 0..5 {
        house.pass(1);
        let entry = Entry::new(actions::GONG_POLL_REQUESTED, &RequestInfo::default()).target(n);
        accounts::audit(&mut tx, entry, &house.clock).await.unwrap();
    }
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let page = accounts::activity(&mut tx, cursor, PageSize::of(4).unwrap()).await.unwrap();
        seen.extend(page.items.into_iter().map(|line| line.target.unwrap()));
        let Some(next) = page.next else { break };
        cursor = Some(Cursor::decode(&next).unwrap());
    }
    assert_eq!(seen, ["4", "3", "2", "1", "0", &acme.to_string()]);
    tx.commit().await.unwrap();

    let mut tx = house.begin_as(globex_owner, globex).await;
    let theirs = accounts::activity(&mut tx, None, PageSize::default()).await.unwrap();
    assert_eq!(theirs.items.len(), 1);
    let all: i64 = sqlx::query_scalar("select count(*) from audit_log").fetch_one(&mut *tx).await.unwrap();
    assert_eq!(all, 1, "not even with SQL of one's own");
    drop(tx);
    let viewer = house.add(acme, "viewer@acme.test", Role::Viewer).await;
    let mut tx = house.begin_as(viewer, acme).await;
    let refused = accounts::activity(&mut tx, None, PageSize::default()).await;
    assert_eq!(refused.unwrap_err().code(), "role_not_sufficient");
    house.close().await;
}

#[tokio::test]
async fn log_ins_good_and_bad_stand_in_every_organization_of_the_person() {
    let house = House::open().await;
    let (acme, _) = house.organization("acme").await;
    let (globex, _) = house.organization("globex").await;
    house.add(globex, "owner@acme.test", Role::Viewer).await;
    house.log_in("owner@acme.test", "a wrong password", "192.0.2.1", None).await.unwrap_err();
    house.pass(1);
    house.log_in("owner@acme.test", PASSWORD, "192.0.2.1", None).await.unwrap();
    house.log_in("nobody@acme.test", PASSWORD, "192.0.2.1", None).await.unwrap_err();
    for organization in [acme, globex] {
        assert_eq!(house.times(organization, "login.failed").await, 1);
        assert_eq!(house.times(organization, "login.succeeded").await, 1);
    }
    house.close().await;
}
