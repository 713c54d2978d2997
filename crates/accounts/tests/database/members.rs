//! Who belongs to an organization, and who may change it.

use accounts::{Cursor, LoginError, PageSize, RequestInfo};
use kernel::{ExposeSecret as _, Role, Scope};

use crate::house::{House, PASSWORD};

#[tokio::test]
async fn the_last_owner_can_neither_be_removed_nor_demoted() {
    let house = House::open().await;
    let (acme, owner) = house.organization("acme").await;
    let demoted = house.change_role(owner, acme, owner, Role::Admin).await;
    assert_eq!(demoted.unwrap_err().code(), "last_owner");
    assert_eq!(house.remove(owner, acme, owner).await.unwrap_err().code(), "last_owner");

    let second = house.add(acme, "second@acme.test", Role::Owner).await;
    house.change_role(second, acme, owner, Role::Viewer).await.unwrap();
    assert_eq!(house.member(owner, acme).await.unwrap().role, Role::Viewer);
    assert_eq!(house.remove(second, acme, second).await.unwrap_err().code(), "last_owner");
    house.close().await;
}

#[tokio::test]
async fn two_owners_who_demote_each_other_at_once_leave_one() {
    let house = House::open().await;
    let (acme, one) = house.organization("acme").await;
    let two = house.add(acme, "two@acme.test", Role::Owner).await;
    for _ in 0..10 {
        let (a, b) = futures::join!(
            house.change_role(one, acme, two, Role::Member),
            house.change_role(two, acme, one, Role::Member)
        );
        assert!(a.is_ok() != b.is_ok(), "exactly one wins: {a:?} {b:?}");
        let owners = house.count("select count(*) from memberships where role = 'owner'").await;
        assert_eq!(owners, 1);
        let (winner, loser) = if a.is_ok() { (one, two) } else { (two, one) };
        house.change_role(winner, acme, loser, Role::Owner).await.unwrap();
    }
    house.close().await;
}

#[tokio::test]
async fn an_admin_cannot_touch_or_make_owners() {
    let house = House::open().await;
    let (acme, owner) = house.organization("acme").await;
    let admin = house.add(acme, "admin@acme.test", Role::Admin).await;
    let before = house.actions(acme).await;
    for refused in [
        house.change_role(admin, acme, owner, Role::Viewer).await,
        house.change_role(admin, acme, admin, Role::Owner).await,
        house.remove(admin, acme, owner).await,
    ] {
        assert_eq!(refused.unwrap_err().code(), "role_not_sufficient");
    }
    let scope = house.member(admin, acme).await.unwrap().scope();
    let new = ("new@acme.test", Role::Owner);
    let request = RequestInfo::default();
    let refused = accounts::add_member(&house.db, &house.hasher, &scope, new, &request, &house.clock)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), "role_not_sufficient");
    assert_eq!(house.count("select count(*) from users where email = 'new@acme.test'").await, 0);
    assert_eq!(house.actions(acme).await, before, "what was refused is not told as done");
    house.close().await;
}

#[tokio::test]
async fn a_new_person_gets_a_first_password_and_a_known_one_only_the_membership() {
    let house = House::open().await;
    let (acme, _) = house.organization("acme").await;
    let (globex, globex_owner) = house.organization("globex").await;
    let scope = Scope::operator(acme);
    let request = RequestInfo::default();
    let add = async |email: &str| {
        let member = (email, Role::Member);
        accounts::add_member(&house.db, &house.hasher, &scope, member, &request, &house.clock).await
    };

    let new = add("  Ann@Acme.test ").await.unwrap();
    let first = new.initial_password.unwrap();
    let logged_in = house.log_in("ann@acme.test", first.expose_secret(), "192.0.2.1", None).await.unwrap();
    assert!(logged_in.must_change_password);
    assert_eq!(add("ann@acme.test").await.unwrap_err().code(), "already_member");

    house.pass(1);
    let known = add("owner@globex.test").await.unwrap();
    assert_eq!(known.user, globex_owner);
    assert!(known.initial_password.is_none());
    let logged_in = house.log_in("owner@globex.test", PASSWORD, "192.0.2.1", None).await.unwrap();
    assert!(!logged_in.must_change_password, "the own password goes on");
    assert_eq!(logged_in.organization, globex, "the oldest membership");
    let mut tx = house.db.fleet().await.unwrap();
    let all = accounts::memberships_of_user(&mut tx, globex_owner).await.unwrap();
    assert_eq!(all.iter().map(|m| m.organization).collect::<Vec<_>>(), [globex, acme]);
    drop(tx);
    house.close().await;
}

