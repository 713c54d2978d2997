-- Jobs: what apalis' table lacks. Sending in the sender's transaction, one live job a key, a verdict in one statement,
-- and dead letters.
--
-- apalis fetches, heartbeats and hands the jobs of vanished workers on. It never writes results here (we switch that
-- off): soundpost_settle_job does, fenced by worker name and attempt, so there is no late acknowledgement to race with.
-- apalis.jobs.metadata (hstore, never with null values) holds: sp.kind, sp.organization, sp.subject, sp.key; and as
-- marks: sp.deaths (workers lost), sp.backoff (waits because it failed), sp.again (wanted again while it ran), sp.cancelled.

-- ---------------------------------------------------------------- dead letters

create table dead_letters (
    id              uuid primary key default gen_random_uuid(),
    job_id          text not null unique,
    -- Null only where the job could not be read. No reference to organizations: burying must never fail.
    organization_id uuid,
    lane            text not null,
    kind            text not null,
    subject         uuid,
    key             text,
    priority        integer not null,
    attempts        integer not null,
    max_attempts    integer not null,
    code            text not null,
    trace           text,
    died_at         timestamptz not null default now(),
    state           text not null default 'dead' check (state in ('dead', 'retried', 'discarded')),
    closed_at       timestamptz,
    closed_reason   text check (length(closed_reason) <= 500)
);
create index dead_letters_newest on dead_letters (died_at desc, id desc);
create index dead_letters_of_organization on dead_letters (organization_id, died_at desc, id desc);
create index dead_letters_open on dead_letters (kind, died_at) where state = 'dead';

alter table dead_letters enable row level security;
alter table dead_letters force row level security;
create policy own_organization on dead_letters to soundpost_app
    using (organization_id = soundpost_organization()) with check (organization_id = soundpost_organization());
create policy fleet on dead_letters to soundpost_fleet using (true) with check (true);
-- The functions below run as the user that migrates; it buries for every organization.
do $$ begin
    execute format('create policy keeper on dead_letters to %I using (true) with check (true)', current_user);
end $$;
grant select, update (state, closed_at, closed_reason) on dead_letters to soundpost_app;
grant select, delete, update (state, closed_at, closed_reason) on dead_letters to soundpost_fleet;

-- ---------------------------------------------------------------- finding jobs

create unique index soundpost_jobs_one_live on apalis.jobs ((metadata -> 'sp.organization'), (metadata -> 'sp.key'))
    where status in ('Pending', 'Queued', 'Running') and metadata ? 'sp.key' and not metadata ? 'sp.cancelled';
create index soundpost_jobs_live on apalis.jobs (job_type, status, run_at)
    where status in ('Pending', 'Queued', 'Running');
create index soundpost_jobs_of_subject on apalis.jobs ((metadata -> 'sp.subject'))
    where status in ('Pending', 'Queued', 'Running');
create index soundpost_jobs_ended on apalis.jobs (done_at) where status in ('Done', 'Killed');
-- A row that apalis cannot read stops its worker: such rows must not exist.
alter table apalis.jobs add constraint soundpost_readable check (
    id ~ '^[0-7][0-9A-HJKMNP-TV-Z]{25}$' and job is not null and job_type is not null and attempts >= 0 and max_attempts >= 1
    and status in ('Pending', 'Queued', 'Running', 'Done', 'Failed', 'Killed')
    and (metadata is null or array_position(avals(metadata), null) is null)) not valid;
-- A queue is updated all the time: sweep it often.
alter table apalis.jobs set (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500);

-- ---------------------------------------------------------------- sending

-- 'new', 'moved' (the live one waited for a later time) or 'live' (there is one already).
create function soundpost_enqueue_job(
    p_lane text, p_kind text, p_organization uuid, p_subject uuid, p_key text,
    p_run_at timestamptz, p_priority integer, p_max_attempts integer, p_trace text
) returns text
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$
declare
    at timestamptz := coalesce(p_run_at, now());
    moved record;
