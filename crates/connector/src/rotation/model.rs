//! A model of the life of a token: two workers, cut off between any two steps; a Gong that spends a refresh token with
//! its first use and loses answers; a database that fails; an admin who connects anew. The steps are the product's own
//! (`rotation`); the table keeps the conditions of `store::credentials`. `MODEL_SEED=<seed>` replays a failure alone.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use proptest::test_runner::{Config, TestCaseError, TestRunner};
use time::{Duration, OffsetDateTime, macros::datetime};

use super::{Answer, Hands, Outcome, Stored, hold, without_lease};

const START: OffsetDateTime = datetime!(2026-03-01 0:00 UTC);
/// As in `store::credentials`.
const LEASE: Duration = Duration::seconds(30);

struct Row {
    generation: i64,
    token: u64,
    dead: bool,
    retry_at: Option<OffsetDateTime>,
    lease: Option<(usize, OffsetDateTime)>,
}

struct World {
    chance: u64,
    now: OffsetDateTime,
    row: Row,
    escrow: BTreeMap<i64, u64>,
    honoured: u64,
    spent: BTreeSet<u64>,
    /// Tokens whose answer never came: using them again is all that can be done.
    lost: BTreeSet<u64>,
    issued: u64,
    /// Token requests: of whom, for which generation, and until when at most.
    open: BTreeMap<usize, (i64, OffsetDateTime)>,
    calm: bool,
    broken: Option<String>,
}

type Shared = Arc<Mutex<World>>;

fn look(world: &Shared) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    fn below(&mut self, most: u64) -> u64 {
        self.chance = self.chance.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.chance;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % most.max(1)
    }

    fn fault(&mut self, one_in: u64) -> bool {
        !self.calm && self.below(one_in) == 0
    }

    fn never(&mut self, happened: bool, what: &str) {
        if happened && self.broken.is_none() {
            self.broken = Some(what.to_owned());
        }
    }

    fn issue(&mut self) -> u64 {
        self.issued += 1;
        self.honoured = self.issued;
        self.issued
    }

    /// As `credentials::take_lease`.
    fn take_lease(&mut self, worker: usize, seen: i64) -> bool {
        let (now, row) = (self.now, &mut self.row);
        let free = row.lease.is_none_or(|(_, until)| until < now);
        let may = row.generation == seen && !row.dead && row.retry_at.is_none_or(|at| at <= now) && free;
        if may {
            row.lease = Some((worker, now + LEASE));
        }
        may
    }

    /// As `credentials::advance`.
    fn advance(&mut self, replaces: i64, token: u64) -> bool {
        let may = self.row.generation == replaces && !self.row.dead;
        if may {
            let newest = self.row.token < token;
            self.never(!newest, "an older token replaced a newer one");
            self.row = Row { generation: replaces + 1, token, dead: false, retry_at: None, lease: None };
        }
        may
    }
}

async fn step() {
    let mut waited = false;
    std::future::poll_fn(
        |_| if std::mem::replace(&mut waited, true) { Poll::Ready(()) } else { Poll::Pending },
    )
    .await;
}

struct Worker {
    world: Shared,
    number: usize,
    generation: i64,
    leased: OffsetDateTime,
}

impl Worker {
    async fn database(&self) -> Result<MutexGuard<'_, World>, ()> {
        step().await;
        let mut world = look(&self.world);
        if world.fault(15) { Err(()) } else { Ok(world) }
    }
}

impl Hands for Worker {
    type Token = u64;
    type Grant = u64;
    type Failure = bool;
    type Error = ();

    async fn replay(&self) -> Result<bool, ()> {
        let waits = look(&self.world).escrow.get(&self.generation).copied();
        let Some(token) = waits else { return Ok(false) };
        step().await;
        let mut world = look(&self.world);
        let stored = world.advance(self.generation, token);
        world.escrow.remove(&self.generation);
        Ok(stored)
    }

    async fn open(&self) -> Result<Result<u64, Outcome>, ()> {
        Ok(Ok(look(&self.world).row.token))
    }

    async fn wait_for_turn(&self) {
        let steps = look(&self.world).below(4);
        for _ in 0..steps {
            step().await;
        }
    }

    async fn stands(&self) -> Result<Result<(), Outcome>, ()> {
        let world = self.database().await?;
        let stands = world.row.generation == self.generation && !world.row.dead;
        Ok(if stands { Ok(()) } else { Err(Outcome::Newer) })
    }

    fn in_time(&self) -> bool {
        look(&self.world).now - self.leased < Duration::seconds(9)
    }

    async fn ask(&self, token: &u64) -> Answer<u64, bool> {
        let (end, before) = {
            let mut world = look(&self.world);
            let now = world.now;
            let replaced = world.row.generation != self.generation || world.row.dead;
            world.never(replaced, "a request for tokens that are not the stored ones");
            let same =
                |(generation, until): &(i64, OffsetDateTime)| *generation == self.generation && *until > now;
            let two = world.open.iter().any(|(other, request)| *other != self.number && same(request));
            world.never(two, "two token requests at once");
            let twice = world.spent.contains(token) && !world.lost.contains(token);
            world.never(twice, "a refresh token was used twice");
            let seconds = world.below(20);
            let end = now + Duration::seconds(seconds.cast_signed());
            world.open.insert(self.number, (self.generation, end));
            (end, world.fault(6))
        };
        if before {
            return Answer::Failed(false);
        }
        let granted = {
            let mut world = look(&self.world);
            let good = world.honoured == *token;
            if good {
                world.spent.insert(*token);
                world.lost.insert(*token);
            }
            good.then(|| world.issue())
        };
        while look(&self.world).now < end {
            step().await;
        }
        match granted {
            None => Answer::Spent,
            Some(_) if look(&self.world).fault(10) => Answer::Failed(true),
            Some(granted) => {
                look(&self.world).lost.remove(token); // Losing it now would be our fault.
                Answer::Granted(granted)
            }
        }
    }

