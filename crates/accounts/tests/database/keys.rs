//! API keys: shown once, hashed, bound to their organization and their maker.

use accounts::{ApiKey, KeyHolder, PageSize, RequestInfo};
use kernel::{ExposeSecret as _, OrganizationId, Role, SecretString, UserId};

use crate::house::House;

async fn create(
    house: &House,
    user: UserId,
    organization: OrganizationId,
    role: Role,
) -> (ApiKey, SecretString) {
    let mut tx = house.begin_as(user, organization).await;
    let made = accounts::create_api_key(&mut tx, "export", role, &RequestInfo::default(), &house.clock).await;
    tx.commit().await.unwrap();
    made.unwrap()
}

async fn show(house: &House, secret: &SecretString) -> Option<KeyHolder> {
    let mut tx = house.db.fleet().await.unwrap();
    let holder = accounts::authenticate_api_key(&mut tx, secret.expose_secret(), &house.clock).await.unwrap();
    tx.commit().await.unwrap();
    holder
}

#[tokio::test]
async fn a_key_is_shown_once_and_only_its_hash_is_kept() {
    let house = House::open().await;
    let (acme, owner) = house.organization("acme").await;
    let (key, secret) = create(&house, owner, acme, Role::Member).await;
    assert!(accounts::looks_like_api_key(secret.expose_secret()));
    assert_eq!(key.prefix, secret.expose_secret()[..12]);
    assert!(!format!("{key:?} {secret:?}").contains(secret.expose_secret()));

    // Nothing that the database holds, in any table of ours, contains the secret's random part.
    let random = &secret.expose_secret()[12..49];
    for table in ["api_keys", "audit_log", "sessions", "users"] {
        let query = format!("select count(*) from {table} t where t::text like '%' || $1 || '%'");
        let found: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(query))
            .bind(random)
            .fetch_one(house.db.pool())
            .await
            .unwrap();
        assert_eq!(found, 0, "{table}");
    }
    let lengths = house.count("select sum(length(secret_hash))::bigint from api_keys").await;
    assert_eq!(lengths, 32);
    house.close().await;
}

#[tokio::test]
async fn a_revoked_key_is_refused_at_once() {
    let house = House::open().await;
    let (acme, owner) = house.organization("acme").await;
    let (key, secret) = create(&house, owner, acme, Role::Admin).await;
    let holder = show(&house, &secret).await.unwrap();
    assert_eq!(holder, KeyHolder { organization: acme, key: key.id, role: Role::Admin });

    let request = RequestInfo::default();
    for _ in 0..2 {
        let mut tx = house.begin_as(owner, acme).await;
        accounts::revoke_api_key(&mut tx, key.id, &request, &house.clock).await.unwrap();
        tx.commit().await.unwrap();
        assert!(show(&house, &secret).await.is_none());
    }
    let revoked = house.times(acme, "api_key.revoked").await;
    assert_eq!(revoked, 1, "revoking twice is once");
    house.close().await;
}

#[tokio::test]
async fn what_is_not_a_key_or_not_ours_is_nobody() {
    let house = House::open().await;
    let (acme, owner) = house.organization("acme").await;
    let (_, secret) = create(&house, owner, acme, Role::Viewer).await;
    let text = secret.expose_secret();
    for wrong in ["", "spk_live_", "' or '1'='1", &text[..54], &format!("{text}0"), &text.to_lowercase()] {
        assert!(show(&house, &wrong.into()).await.is_none(), "{wrong}");
    }
    let elsewhere = House::open().await;
    assert!(show(&elsewhere, &secret).await.is_none(), "a well-formed key that nobody made here");
    elsewhere.close().await;
    house.close().await;
}

#[tokio::test]
async fn the_last_use_is_noted_once_a_minute() {
    let house = House::open().await;
    let (acme, owner) = house.organization("acme").await;
    let (_, secret) = create(&house, owner, acme, Role::Viewer).await;
    let last = async || -> Option<time::OffsetDateTime> {
        sqlx::query_scalar("select last_used_at from api_keys").fetch_one(house.db.pool()).await.unwrap()
    };
    assert_eq!(last().await, None);
    show(&house, &secret).await.unwrap();
    let first = last().await.unwrap();
    house.pass(59);
    show(&house, &secret).await.unwrap();
    assert_eq!(last().await, Some(first));
    house.pass(1);
    show(&house, &secret).await.unwrap();
    assert_eq!(last().await.unwrap() - first, time::Duration::MINUTE);
    house.close().await;
}