#[tokio::test]
async fn a_removed_member_is_nobody_here_and_still_somebody_elsewhere() {
    let house = House::open().await;
    let (acme, acme_owner) = house.organization("acme").await;
    let (globex, globex_owner) = house.organization("globex").await;
    let user = house.add(acme, "owner@globex.test", Role::Admin).await;
    assert_eq!(user, globex_owner);
    house.remove(acme_owner, acme, user).await.unwrap();
    assert!(house.member(user, acme).await.is_none());
    assert_eq!(house.member(user, globex).await.unwrap().role, Role::Owner);
    assert_eq!(house.remove(acme_owner, acme, user).await.unwrap_err().code(), "not_found");

    let lonely = house.add(acme, "lonely@acme.test", Role::Viewer).await;
    house.remove(acme_owner, acme, lonely).await.unwrap();
    let password = accounts::reset_password(&house.db, &house.hasher, "lonely@acme.test", &house.clock).await;
    let password = password.unwrap();
    let refused = house.log_in("lonely@acme.test", password.expose_secret(), "192.0.2.1", None).await;
    assert!(matches!(refused, Err(LoginError::NoOrganization)), "{refused:?}");
    house.close().await;
}

#[tokio::test]
async fn members_come_in_pages_and_never_from_another_organization() {
    let house = House::open().await;
    let (acme, owner) = house.organization("acme").await;
    let (globex, globex_owner) = house.organization("globex").await;
    for n in 0..4 {
        house.add(acme, &format!("m{n}@acme.test"), Role::Member).await;
    }
    house.add(globex, "spy@globex.test", Role::Admin).await;

    let mut tx = house.begin_as(owner, acme).await;
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let page = accounts::members(&mut tx, cursor, PageSize::of(2).unwrap()).await.unwrap();
        assert!(page.items.len() <= 2);
        seen.extend(page.items.into_iter().map(|m| m.email));
        let Some(next) = page.next else { break };
        cursor = Some(Cursor::decode(&next).unwrap());
    }
    seen.sort();
    let expected = ["m0@acme.test", "m1@acme.test", "m2@acme.test", "m3@acme.test", "owner@acme.test"];
    assert_eq!(seen, expected);
    drop(tx);

    let foreign = house.change_role(owner, acme, globex_owner, Role::Viewer).await;
    assert_eq!(foreign.unwrap_err().code(), "not_found");
    let mut tx = house.begin_as(owner, acme).await;
    let users: i64 = sqlx::query_scalar("select count(email) from users").fetch_one(&mut *tx).await.unwrap();
    assert_eq!(users, 5, "the users of other organizations cannot be counted");
    let organizations: i64 =
        sqlx::query_scalar("select count(*) from organizations").fetch_one(&mut *tx).await.unwrap();
    assert_eq!(organizations, 1);
    let planted = sqlx::query(
        "insert into memberships (organization_id, user_id, role, created_at) values ($1, $2, 'owner', now())",
    )
    .bind(globex)
    .bind(owner)
    .execute(&mut *tx)
    .await;
    assert!(planted.unwrap_err().to_string().contains("row-level security"));
    house.close().await;
}

#[tokio::test]
async fn an_organization_is_renamed_by_its_owner_only() {
    let house = House::open().await;
    let (acme, owner) = house.organization("acme").await;
    let admin = house.add(acme, "admin@acme.test", Role::Admin).await;
    let request = RequestInfo::default();
    let mut tx = house.begin_as(admin, acme).await;
    let refused = accounts::rename_organization(&mut tx, "Evil", &request, &house.clock).await;
    assert_eq!(refused.unwrap_err().code(), "role_not_sufficient");
    drop(tx);
    let mut tx = house.begin_as(owner, acme).await;
    let empty = accounts::rename_organization(&mut tx, " ", &request, &house.clock).await;
    assert_eq!(empty.unwrap_err().field(), Some("name"));
    accounts::rename_organization(&mut tx, "Acme Inc", &request, &house.clock).await.unwrap();
    assert_eq!(accounts::organization(&mut tx).await.unwrap().name, "Acme Inc");
    tx.commit().await.unwrap();
    assert_eq!(house.times(acme, "organization.renamed").await, 1);
    house.close().await;
}
