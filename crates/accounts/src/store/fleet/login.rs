//! Counted log-in tries and known browsers.

use db::FleetTx;
use kernel::UserId;
use time::OffsetDateTime;

use crate::{
    AccountsError,
    store::failed,
    throttle::{Bucket, WINDOW, verdict},
};

/// How many browsers of one person are remembered.
const MOST_DEVICES: i64 = 20;

/// Counts one try in each bucket, or in none where one of them is full. Those who count wait for each other, in all
/// processes, until the transaction ends: commit at once.
pub(crate) async fn count_try(
    tx: &mut FleetTx,
    buckets: &[Bucket],
    now: OffsetDateTime,
) -> Result<(), AccountsError> {
    for bucket in buckets {
        sqlx::query("select pg_advisory_xact_lock($1)")
            .bind(bucket.lock())
            .execute(&mut **tx)
            .await
            .map_err(failed("waiting to count a log-in try"))?;
        let tries: Vec<(OffsetDateTime, i64)> = sqlx::query_as(
            "select second, tries::bigint from login_tries where bucket = $1 and second > $2 order by second",
        )
        .bind(bucket.key.as_slice())
        .bind(now - WINDOW)
        .fetch_all(&mut **tx)
        .await
        .map_err(failed("reading the log-in tries"))?;
        verdict(&tries, bucket.most, now)
            .map_err(|retry_after| AccountsError::TooManyTries { retry_after })?;
    }
    for bucket in buckets {
        sqlx::query(
            "insert into login_tries as t (bucket, second, tries) values ($1, date_trunc('second', $2::timestamptz), 1)
             on conflict (bucket, second) do update set tries = t.tries + 1",
        )
        .bind(bucket.key.as_slice())
        .bind(now)
        .execute(&mut **tx)
        .await
        .map_err(failed("counting a log-in try"))?;
    }
    Ok(())
}

/// Takes a counted try back after the password was right.
pub(crate) async fn take_back(
    tx: &mut FleetTx,
    buckets: &[Bucket],
    at: OffsetDateTime,
) -> Result<(), AccountsError> {
    for bucket in buckets {
        sqlx::query(
            "update login_tries set tries = tries - 1
             where bucket = $1 and second = date_trunc('second', $2::timestamptz) and tries > 0",
        )
        .bind(bucket.key.as_slice())
        .bind(at)
        .execute(&mut **tx)
        .await
        .map_err(failed("taking a log-in try back"))?;
    }
    Ok(())
}

pub(crate) async fn is_known_device(
    tx: &mut FleetTx,
    user: UserId,
    hash: [u8; 32],
) -> Result<bool, AccountsError> {
    sqlx::query_scalar("select exists (select 1 from known_devices where device_hash = $1 and user_id = $2)")
        .bind(hash.as_slice())
        .bind(user)
        .fetch_one(&mut **tx)
        .await
        .map_err(failed("looking a browser up"))
}

pub(crate) async fn forget_device(tx: &mut FleetTx, hash: [u8; 32]) -> Result<(), AccountsError> {
    sqlx::query("delete from known_devices where device_hash = $1")
        .bind(hash.as_slice())
        .execute(&mut **tx)
        .await
        .map(|_| ())
        .map_err(failed("forgetting a browser"))
}

/// Remembers a browser, and forgets those of the person that were seen least lately.
pub(crate) async fn remember_device(
    tx: &mut FleetTx,
    user: UserId,
    hash: [u8; 32],
    now: OffsetDateTime,
) -> Result<(), AccountsError> {
    sqlx::query("insert into known_devices (device_hash, user_id, seen_at) values ($1, $2, $3)")
        .bind(hash.as_slice())
        .bind(user)
        .bind(now)
        .execute(&mut **tx)
        .await
        .map_err(failed("remembering a browser"))?;
    sqlx::query(
        "delete from known_devices where device_hash in (
             select device_hash from known_devices where user_id = $1
             order by (device_hash = $2) desc, seen_at desc offset $3)",
    )
    .bind(user)
    .bind(hash.as_slice())
    .bind(MOST_DEVICES)
    .execute(&mut **tx)
    .await
    .map(|_| ())
    .map_err(failed("forgetting old browsers"))
}

pub(crate) async fn forget_devices_of_user(
    tx: &mut FleetTx,
    user: UserId,
    except: Option<[u8; 32]>,
) -> Result<(), AccountsError> {
    sqlx::query("delete from known_devices where user_id = $1 and ($2::bytea is null or device_hash <> $2)")
        .bind(user)
        .bind(except.map(|hash| hash.to_vec()))
        .execute(&mut **tx)
        .await
        .map(|_| ())
        .map_err(failed("forgetting the browsers of a user"))
}

pub(crate) async fn sweep_tries(tx: &mut FleetTx, now: OffsetDateTime) -> Result<u64, AccountsError> {
    sqlx::query(
        "delete from login_tries where (bucket, second) in (
             select bucket, second from login_tries where second < $1 limit 10000)",
    )
    .bind(now - 2 * WINDOW)
    .execute(&mut **tx)
    .await
    .map(|done| done.rows_affected())
    .map_err(failed("sweeping the log-in tries"))
}

pub(crate) async fn sweep_devices(tx: &mut FleetTx, now: OffsetDateTime) -> Result<u64, AccountsError> {
    sqlx::query(
        "delete from known_devices where device_hash in (
             select device_hash from known_devices where seen_at < $1 limit 10000)",
    )
    .bind(now - time::Duration::days(180))
    .execute(&mut **tx)
    .await
    .map(|done| done.rows_affected())
    .map_err(failed("sweeping the browsers"))
}
