//! Silence of a week: nothing recorded, or a key that may not see calls? Gong answers both alike.

use gong_sim::{Endpoint, NewCall};
use stories::World;

const DAY: std::time::Duration = std::time::Duration::from_secs(86_400);

#[tokio::test]
async fn a_week_without_calls_of_a_company_with_users_is_doubted_until_one_comes() {
    let world = World::start().await;
    let acme = world.organization("acme").await;
    world.connect(&acme, None).await;
    world.settle().await;
    for _ in 0..6 {
        world.pass(DAY).await;
    }
    assert!(acme.api.gong().await["doubted_since"].is_null(), "it is too early to doubt");
    assert_eq!(world.sim.count_of(acme.company, Endpoint::Users), 0);

    for _ in 0..3 {
        world.pass(DAY).await;
    }
    let doubted = acme.api.gong().await["doubted_since"].clone();
    assert!(doubted.is_string(), "{doubted}");
    let asked = world.sim.count_of(acme.company, Endpoint::Users);
    assert!((1..=3).contains(&asked), "once a day at most: {asked}");

    world.sim.add_call(acme.company, NewCall::new());
    world.pass(DAY).await;
    assert!(acme.api.gong().await["doubted_since"].is_null(), "calls can be seen");
    world.finish().await;
}