#[tokio::test]
async fn another_organizations_keys_do_not_exist() {
    let house = House::open().await;
    let (acme, acme_owner) = house.organization("acme").await;
    let (globex, globex_owner) = house.organization("globex").await;
    let (theirs, secret) = create(&house, globex_owner, globex, Role::Admin).await;
    create(&house, acme_owner, acme, Role::Admin).await;

    let mut tx = house.begin_as(acme_owner, acme).await;
    let mine = accounts::api_keys(&mut tx, None, PageSize::default()).await.unwrap();
    assert_eq!(mine.items.len(), 1);
    assert_eq!(mine.items[0].created_by_email.as_deref(), Some("owner@acme.test"));
    let request = RequestInfo::default();
    let foreign = accounts::revoke_api_key(&mut tx, theirs.id, &request, &house.clock).await;
    assert_eq!(foreign.unwrap_err().code(), "not_found");
    let touched = sqlx::query("update api_keys set revoked_at = now() where id = $1")
        .bind(theirs.id)
        .execute(&mut *tx)
        .await
        .unwrap();
    assert_eq!(touched.rows_affected(), 0, "not even with SQL of one's own");
    tx.commit().await.unwrap();
    assert_eq!(show(&house, &secret).await.unwrap().organization, globex);
    house.close().await;
}

#[tokio::test]
async fn a_key_never_may_do_more_than_its_maker_may_now() {
    let house = House::open().await;
    let (acme, owner) = house.organization("acme").await;
    let admin = house.add(acme, "admin@acme.test", Role::Admin).await;
    let (_, secret) = create(&house, admin, acme, Role::Admin).await;
    // A key made with that key belongs to the same person.
    let holder = show(&house, &secret).await.unwrap();
    let mut tx = house.db.begin(&holder.scope()).await.unwrap();
    let request = RequestInfo::default();
    let made = accounts::create_api_key(&mut tx, "child", Role::Admin, &request, &house.clock).await;
    let (_, child) = made.unwrap();
    tx.commit().await.unwrap();

    for secret in [&secret, &child] {
        assert_eq!(show(&house, secret).await.unwrap().role, Role::Admin);
    }
    house.change_role(owner, acme, admin, Role::Viewer).await.unwrap();
    for secret in [&secret, &child] {
        assert_eq!(show(&house, secret).await.unwrap().role, Role::Viewer);
    }
    house.remove(owner, acme, admin).await.unwrap();
    for secret in [&secret, &child] {
        assert!(show(&house, secret).await.is_none());
    }
    let revoked = house.times(acme, "api_key.revoked").await;
    assert_eq!(revoked, 2);
    // Coming back does not bring the keys back.
    house.add(acme, "admin@acme.test", Role::Admin).await;
    assert!(show(&house, &secret).await.is_none());
    house.close().await;
}

#[tokio::test]
async fn a_key_is_made_by_admins_and_never_as_owner() {
    let house = House::open().await;
    let (acme, owner) = house.organization("acme").await;
    let member = house.add(acme, "member@acme.test", Role::Member).await;
    let request = RequestInfo::default();
    let mut tx = house.begin_as(owner, acme).await;
    let as_owner = accounts::create_api_key(&mut tx, "x", Role::Owner, &request, &house.clock).await;
    assert_eq!(as_owner.unwrap_err().field(), Some("role"));
    let nameless = accounts::create_api_key(&mut tx, "", Role::Viewer, &request, &house.clock).await;
    assert_eq!(nameless.unwrap_err().field(), Some("name"));
    drop(tx);
    let mut tx = house.begin_as(member, acme).await;
    let refused = accounts::create_api_key(&mut tx, "x", Role::Viewer, &request, &house.clock).await;
    assert_eq!(refused.unwrap_err().code(), "role_not_sufficient");
    let refused = accounts::api_keys(&mut tx, None, PageSize::default()).await;
    assert_eq!(refused.unwrap_err().code(), "role_not_sufficient");
    drop(tx);
    assert_eq!(house.count("select count(*) from api_keys").await, 0);
    house.close().await;
}