begin
    if current_setting('role', true) = 'soundpost_app' and p_organization is distinct from soundpost_organization() then
        raise insufficient_privilege using message = 'a job of another organization cannot be enqueued';
    end if;
    insert into apalis.jobs (id, job_type, job, status, attempts, max_attempts, run_at, priority, metadata)
    values (
        apalis.generate_ulid(), p_lane,
        convert_to(jsonb_strip_nulls(jsonb_build_object(
            'v', 1, 'kind', p_kind, 'organization', p_organization, 'subject', p_subject, 'trace', p_trace))::text, 'UTF8'),
        'Pending', 0, p_max_attempts, at, p_priority,
        hstore(array['sp.kind', p_kind, 'sp.organization', p_organization::text, 'sp.subject', p_subject::text, 'sp.key', p_key]))
    on conflict do nothing;
    if found then
        return 'new';
    end if;
    -- A job that waits because it failed keeps its back-off; any other waits no longer than the newest wish.
    update apalis.jobs j set run_at = at, priority = greatest(j.priority, p_priority)
    where j.metadata -> 'sp.organization' = p_organization::text and j.metadata -> 'sp.key' = p_key
        and j.status = 'Pending' and j.run_at > at
        and not j.metadata ? 'sp.backoff' and not j.metadata ? 'sp.cancelled'
    returning j.id, j.job_type into moved;
    if not found then
        -- One that runs may have looked already: it runs again when it is done.
        update apalis.jobs j set metadata = j.metadata || hstore('sp.again', at::text)
        where j.metadata -> 'sp.organization' = p_organization::text and j.metadata -> 'sp.key' = p_key
            and j.status in ('Queued', 'Running') and not j.metadata ? 'sp.cancelled'
            and (not j.metadata ? 'sp.again' or (j.metadata -> 'sp.again')::timestamptz > at);
        return 'live';
    end if;
    if at <= now() then
        perform pg_notify('apalis::job::insert', json_build_object('job_type', moved.job_type, 'id', moved.id)::text);
    end if;
    return 'moved';
end $$;

-- Ends the waiting jobs of a subject of this transaction's organization; running ones end with their present attempt.
create function soundpost_cancel_jobs(p_subject uuid) returns bigint
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$
declare
    ended bigint;
begin
    update apalis.jobs set status = 'Killed', done_at = now()
    where status = 'Pending'
        and metadata -> 'sp.subject' = p_subject::text and metadata -> 'sp.organization' = soundpost_organization()::text;
    get diagnostics ended = row_count;
    update apalis.jobs set metadata = metadata || hstore('sp.cancelled', 'yes')
    where status in ('Queued', 'Running')
        and metadata -> 'sp.subject' = p_subject::text and metadata -> 'sp.organization' = soundpost_organization()::text;
    return ended;
end $$;

-- ---------------------------------------------------------------- settling

create function soundpost_uuid_or_null(p_text text) returns uuid
    language plpgsql immutable as $$ begin
    return p_text::uuid;
exception when others then
    return null;
end $$;

create function soundpost_bury_job(j apalis.jobs) returns void
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$
declare
    payload jsonb;
begin
    begin
        payload := convert_from(j.job, 'UTF8')::jsonb;
    exception when others then
        payload := null;
    end;
    insert into dead_letters
        (job_id, organization_id, lane, kind, subject, key, priority, attempts, max_attempts, code, trace)
    values (
        j.id, soundpost_uuid_or_null(j.metadata -> 'sp.organization'), j.job_type,
        coalesce(j.metadata -> 'sp.kind', 'unknown'), soundpost_uuid_or_null(j.metadata -> 'sp.subject'),
        j.metadata -> 'sp.key', coalesce(j.priority, 0), j.attempts, j.max_attempts,
        coalesce(j.last_result ->> 'code', 'failed'), left(payload ->> 'trace', 200))
    on conflict (job_id) do nothing;
end $$;

-- Runs whenever a taken job stops being taken, whoever did it.
create function soundpost_guard_job() returns trigger
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$
declare
    settled boolean := current_setting('soundpost.settling', true) = 'on';
    deaths  integer;
begin
    new.metadata := coalesce(new.metadata, ''::hstore);
    if new.status = 'Pending' and settled is not true then
        -- apalis takes it from a worker that is gone. The attempt counts, and the death does.
        deaths := coalesce((new.metadata -> 'sp.deaths')::integer, 0) + 1;
        new.metadata := new.metadata || hstore('sp.deaths', deaths::text);
        new.run_at := greatest(new.run_at, now() + make_interval(secs => random() * 10 * (deaths - 1)));
        if deaths >= 3 or new.attempts >= new.max_attempts then
            new.status := 'Killed';
            new.last_result := jsonb_build_object('code', 'worker_died');
        end if;
    elsif new.status = 'Failed' then
        -- apalis would start a failed job again at once.
        new.status := 'Killed';
    end if;
    if new.metadata ? 'sp.cancelled' and new.status in ('Pending', 'Killed') then
        new.status := 'Killed';
        new.last_result := jsonb_build_object('code', 'cancelled');
    elsif new.status = 'Killed' then
        perform soundpost_bury_job(new);
    end if;
    if new.status = 'Killed' then
        new.done_at := now();
        new.lock_by := null;
    end if;
    return new;
