//! What we rely on in apalis' tables. When one of these fails after an update, read migrations/0002_jobs.sql first.

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::support::{Actor, Desk, desk, seconds};

#[tokio::test]
async fn apalis_tables_have_the_columns_that_we_use() {
    let desk = desk().await;
    let columns = |table: &'static str| {
        let pool = desk.db.pool().clone();
        async move {
            let rows: Vec<String> = sqlx::query_scalar(
                "select column_name || ' ' || udt_name from information_schema.columns
                 where table_schema = 'apalis' and table_name = $1 order by ordinal_position",
            )
            .bind(table)
            .fetch_all(&pool)
            .await
            .unwrap();
            rows
        }
    };
    assert_eq!(
        columns("jobs").await,
        [
            "job bytea",
            "id text",
            "job_type text",
            "status text",
            "attempts int4",
            "max_attempts int4",
            "run_at timestamptz",
            "last_result jsonb",
            "lock_at timestamptz",
            "lock_by text",
            "done_at timestamptz",
            "priority int4",
            "idempotency_key text",
            "metadata hstore",
        ]
    );
    let workers = columns("workers").await;
    for needed in ["id text", "worker_type text", "last_seen timestamptz"] {
        assert!(workers.iter().any(|column| column == needed), "{needed}: {workers:?}");
    }
}

#[tokio::test]
async fn apalis_says_pending_queued_and_the_rest_in_the_words_that_we_use() {
    let desk = desk().await;
    desk.change("insert into apalis.workers (id, worker_type, storage_name) values ('w', 'fresh', 'x')")
        .await;
    desk.send(&desk.job("poll", 1)).await;
    assert_eq!(desk.text("select status from apalis.jobs").await, "Pending");
    assert_eq!(desk.text("select status || lock_by from apalis.get_jobs('w', 'fresh', 1)").await, "Queuedw");
    // What apalis writes when a worker is gone, word for word the statement of its version 1.0.0.
    desk.change(
        r#"update apalis.jobs set status = 'Pending', done_at = null, lock_by = null, lock_at = null,
           attempts = attempts + 1, last_result = '{"Err": "Re-enqueued due to worker heartbeat timeout."}'"#,
    )
    .await;
    assert_eq!(desk.text("select metadata -> 'sp.deaths' from apalis.jobs").await, "1");
    let definition = desk.text("select pg_get_functiondef('apalis.get_jobs'::regproc)").await;
    for word in ["'Pending'", "'Failed'", "'Queued'", "skip locked", "run_at < now()"] {
        assert!(definition.to_lowercase().contains(&word.to_lowercase()), "{word}: {definition}");
    }
}

/// Sends and takes jobs in one transaction, and says how many rows of the jobs were read for it.
const READ: &str = "
do $$ declare o record; begin
    for o in select metadata -> 'sp.organization' as id, metadata -> 'sp.key' as key from apalis.jobs where status = 'Pending' limit 20 loop
        perform soundpost_enqueue_job('fresh', 'poll', o.id::uuid, gen_random_uuid(), o.key, null, 0, 8, null);
        perform soundpost_enqueue_job('fresh', 'poll', o.id::uuid, gen_random_uuid(), o.key || ' later', now() + interval '1 h', 0, 8, null);
        perform soundpost_enqueue_job('fresh', 'poll', o.id::uuid, gen_random_uuid(), o.key || ' later', null, 0, 8, null);
    end loop;
end $$;
do $$ begin
    for n in 1..20 loop
        perform id from apalis.get_jobs('w', 'fresh', 1);
    end loop;
end $$";

