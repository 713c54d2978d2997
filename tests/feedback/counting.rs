//! What pages read instead of counting: the counts agree with what is there, whoever changes it and whoever puts counts together.

use kernel::{PostState, Scope};
use tokio::task::JoinSet;

use crate::lab::{Lab, Wire};

/// How many workers change posts and calls at once, and how many changes each makes.
const WORKERS: u64 = 6;
const CHANGES: u64 = 60;

/// One change of some posts, and of some calls, in one transaction; which ones depends on the two numbers only.
async fn change(lab: &Lab, acme: &Scope, worker: u64, round: u64) {
    let pool = lab.db.pool();
    let some = i64::try_from((worker * 31 + round * 17) % 97).unwrap();
    let states = ["review", "published", "withdrawn", "rejected"];
    let state = states[usize::try_from(worker + round).unwrap() % 4];
    let mut tx = pool.begin().await.unwrap();
    // Who is chosen to end a circle of waiting gives up: what it counted goes with it.
    let statements = [
        "update posts set state = $2, board_id = (select id from boards where organization_id = $1 order by md5(name || $3) limit 1)
         where id in (select id from posts where organization_id = $1 and abs(hashtext(id::text)) % 97 = $3 order by id for update)",
        "insert into posts (id, organization_id, board_id, title, summary, description, kind, sentiment, priority, area, state,
            analyzer, created_at, updated_at)
         select gen_random_uuid(), $1, id, 'One', 'more', '', 'bug', 'neutral', 'low', '', $2, 'basic/5', now(), now()
         from boards, generate_series(0, $3::bigint % 3) where organization_id = $1",
        "update feedback_calls set state = case $2 when 'review' then 'waiting' when 'published' then 'done' when 'withdrawn' then 'failed'
            else 'discarded' end, reason = case when $3 % 2 = 0 then 'no_board' else 'monthly_cap' end
         where call_id in (select call_id from feedback_calls where organization_id = $1 and abs(hashtext(call_id::text)) % 7 = $3 % 7
            order by call_id for update)",
        "delete from posts where $2 = 'rejected' and id in (select id from posts where organization_id = $1
            and abs(hashtext(id::text)) % 89 = $3 order by id for update)",
    ];
    for statement in statements {
        let done = sqlx::query(statement)
            .bind(acme.organization().uuid())
            .bind(state)
            .bind(some)
            .execute(&mut *tx)
            .await;
        if let Err(sqlx::Error::Database(error)) = &done
            && error.code().as_deref() == Some("40P01")
        {
            return;
        }
        done.unwrap();
    }
    // One in five is taken back: what it counted goes with it.
    if (worker + round).is_multiple_of(5) { tx.rollback().await.unwrap() } else { tx.commit().await.unwrap() }
}

/// What pages are told, beside what is there.
async fn agree(lab: &Lab, acme: &Scope) {
    let pool = lab.db.pool();
    let mut tx = lab.db.begin(acme).await.unwrap();
    let mut told: Vec<(PostState, i64)> = feedback::post_counts(&mut tx).await.unwrap();
    told.retain(|(_, count)| *count != 0);
    told.sort();
    let there: Vec<(String, i64)> =
        sqlx::query_as("select state, count(*) from posts where organization_id = $1 group by 1")
            .bind(acme.organization().uuid())
            .fetch_all(pool)
            .await
            .unwrap();
    let mut there: Vec<(PostState, i64)> =
        there.into_iter().map(|(state, count)| (state.parse().unwrap(), count)).collect();
    there.sort();
    assert_eq!(told, there);
    let told: Vec<(String, i64)> =
        feedback::boards(&mut tx).await.unwrap().into_iter().map(|board| (board.name, board.posts)).collect();
    let there: Vec<(String, i64)> = sqlx::query_as(
        "select b.name, (select count(*) from posts p where p.board_id = b.id and p.state = 'published') from boards b
         where b.organization_id = $1 order by b.created_at, b.id",
    )
    .bind(acme.organization().uuid())
    .fetch_all(pool)
    .await
    .unwrap();
    assert_eq!(told, there);
    let told = feedback::ledger(&mut tx).await.unwrap();
    let count = async |wanted: &str| -> i64 {
        let count = format!("select count(*) from feedback_calls where organization_id = $1 and {wanted}");
        sqlx::query_scalar(sqlx::AssertSqlSafe(count))
            .bind(acme.organization().uuid())
            .fetch_one(pool)
            .await
            .unwrap()
    };
    assert_eq!(told.wanted, count("state = 'wanted'").await);
    assert_eq!(told.done, count("state = 'done'").await);
    assert_eq!(told.discarded, count("state = 'discarded'").await);
    for (list, state) in [(&told.waiting, "waiting"), (&told.failed, "failed")] {
        for reason in ["no_board", "monthly_cap"] {
            let told = list.iter().find(|(one, _)| one == reason).map_or(0, |(_, calls)| *calls);
            assert_eq!(
                told,
                count(&format!("state = '{state}' and reason = '{reason}'")).await,
                "{state} {reason}"
            );
        }
    }
}

#[tokio::test]
async fn counts_agree_with_what_is_there_whoever_changes_it_at_once() {
    let lab = std::sync::Arc::new(Lab::new(Wire::OpenAi).await);
    let (acme, other) = (lab.organization("acme").await, lab.organization("other").await);
    let mut tx = lab.db.begin(&acme).await.unwrap();
    feedback::create_board(&mut tx, "Second", "", &*lab.clock).await.unwrap();
    tx.commit().await.unwrap();
    for _ in 0..20 {
        lab.call(&acme, &["them: Nice weather today."]).await;
    }
    agree(&lab, &acme).await;
    let mut tasks = JoinSet::new();
    for worker in 0..WORKERS {
        let (lab, acme) = (lab.clone(), acme);
        tasks.spawn(async move {
            for round in 0..CHANGES {
                change(&lab, &acme, worker, round).await;
            }
        });
    }
    for _ in 0..2 {
        let lab = lab.clone();
        tasks.spawn(async move {
            for _ in 0..CHANGES {
                let mut fleet = lab.db.fleet().await.unwrap();
                feedback::fleet::gather_counts(&mut fleet).await.unwrap();
                fleet.commit().await.unwrap();
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    agree(&lab, &acme).await;
    let mut fleet = lab.db.fleet().await.unwrap();
    feedback::fleet::gather_counts(&mut fleet).await.unwrap();
    fleet.commit().await.unwrap();
    agree(&lab, &acme).await;
    agree(&lab, &other).await;
    let most: i64 = sqlx::query_scalar(
        "select max(n) from (select count(*) as n from post_counts group by organization_id, board_id, state
            union all select count(*) from feedback_call_counts group by organization_id, state, reason) groups",
    )
    .fetch_one(lab.db.pool())
    .await
    .unwrap();
    assert_eq!(most, 1, "rows for one count");
    sqlx::query("delete from organizations where id = $1")
        .bind(acme.organization().uuid())
        .execute(lab.db.pool())
        .await
        .unwrap();
    let left: i64 = sqlx::query_scalar(
        "select (select count(*) from post_counts where organization_id = $1) + (select count(*) from feedback_call_counts where organization_id = $1)",
    )
    .bind(acme.organization().uuid())
    .fetch_one(lab.db.pool())
    .await
    .unwrap();
    assert_eq!(left, 0);
}
