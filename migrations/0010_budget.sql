-- What a company's budget, its outages and the stop of all traffic need to remember.

-- A window that was cut off remembers from what, and how many calls must still lie in it: an order of time that was believed
-- too early shows there, also after a crash.
alter table gong_windows
    add column whole_from_at timestamptz,
    add column whole_to_at   timestamptz,
    add column remaining     bigint;

-- When the next request to a Gong that does not answer is made; null while all is well.
alter table gong_connections add column next_try_at timestamptz;

-- No call for a week although Gong has users: the key may not see calls. Asked at most once a day.
alter table gong_schedules
    add column doubt_asked_at timestamptz,
    add column doubted_since  timestamptz;

-- Transcripts asked for in an hour, without those of backfills: a sudden flood of them points at misuse.
alter table gong_usage add column transcripts integer not null default 0;

-- While the row is there, no request goes to Gong, from no process. It belongs to no organization.
create table gong_stop (
    "only"     boolean primary key default true check ("only"),
    stopped_at timestamptz not null,
    reason     text not null check (length(reason) between 1 and 300)
);
grant select on gong_stop to soundpost_app;
grant select, insert, update, delete on gong_stop to soundpost_fleet;