end $$;
create trigger soundpost_guard before update on apalis.jobs for each row
    when (old.status in ('Queued', 'Running') and new.status not in ('Queued', 'Running'))
    execute function soundpost_guard_job();

-- Writes a verdict: 'done', 'next', 'later', 'retry' or 'dead'. Says what became of the job ('Done', 'Pending', 'Killed'),
-- or nothing when it is no longer this worker's.
create function soundpost_settle_job(
    p_id text, p_worker text, p_attempts integer, p_verdict text, p_at timestamptz, p_delay_seconds double precision, p_code text
) returns text
    language plpgsql security definer
    set search_path = pg_catalog, public, pg_temp
as $$
declare
    became text;
begin
    -- Not as a setting of the function: only a superuser may give one to a parameter of ours.
    perform set_config('soundpost.settling', 'on', true);
    update apalis.jobs j set
        status = case
            when p_verdict = 'done' and not coalesce(j.metadata, ''::hstore) ? 'sp.again' then 'Done'
            when p_verdict = 'dead' or (p_verdict = 'retry' and j.attempts + 1 >= j.max_attempts) then 'Killed'
            else 'Pending' end,
        attempts = case p_verdict
            when 'next' then 0
            when 'later' then j.attempts
            when 'done' then case when j.metadata ? 'sp.again' then 0 else j.attempts + 1 end
            else j.attempts + 1 end,
        run_at = case p_verdict
            when 'later' then least(greatest(p_at, now()), (j.metadata -> 'sp.again')::timestamptz)
            when 'done' then coalesce((j.metadata -> 'sp.again')::timestamptz, j.run_at)
            when 'next' then now()
            when 'retry' then now() + make_interval(secs => p_delay_seconds)
            else j.run_at end,
        done_at = case when p_verdict = 'done' and not coalesce(j.metadata, ''::hstore) ? 'sp.again' then now() end,
        lock_by = null,
        lock_at = null,
        last_result = case when p_code is not null then jsonb_build_object('verdict', p_verdict, 'code', p_code) end,
        metadata = delete(case p_verdict
            when 'next' then delete(delete(coalesce(j.metadata, ''::hstore), 'sp.deaths'), 'sp.backoff')
            when 'retry' then coalesce(j.metadata, ''::hstore) || hstore('sp.backoff', 'yes')
            else delete(coalesce(j.metadata, ''::hstore), 'sp.backoff') end, 'sp.again')
    where j.id = p_id and j.lock_by = p_worker and j.attempts = p_attempts and j.status in ('Queued', 'Running')
    returning j.status into became;
    perform set_config('soundpost.settling', 'off', true);
    return became;
end $$;

-- Gives back what a worker holds but does not work on, without counting an attempt.
create function soundpost_hand_back_jobs(p_worker text, p_except text[], p_older_than_seconds double precision) returns bigint
    language plpgsql security definer
    set search_path = pg_catalog, public, pg_temp
as $$
declare
    given bigint;
begin
    perform set_config('soundpost.settling', 'on', true);
    update apalis.jobs j set status = 'Pending', lock_by = null, lock_at = null
    where j.lock_by = p_worker and j.status in ('Queued', 'Running') and not j.id = any (p_except)
        and j.lock_at <= now() - make_interval(secs => p_older_than_seconds);
    get diagnostics given = row_count;
    perform set_config('soundpost.settling', 'off', true);
    return given;
end $$;

-- ---------------------------------------------------------------- who may

do $$
declare
    f regprocedure;
begin
    foreach f in array array[
        'soundpost_enqueue_job(text, text, uuid, uuid, text, timestamptz, integer, integer, text)'::regprocedure,
        'soundpost_cancel_jobs(uuid)'::regprocedure,
        'soundpost_bury_job(apalis.jobs)'::regprocedure,
        'soundpost_guard_job()'::regprocedure,
        'soundpost_settle_job(text, text, integer, text, timestamptz, double precision, text)'::regprocedure,
        'soundpost_hand_back_jobs(text, text[], double precision)'::regprocedure
    ] loop
        execute format('revoke execute on function %s from public', f);
    end loop;
end $$;
grant execute on function
    soundpost_enqueue_job(text, text, uuid, uuid, text, timestamptz, integer, integer, text) to soundpost_app, soundpost_fleet;
grant execute on function soundpost_cancel_jobs(uuid) to soundpost_app;
grant usage on schema apalis to soundpost_fleet;
grant select on apalis.jobs, apalis.workers to soundpost_fleet;
