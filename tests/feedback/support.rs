//! What the stories of feedback share.

use std::time::Duration;

use feedback::{Evidence, Post, PostQuery};
use gong_sim::{NewCall, Party};
use kernel::{BoardId, PostId, PostState, Scope};
use stories::{Org, World, WorldOptions};

pub(crate) const MINUTE: Duration = Duration::from_secs(61);

/// A world that thinks.
pub(crate) async fn thinking() -> World {
    World::with(WorldOptions { feedback: true, ..WorldOptions::default() }).await
}

/// A person of a customer.
pub(crate) fn customer(speaker: &str, name: &str, email: &str) -> Party {
    person(speaker, name, email, "External")
}

/// One of us.
pub(crate) fn seller() -> Party {
    person("9", "Sam Seller", "sam@us.example", "Internal")
}

fn person(speaker: &str, name: &str, email: &str, affiliation: &str) -> Party {
    Party {
        id: format!("7{speaker}"),
        name: Some(name.into()),
        email: Some(email.into()),
        title: None,
        phone: None,
        user_id: None,
        speaker_id: Some(speaker.into()),
        affiliation: affiliation.into(),
        methods: vec!["Attendee".into()],
    }
}

/// A call in which a customer of `company` says something.
pub(crate) fn call_of(company: &str, said: &[&str]) -> NewCall {
    let email = format!("ann@{company}.example");
    let call = NewCall::new()
        .title(&format!("With {company}"))
        .party(customer("1", &format!("Ann of {company}"), &email))
        .party(seller());
    said.iter().fold(call, |call, said| call.say(0, said)).say(1, "We need to talk about the price.")
}

pub(crate) async fn board(world: &World, org: &Org) -> BoardId {
    let mut tx = world.db.begin(&Scope::job(org.id)).await.unwrap();
    let board = feedback::create_board(&mut tx, "Wishes", "", &*world.rooms.ambient).await.unwrap();
    tx.commit().await.unwrap();
    board
}

/// Posts in a state, the most asked for first.
pub(crate) async fn posts_in(world: &World, org: &Org, state: PostState) -> Vec<Post> {
    let mut tx = world.db.begin(&Scope::job(org.id)).await.unwrap();
    let query = PostQuery { state, limit: 100, ..PostQuery::default() };
    feedback::posts(&mut tx, &query).await.unwrap().posts
}

/// Published posts.
pub(crate) async fn posts(world: &World, org: &Org) -> Vec<Post> {
    posts_in(world, org, PostState::Published).await
}

pub(crate) async fn evidence(world: &World, org: &Org, post: PostId) -> Vec<Evidence> {
    let mut tx = world.db.begin(&Scope::job(org.id)).await.unwrap();
    feedback::evidence(&mut tx, post, None, 100).await.unwrap().items
}

/// All calls are looked at once more.
pub(crate) async fn again(world: &World, org: &Org) {
    let mut tx = world.db.begin(&Scope::job(org.id)).await.unwrap();
    feedback::want_all(&mut tx, &*world.rooms.ambient).await.unwrap();
    tx.commit().await.unwrap();
    world.pass(MINUTE).await;
}