#[tokio::test]
async fn lod_03_a_long_queue_costs_no_more_than_a_short_one() {
    let desk = desk().await;
    desk.change("insert into apalis.workers (id, worker_type, storage_name) values ('w', 'fresh', 'x')")
        .await;
    desk.change(
        "insert into apalis.jobs (id, job_type, job, status, attempts, max_attempts, run_at, metadata, done_at)
         select apalis.generate_ulid(), 'fresh', '', case when n > 3000 then 'Done' else 'Pending' end, 0, 8,
            now() - n * interval '1 s', hstore(array['sp.kind', 'poll', 'sp.subject', gen_random_uuid()::text,
                'sp.organization', gen_random_uuid()::text, 'sp.key', 'poll:' || n]), case when n > 3000 then now() end
         from generate_series(1, 9000) n",
    )
    .await;
    desk.change("analyze apalis.jobs").await;
    let mut connection = PgConnection::connect(&desk.url).await.unwrap();
    let read = "select (seq_tup_read + idx_tup_fetch)::bigint from pg_stat_xact_user_tables where relid = 'apalis.jobs'::regclass";
    let mut tx = connection.begin().await.unwrap();
    let mut before: i64 = sqlx::query_scalar(read).fetch_one(&mut *tx).await.unwrap();
    for (part, most) in READ.split_inclusive("end $$;").zip([20 * 15, 20 * 6]) {
        sqlx::raw_sql(AssertSqlSafe(part.to_owned())).execute(&mut *tx).await.unwrap();
        let after: i64 = sqlx::query_scalar(read).fetch_one(&mut *tx).await.unwrap();
        assert!(after - before <= most, "{} rows were read by {part}", after - before);
        before = after;
    }
}

#[tokio::test]
async fn rows_that_would_break_a_worker_cannot_exist() {
    let desk = desk().await;
    for (id, metadata) in [("no-ulid", "a=>b"), ("01M7Y7JPHTKH3RBK8C8GP9YZKX", "a=>NULL")] {
        let refused = sqlx::query(
            "insert into apalis.jobs (id, job_type, job, metadata) values ($1, 'fresh', ''::bytea, $2::hstore)",
        )
        .bind(id)
        .bind(metadata)
        .execute(desk.db.pool())
        .await;
        assert!(refused.is_err(), "{id} {metadata}");
    }
}

#[tokio::test]
async fn a_job_that_apalis_itself_calls_failed_is_put_away_instead_of_started_at_once() {
    let desk = desk().await;
    desk.change("insert into apalis.workers (id, worker_type, storage_name) values ('w', 'fresh', 'x')")
        .await;
    desk.send(&desk.job("poll", 1)).await;
    desk.text("select id from apalis.get_jobs('w', 'fresh', 1)").await;
    desk.change("update apalis.jobs set status = 'Failed', attempts = 1, done_at = now()").await;
    assert_eq!(desk.text("select status from apalis.jobs").await, "Killed");
    assert_eq!(desk.dead().await, ["failed"]);
}

#[tokio::test]
async fn old_rows_are_swept_away_and_dead_letters_stay() {
    let desk = desk().await;
    for subject in 1..=4 {
        desk.send(&desk.job("poll", subject)).await;
    }
    let actor = Actor::new(|job, _| async move {
        if job.subject.as_u128() <= 2 {
            return queue::Verdict::Done;
        }
        queue::Verdict::Dead { code: "no_luck" }
    });
    let work = desk.work(&actor);
    desk.idle(seconds(10)).await;
    work.stop().await;
    assert_eq!(queue::tidy(desk.db.pool()).await.unwrap(), 0, "everything is young");
    desk.change("update apalis.jobs set done_at = done_at - interval '25 hours'").await;
    desk.change("update apalis.workers set last_seen = last_seen - interval '25 hours'").await;
    assert_eq!(queue::tidy(desk.db.pool()).await.unwrap(), 2 + 3, "two done jobs, three workers");
    desk.change("update apalis.jobs set done_at = done_at - interval '7 days'").await;
    assert_eq!(queue::tidy(desk.db.pool()).await.unwrap(), 2, "the two given up");
    assert_eq!(desk.dead().await.len(), 2);
}

#[tokio::test]
async fn who_leaves_while_a_transaction_begins_leaves_a_clean_connection() {
    let desk = desk().await;
    let narrow = Desk::with_connections(desk.url.clone(), 1).await;
    let inside = "select count(*) from pg_stat_activity
        where datname = current_database() and state like 'idle in transaction%'";
    for step in 0..300 {
        let hurry = std::time::Duration::from_micros(step * 4);
        tokio::time::timeout(hurry, narrow.begin()).await.ok();
        tokio::time::timeout(hurry, narrow.db.fleet()).await.ok();
        narrow.db.ping().await.unwrap();
        let left = desk.number(inside).await;
        assert_eq!(left, 0, "the only connection is inside a transaction that nobody will end (step {step})");
    }
}
