//! The pace on a wire that stands still now and then.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use stories::{World, WorldOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::pace::Oversleeping;

/// A wire that stands still now and then; what it held back arrives at once when it goes on.
struct Wire(tokio::sync::watch::Receiver<bool>);

impl Wire {
    /// Stands still at these times, in seconds from now.
    fn stalled(times: &'static [(f64, f64)]) -> Self {
        let (stands, still) = tokio::sync::watch::channel(false);
        tokio::spawn(async move {
            let began = tokio::time::Instant::now();
            for (from, to) in times {
                for (at, now) in [(from, true), (to, false)] {
                    tokio::time::sleep_until(began + Duration::from_secs_f64(*at)).await;
                    stands.send_replace(now);
                }
            }
        });
        Self(still)
    }

    /// The moment at which what is sent now arrives.
    async fn carry(&self) -> Instant {
        // An error: it never stands still again.
        let _ = self.0.clone().wait_for(|still| !still).await;
        Instant::now()
    }
}

/// A world without workers at Gong's own pace, its settings, and the one connection in it.
async fn connected() -> (World, ingest::Defaults, kernel::Scope, kernel::ConnectionId) {
    let mut options = WorldOptions { workers: false, ..WorldOptions::default() };
    options.defaults.per_second = 3.0;
    let defaults = options.defaults.clone();
    let world = World::with(options).await;
    let acme = world.organization("acme").await;
    world.connect(&acme, None).await;
    let scope = kernel::Scope::job(acme.id);
    let id = sqlx::query_scalar("select id from gong_connections").fetch_one(world.db.pool()).await.unwrap();
    (world, defaults, scope, id)
}

#[tokio::test]
async fn job_15_what_a_stalled_wire_held_back_leaves_room_for_itself_over_all_processes() {
    let (world, defaults, scope, id) = connected().await;
    for _ in 0..4 {
        let oversleeping = Oversleeping::watch();
        let wire = Arc::new(Wire::stalled(&[(1.3, 2.4), (3.7, 6.2), (7.0, 7.6), (8.2, 11.9)]));
        let (arrivals, mut arrived) = tokio::sync::mpsc::unbounded_channel();
        let processes = [0, 1]
            .map(|_| ingest::Gates::new(world.db.clone(), world.rooms.ambient.clone(), defaults.clone()));
        // Each of the two sends whatever it may: with six at once.
        let senders: Vec<_> = processes
            .iter()
            .flat_map(|gates| std::iter::repeat_n(gates, 6))
            .map(|gates| {
                let (gate, wire, arrivals) = (gates.of(&scope, id), wire.clone(), arrivals.clone());
                tokio::spawn(async move {
                    let end = Instant::now() + Duration::from_secs(15);
                    while Instant::now() < end {
                        let Ok(pass) = gate.pass(gong::Purpose::Fresh).await else {
                            tokio::time::sleep(Duration::from_millis(100)).await;
                            continue;
                        };
                        arrivals.send(wire.carry().await).unwrap();
                        pass.arrived();
                    }
                })
            })
            .collect();
        drop(arrivals);
        for sender in senders {
            sender.await.unwrap();
        }
        let mut at = Vec::new();
        while let Some(moment) = arrived.recv().await {
            at.push(moment);
        }
        at.sort();
        let together = at.windows(4).map(|four| four[3] - four[0]).min().unwrap();
        if together < Duration::from_secs(1) && oversleeping.longest() > 10 {
            continue;
        }
        assert!(together >= Duration::from_secs(1), "four arrived within {together:?}");
        assert!(at.len() >= 15, "only {} got through", at.len());
        return world.finish().await;
    }
    panic!("this machine is too busy to measure a pace");
}

/// A way to the database on which every answer takes so long.
async fn slow_way(url: &str, delay: Duration) -> String {
    let mut address: url::Url = url.parse().unwrap();
    let database = (address.host_str().unwrap().to_owned(), address.port().unwrap());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    address.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let far = tokio::net::TcpStream::connect(database.clone()).await.unwrap();
            let ((mut asks, mut hears), (mut answers, mut asked)) = (near.into_split(), far.into_split());
            tokio::spawn(async move { tokio::io::copy(&mut asks, &mut asked).await });
            tokio::spawn(async move {
                let mut some = vec![0; 65_536];
                while let Ok(read @ 1..) = answers.read(&mut some).await {
                    tokio::time::sleep(delay).await;
                    if hears.write_all(&some[..read]).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    address.to_string()
}

#[tokio::test]
async fn job_15_a_slow_database_makes_requests_neither_stop_nor_come_too_close() {
    let (world, defaults, scope, id) = connected().await;
    let url = slow_way(&world.database.url, Duration::from_millis(150)).await;
    let db = db::Db::connect(&url, 8).await.unwrap();
    let gate = ingest::Gates::new(db, world.rooms.ambient.clone(), defaults).of(&scope, id);
    let (began, mut at) = (Instant::now(), Vec::new());
    while at.len() < 6 {
        assert!(began.elapsed() < Duration::from_secs(60), "only {} requests in a minute", at.len());
        if let Ok(pass) = gate.pass(gong::Purpose::Fresh).await {
            at.push(Instant::now());
            pass.arrived();
        }
    }
    let together = at.windows(4).map(|four| four[3] - four[0]).min().unwrap();
    assert!(together >= Duration::from_secs(1), "four left within {together:?}");
    world.finish().await;
}
