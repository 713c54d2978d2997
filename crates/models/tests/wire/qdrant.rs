//! Points with an owner, in a double of Qdrant.

use model_sim::{Endpoint, Sim, Trouble};
use models::{Point, Qdrant};

use crate::{KEY, Steady, sim};

const ONE: &str = "00000000-0000-7000-8000-000000000001";
const TWO: &str = "00000000-0000-7000-8000-000000000002";
const THREE: &str = "00000000-0000-7000-8000-000000000003";

fn server(sim: &Sim, key: &str) -> Qdrant {
    let key = kernel::SecretString::from(key.to_owned());
    let base = sim.qdrant().parse().unwrap();
    Qdrant::new(models::Endpoint::new(base, Some(key), "test", std::sync::Arc::new(Steady)).unwrap())
}

fn point(id: &str, x: f32, y: f32, mark: i64) -> Point {
    Point { id: id.into(), vector: vec![x, y], mark }
}

#[tokio::test]
async fn points_are_found_by_their_owner_alone() {
    let sim = sim().await;
    let server = server(&sim, KEY);
    assert_eq!(
        server.put("c", "ann", &[point(ONE, 1.0, 0.0, 1)]).await.unwrap_err().to_string(),
        "the model calls the question wrong (status 404)"
    );
    for _ in 0..2 {
        server.create("c", 2).await.unwrap();
    }
    server.put("c", "ann", &[point(ONE, 1.0, 0.0, 1), point(TWO, 0.6, 0.8, 2)]).await.unwrap();
    server.put("c", "bob", &[point(THREE, 0.9, 0.1, 3)]).await.unwrap();
    assert_eq!(server.nearest("c", "ann", &vec![0.9, 0.1], 5).await.unwrap(), [ONE, TWO]);
    assert_eq!(server.nearest("c", "ann", &vec![0.5, 0.9], 1).await.unwrap(), [TWO], "exactly the likest");
    assert_eq!(server.marks("c", "bob").await.unwrap(), [(THREE.to_owned(), 3)]);
    server.put("c", "ann", &[point(ONE, 0.0, 1.0, 4)]).await.unwrap();
    assert_eq!(server.marks("c", "ann").await.unwrap(), [(ONE.to_owned(), 4), (TWO.to_owned(), 2)]);
    server.delete("c", "ann", &[ONE.into(), THREE.into()]).await.unwrap();
    assert_eq!(
        sim.points("c").iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(),
        [TWO, THREE],
        "not the other's"
    );
    let asked = sim.requests();
    assert!(asked.iter().all(|one| one.query == "wait=true" && one.headers["api-key"] == KEY));
    let asks_for_points = |path: &str| path.contains("/points/");
    for one in asked.iter().filter(|one| asks_for_points(&one.path)) {
        assert_eq!(one.body["filter"]["must"][0]["key"], "organization_id", "{}", one.path);
    }
}

#[tokio::test]
async fn long_lists_come_in_pages() {
    let sim = sim().await;
    let server = server(&sim, KEY);
    server.create("c", 2).await.unwrap();
    for part in 0..5_u32 {
        let points: Vec<Point> = (0..3_000)
            .map(|n| {
                point(&format!("00000000-0000-7000-8000-{:012}", part * 3_000 + n), 1.0, 0.0, i64::from(n))
            })
            .collect();
        server.put("c", "ann", &points).await.unwrap();
    }
    assert_eq!(server.marks("c", "ann").await.unwrap().len(), 15_000);
    assert_eq!(sim.requests().iter().filter(|one| one.path.ends_with("/scroll")).count(), 2);
}

#[tokio::test]
async fn a_server_that_is_away_or_refuses_says_so() {
    let sim = sim().await;
    let good = server(&sim, KEY);
    good.create("c", 2).await.unwrap();
    sim.trouble(Endpoint::Qdrant, 2, Trouble::Status(503));
    assert!(good.nearest("c", "ann", &vec![1.0, 0.0], 1).await.is_ok(), "tried again");
    sim.trouble(Endpoint::Qdrant, 4, Trouble::Cut);
    assert!(good.nearest("c", "ann", &vec![1.0, 0.0], 1).await.unwrap_err().is_transient());
    assert_eq!(server(&sim, "other").create("d", 2).await.unwrap_err().code(), "model_refused");
    assert_eq!(
        good.nearest("c", "ann", &vec![1.0], 1).await.unwrap_err().code(),
        "model_bad_request",
        "of another width"
    );
}
