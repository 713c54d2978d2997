//! The same feedback with the vectors in Qdrant: the database stays the truth, whatever happens to the index.

use std::{collections::BTreeSet, time::Duration};

use feedback::Ended;
use kernel::Scope;
use model_sim::{Endpoint, Trouble};
use models::Point;
use serde_json::json;

use crate::lab::{Lab, Wire};

const COLLECTION: &str = "soundpost_openai_lab";
const PDF: &str = "them: We need an export of the report as PDF.";
const DARK: &str = "them: We need a dark theme for night shifts.";

async fn lab() -> Lab {
    let mut lab = Lab::new(Wire::Anthropic).await;
    lab.has_index = true;
    lab
}

/// The points of an organization, which must be those of the database.
async fn points(lab: &Lab, scope: &Scope) -> BTreeSet<String> {
    let owner = scope.organization().uuid();
    let there = lab.sim.points(COLLECTION);
    let theirs = there.iter().filter(|(_, payload)| payload["organization_id"] == json!(owner.to_string()));
    let found: BTreeSet<String> = theirs.map(|(id, _)| id.clone()).collect();
    let stored: Vec<String> =
        sqlx::query_scalar("select post_id::text from post_vectors where organization_id = $1")
            .bind(owner)
            .fetch_all(lab.db.pool())
            .await
            .unwrap();
    assert_eq!(found, stored.into_iter().collect::<BTreeSet<_>>(), "what is there is what is stored");
    found
}

#[tokio::test]
async fn the_same_wish_finds_its_post_through_the_index_and_never_that_of_others() {
    let lab = lab().await;
    let (acme, umbrella) = (lab.organization("acme").await, lab.organization("umbrella").await);
    let engine = lab.engine();
    for scope in [&acme, &umbrella] {
        for said in [PDF, DARK, PDF] {
            lab.call(scope, &[said]).await;
            // Another process each time: it knows only what the index and the database hold.
            assert_eq!(lab.run(&lab.engine(), scope).await, [Ended::Found(1)]);
        }
        let posts = lab.posts(scope).await;
        assert_eq!(posts.iter().map(|post| post.evidence).collect::<Vec<_>>(), [2, 1], "{posts:?}");
        engine.complete(&lab.db, scope).await.unwrap();
        assert_eq!(points(&lab, scope).await.len(), 2);
    }
    let asked = lab.sim.requests();
    let queries: Vec<_> = asked.iter().filter(|one| one.path.ends_with("/points/query")).collect();
    assert!(queries.len() >= 4);
    for one in queries {
        let owner = one.body["filter"]["must"][0]["match"]["value"].as_str().unwrap();
        assert!([&acme, &umbrella].iter().any(|scope| scope.organization().uuid().to_string() == owner));
        assert_eq!(one.body["params"]["exact"], true);
    }
}

#[tokio::test]
async fn an_index_that_is_away_makes_calls_wait_with_a_reason_and_nothing_is_lost_or_doubled() {
    let lab = lab().await;
    let acme = lab.organization("acme").await;
    let engine = lab.engine();
    lab.call(&acme, &[PDF]).await;
    lab.run(&engine, &acme).await;
    let call = lab.call(&acme, &[PDF]).await;
    for _ in 0..10 {
        lab.sim.trouble(Endpoint::Qdrant, 4, Trouble::Cut);
        assert_eq!(lab.run(&engine, &acme).await, [Ended::Later]);
        lab.pass(Duration::from_secs(9_000));
    }
    let trace = lab.trace(&acme, call).await;
    assert_eq!((trace.state.as_str(), trace.reason.as_deref()), ("wanted", Some("index_unavailable")));
    assert!(lab.explain(&acme, call).await.contains("The index of vectors did not help"));
    assert_eq!((lab.asked(), lab.posts(&acme).await[0].evidence), (2, 1), "the model was asked once a call");
    assert_eq!(lab.run(&engine, &acme).await, [Ended::Found(1)]);
    let posts = lab.posts(&acme).await;
    assert_eq!((posts.len(), posts[0].evidence), (1, 2));
}

#[tokio::test]
async fn an_index_that_lost_everything_or_holds_too_much_is_put_right() {
    let lab = lab().await;
    let acme = lab.organization("acme").await;
    let engine = lab.engine();
    for said in [PDF, DARK] {
        lab.call(&acme, &[said]).await;
    }
    lab.run(&engine, &acme).await;
    engine.complete(&lab.db, &acme).await.unwrap();
    assert_eq!(points(&lab, &acme).await.len(), 2);
    lab.sim.drop_collection(COLLECTION);
    lab.call(&acme, &[PDF]).await;
    let ended = lab.run(&engine, &acme).await;
    assert_eq!(ended, [Ended::Later], "it is noticed");
    lab.pass(Duration::from_secs(300));
    assert_eq!(lab.run(&engine, &acme).await, [Ended::Found(1)]);
    assert_eq!(points(&lab, &acme).await.len(), 2);
    // A point that is nobody's post, and one with an old vector under a post's id.
    let owner = acme.organization().uuid().to_string();
    let victim = lab.posts(&acme).await[0].id.uuid();
    let forged =
        [uuid::Uuid::nil(), victim].map(|id| Point { id: id.to_string(), vector: vec![1.0; 256], mark: 0 });
    lab.index().put(COLLECTION, &owner, &forged).await.unwrap();
    // Another process compares what is there with what should be.
    lab.call(&acme, &[PDF]).await;
    assert_eq!(lab.run(&lab.engine(), &acme).await, [Ended::Found(1)]);
    points(&lab, &acme).await;
    let evidence: Vec<i32> = lab.posts(&acme).await.iter().map(|post| post.evidence).collect();
    assert_eq!(evidence, [3, 1]);
}

#[tokio::test]
async fn the_point_of_a_withdrawn_post_goes() {
    let lab = lab().await;
    let acme = lab.organization("acme").await;
    let engine = lab.engine();
    let call = lab.call(&acme, &[PDF]).await;
    lab.call(&acme, &[DARK]).await;
    lab.run(&engine, &acme).await;
    engine.complete(&lab.db, &acme).await.unwrap();
    assert_eq!(points(&lab, &acme).await.len(), 2);
    sqlx::query("delete from gong_transcripts where call_id = $1")
        .bind(call.uuid())
        .execute(lab.db.pool())
        .await
        .unwrap();
    engine.complete(&lab.db, &acme).await.unwrap();
    assert_eq!(points(&lab, &acme).await.len(), 1);
    assert_eq!(lab.posts(&acme).await.len(), 1);
}

#[tokio::test]
async fn two_workers_with_an_index_make_no_post_twice() {
    let lab = lab().await;
    let acme = lab.organization("acme").await;
    for n in 0..12 {
        lab.call(&acme, &[&format!("them: We need gadget{} with lamp{} and rope{}.", n % 4, n % 4, n % 4)])
            .await;
    }
    let (one, two) = (lab.engine(), lab.engine());
    let worker = async |engine: &feedback::Engine| {
        while let Some(task) = engine.take(&lab.db, &acme, 1).await.unwrap().first() {
            assert_eq!(lab.work(engine, &acme, task).await, Ended::Found(1));
        }
    };
    tokio::join!(worker(&one), worker(&two));
    let posts = lab.posts(&acme).await;
    assert_eq!(posts.iter().map(|post| post.evidence).collect::<Vec<_>>(), [3, 3, 3, 3]);
    one.complete(&lab.db, &acme).await.unwrap();
    points(&lab, &acme).await;
}
