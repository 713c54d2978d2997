//! What goes takes its feedback along: private calls, erased people, whole organizations; and what does not go with them.

use gong_sim::NewCall;
use kernel::PostState;
use serde_json::json;
use stories::tables_with;

use crate::support::*;

#[tokio::test]
async fn a_call_that_turns_private_takes_its_evidence_along_and_a_post_without_any_is_withdrawn() {
    let world = thinking().await;
    let acme = world.organization("acme").await;
    board(&world, &acme).await;
    let alone = "I wish the canaryword could sing at night.";
    let shared = "We need maps with the stations on them.";
    let secret = world.sim.add_call(acme.company, call_of("globex", &[alone, shared]));
    world.sim.add_call(acme.company, call_of("initech", &[shared]));
    world.connect(&acme, Some(10)).await;
    world.settle().await;
    assert_eq!(posts(&world, &acme).await.len(), 2);
    assert!(!tables_with(&world, "canaryword").await.is_empty());
    world.sim.set_private(acme.company, &secret, Some(true));
    world.pass(std::time::Duration::from_secs(86_400)).await;
    world.pass(MINUTE * 6).await;
    assert_eq!(tables_with(&world, "canaryword").await, [].into());
    let left = posts(&world, &acme).await;
    assert_eq!(left.len(), 1);
    assert_eq!((left[0].title.as_str(), left[0].evidence), (shared.trim_end_matches('.'), 1));
    let withdrawn = posts_in(&world, &acme, PostState::Withdrawn).await;
    assert_eq!((withdrawn.len(), withdrawn[0].title.as_str()), (1, ""));
    world.finish().await;
}

#[tokio::test]
async fn an_erased_person_takes_her_wishes_along_and_his_stay_without_her_name() {
    let world = thinking().await;
    let acme = world.organization("acme").await;
    board(&world, &acme).await;
    let call = NewCall::new()
        .title("Canarina Canarmeier and Bob")
        .party(customer("1", "Canarina Canarmeier", "canary.meier@globex.example"))
        .party(customer("2", "Bob Builder", "bob@globex.example"))
        .say(0, "I wish canarysaid could fly.")
        .say(1, "We need reports that Canarina can print.");
    world.sim.add_call(acme.company, call);
    world.connect(&acme, Some(10)).await;
    world.settle().await;
    let before = posts(&world, &acme).await;
    assert_eq!(before.len(), 2);
    let his = before.iter().find(|post| post.title.contains("reports")).unwrap();
    let asked = acme
        .browser
        .post("/api/v1/privacy/erasures", json!({ "email": "canary.meier@globex.example" }))
        .await;
    assert_eq!(asked.status, 202, "{}", asked.text);
    world.settle().await;
    world.pass(MINUTE).await;
    for canary in ["canarina", "canarmeier", "canarysaid", "canary.meier"] {
        assert_eq!(tables_with(&world, canary).await, [].into(), "{canary}");
    }
    let after = posts(&world, &acme).await;
    assert_eq!(after.iter().map(|post| post.id).collect::<Vec<_>>(), [his.id], "{after:?}");
    assert!(after[0].title.starts_with("We need reports that"), "{}", after[0].title);
    world.finish().await;
}

#[tokio::test]
async fn a_disconnect_leaves_the_posts_and_an_erased_organization_leaves_nothing() {
    let world = thinking().await;
    let acme = world.organization("acme").await;
    board(&world, &acme).await;
    world.sim.add_call(acme.company, call_of("globex", &["Please add canarycolours to the calendar."]));
    world.connect(&acme, Some(10)).await;
    world.settle().await;
    let gone = acme.browser.delete("/api/v1/integrations/gong").await;
    assert!(gone.status.is_success(), "{}", gone.text);
    world.pass(MINUTE).await;
    assert_eq!(posts(&world, &acme).await.len(), 1);
    let erased = acme.browser.post("/api/v1/organization/erase", json!({ "name": "acme" })).await;
    assert!(erased.status.is_success(), "{} {}", erased.status, erased.text);
    assert_eq!(tables_with(&world, "canarycolours").await, [].into());
    for table in ["posts", "evidence", "boards", "feedback_settings", "feedback_calls", "feedback_changes"] {
        let rows: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(format!("select count(*) from {table}")))
            .fetch_one(world.db.pool())
            .await
            .unwrap();
        assert_eq!(rows, 0, "{table}");
    }
}
