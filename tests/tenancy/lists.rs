//! Long lists on pages: they go on, and what they do not show at first can be reached.

use stories::{Browser, World};

use crate::support::{key, still_world};

/// The page, and all that follow by their link to the next one.
async fn leafed(browser: &Browser, path: &str) -> Vec<String> {
    let (mut pages, mut next) = (Vec::new(), path.to_owned());
    loop {
        let page = browser.get(&next).await;
        assert_eq!(page.status, 200, "{next}");
        let link = page.text.split("rel=\"next\" href=\"").nth(1).and_then(|rest| rest.split('"').next());
        let link = link.map(|link| link.replace("&#38;", "&").replace("&amp;", "&"));
        pages.push(page.text);
        match link {
            Some(link) => next = link,
            None => return pages,
        }
        assert!(pages.len() < 30, "it does not end");
    }
}

async fn fill(world: &World, query: &'static str) {
    sqlx::query(query).execute(world.db.pool()).await.unwrap();
}

#[tokio::test]
async fn uix_09_an_old_key_behind_many_revoked_ones_is_shown_and_can_be_revoked() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    let (old, _, _) = key(&acme.browser, "viewer").await;
    fill(
        &world,
        "insert into api_keys (id, organization_id, name, prefix, secret_hash, role, created_at, revoked_at)
         select gen_random_uuid(), o.id, 'revoked ' || n, 'spk_live_x', sha256(n::text::bytea), 'viewer', now() + n * interval '1 ms', now()
         from organizations o, generate_series(1, 130) n",
    )
    .await;
    let pages = leafed(&acme.browser, "/settings/api-keys").await;
    let at = pages.iter().position(|page| page.contains(&old));
    assert_eq!((pages.len(), at), (3, Some(2)), "on the last of three pages");
    assert!(pages[1].contains("rel=\"prev\""), "and there is a way back");
    let ask = acme.browser.get(&format!("/settings/api-keys/{old}/revoke")).await;
    assert_eq!(ask.status, 200, "{}", ask.text);
    world.finish().await;
}

#[tokio::test]
async fn uix_09_all_members_are_shown_page_by_page() {
    let world = still_world().await;
    let acme = world.organization("acme").await;
    fill(
        &world,
        "insert into users (id, email, password_hash, password_changed_at, created_at)
         select gen_random_uuid(), 'p' || n || '@many.example', 'x', now(), now() from generate_series(1, 2100) n",
    )
    .await;
    fill(
        &world,
        "insert into memberships (organization_id, user_id, role, created_at)
         select o.id, u.id, 'viewer', now() + interval '1 s' from organizations o, users u where u.email like '%@many.example'",
    )
    .await;
    let pages = leafed(&acme.browser, "/settings/members").await.concat();
    assert_eq!(pages.matches("@many.example</th>").count(), 2100);
    let id: uuid::Uuid = sqlx::query_scalar("select id from users where email = 'p2100@many.example'")
        .fetch_one(world.db.pool())
        .await
        .unwrap();
    let ask = acme.browser.get(&format!("/settings/members/usr_{}/remove", id.simple())).await;
    assert_eq!(ask.status, 200, "{}", ask.text);
    world.finish().await;
}