    async fn deposit(&self, grant: &u64) {
        let mut world = look(&self.world);
        world.escrow.insert(self.generation, *grant);
    }

    async fn store(&self, grant: &u64, _: &u64) -> Result<bool, ()> {
        Ok(self.database().await?.advance(self.generation, *grant))
    }

    async fn pause(&self, millis: u64) {
        if millis > 0 {
            step().await;
        }
    }

    async fn forget(&self) {
        step().await;
        look(&self.world).escrow.remove(&self.generation);
    }

    async fn bury(&self) -> Result<Outcome, ()> {
        let mut world = self.database().await?;
        let row = &mut world.row;
        if row.generation != self.generation || row.dead {
            return Ok(Outcome::Newer);
        }
        (row.dead, row.lease, row.retry_at) = (true, None, None);
        let honoured = world.honoured == world.row.token;
        world.never(honoured, "a connection was lost that Gong still honours");
        Ok(Outcome::Dead)
    }

    async fn postpone(&self, _: &bool) -> Result<Outcome, ()> {
        let mut world = self.database().await?;
        let at = world.now + Duration::seconds(30);
        let row = &mut world.row;
        if row.generation == self.generation && row.lease.is_some_and(|(holder, _)| holder == self.number) {
            (row.lease, row.retry_at) = (None, Some(at));
        }
        Ok(Outcome::Later(at))
    }
}

/// What `Connector::refresh` does: take the lease and hold it, or learn what became of the generation.
async fn refresh(world: Shared, number: usize) {
    let seen = look(&world).row.generation;
    for _ in 0..20 {
        step().await;
        if look(&world).take_lease(number, seen) {
            let leased = look(&world).now;
            hold(&Worker { world, number, generation: seen, leased }).await.ok();
            return;
        }
        let mut here = look(&world);
        let (stored, now) = (
            Stored { generation: here.row.generation, dead: here.row.dead, retry_at: here.row.retry_at },
            here.now,
        );
        if let Some(outcome) = without_lease(Some(stored), seen, now) {
            let wrong = outcome == Outcome::Newer && here.row.generation == seen;
            here.never(wrong, "a newer token was claimed where there is none");
            return;
        }
    }
}

type Running = Option<Pin<Box<dyn Future<Output = ()>>>>;

fn poll(running: &mut Running) {
    if let Some(future) = running
        && future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready()
    {
        *running = None;
    }
}

fn run(seed: u64) -> Result<(), TestCaseError> {
    let row = Row { generation: 1, token: 1, dead: false, retry_at: None, lease: None };
    let world: Shared = Arc::new(Mutex::new(World {
        chance: seed,
        now: START,
        row,
        escrow: BTreeMap::new(),
        honoured: 1,
        spent: BTreeSet::new(),
        lost: BTreeSet::new(),
        issued: 1,
        open: BTreeMap::new(),
        calm: false,
        broken: None,
    }));
    let mut workers: [Running; 2] = [None, None];
    let steps = 20 + look(&world).below(250);
    for _ in 0..steps {
        let mut here = look(&world);
        let (n, act) = (here.below(2) as usize, here.below(40));
        // Any step may be slow, but for those from the last look to the deposit: a process that sleeps there for longer than
        // its lease is another matter.
        let now = here.now;
        let asking = here.open.values().any(|(_, until)| *until + Duration::seconds(1) > now);
        let most = if asking { 400 } else { [900, 20_000][usize::from(here.below(8) == 0)] };
        let millis = here.below(most).cast_signed();
        here.now += Duration::milliseconds(millis);
        if act == 1 && here.below(6) == 0 {
            let (generation, token) = (here.row.generation + 1, here.issue());
            here.row = Row { generation, token, dead: false, retry_at: None, lease: None };
        }
        drop(here);
        match act {
            0 => {
                workers[n] = None;
                look(&world).open.remove(&n);
            }
            _ if workers[n].is_none() && !(asking && act > 20) => {
                workers[n] = Some(Box::pin(refresh(world.clone(), n)))
            }
            _ if asking => workers.iter_mut().for_each(poll),
            _ => poll(&mut workers[n]),
        }
    }
    // Everybody dies; then one worker lives in a calm world.
    workers = [None, None];
    look(&world).calm = true;
    for _ in 0..6 {
        look(&world).now += Duration::minutes(2);
        workers[0] = Some(Box::pin(refresh(world.clone(), 0)));
        for _ in 0..200 {
            look(&world).now += Duration::milliseconds(500);
            poll(&mut workers[0]);
        }
    }
    drop(workers);
    let here = look(&world);
    let kept = here.row.dead || here.row.token == here.honoured;
    match &here.broken {
        Some(what) => Err(TestCaseError::fail(format!("MODEL_SEED={seed}: {what}"))),
        None if !kept => Err(TestCaseError::fail(format!("MODEL_SEED={seed}: the newest token did not win"))),
        None => Ok(()),
    }
}

#[test]
fn job_24_no_refresh_token_is_used_twice_and_the_newest_wins_whatever_crashes() {
    if let Some(seed) = std::env::var("MODEL_SEED").ok().and_then(|text| text.parse().ok()) {
        return run(seed).unwrap();
    }
    let config =
        Config { cases: 10_000, failure_persistence: None, max_shrink_iters: 0, ..Config::default() };
    TestRunner::new(config).run(&proptest::num::u64::ANY, run).unwrap();
}
