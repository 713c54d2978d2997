-- The core: organizations and people, the Gong connection, calls and transcripts.
--
-- Two roles, neither of which owns anything or can log in:
--   soundpost_app    one organization at a time, named by the transaction-local setting soundpost.organization
--   soundpost_fleet  the few reads and claims that cross organizations (modules called `fleet`)

do $$ begin
    create role soundpost_app nologin nosuperuser nobypassrls;
exception when duplicate_object or unique_violation then null; end $$;
do $$ begin
    create role soundpost_fleet nologin nosuperuser nobypassrls;
exception when duplicate_object or unique_violation then null; end $$;
do $$ begin
    execute format('grant soundpost_app, soundpost_fleet to %I', current_user);
exception when others then
    -- A superuser needs no membership.
    if not (select rolsuper from pg_roles where rolname = current_user) then raise; end if;
end $$;

create extension if not exists pg_trgm;

create function soundpost_organization() returns uuid
    language sql stable parallel safe
    as $$ select nullif(current_setting('soundpost.organization', true), '')::uuid $$;

grant usage on schema public to soundpost_app, soundpost_fleet;

-- ---------------------------------------------------------------- organizations and people

create table organizations (
    id         uuid primary key,
    name       text not null check (length(name) between 1 and 200),
    created_at timestamptz not null
);

create table users (
    id                   uuid primary key,
    email                text not null unique check (email = lower(email) and length(email) between 3 and 320),
    password_hash        text not null,
    must_change_password boolean not null default false,
    password_changed_at  timestamptz not null,
    created_at           timestamptz not null
);

create table memberships (
    organization_id uuid not null references organizations on delete cascade,
    user_id         uuid not null references users on delete cascade,
    role            text not null check (role in ('owner', 'admin', 'member', 'viewer')),
    created_at      timestamptz not null,
    primary key (organization_id, user_id)
);
create index memberships_of_user on memberships (user_id);

-- Sessions are found by a hash of the cookie's id, before anybody knows an organization.
create table sessions (
    id_hash    bytea primary key,
    user_id    uuid references users on delete cascade,
    data       jsonb not null,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null
);
create index sessions_by_expiry on sessions (expires_at);
create index sessions_of_user on sessions (user_id);

-- Counts login tries per bucket (a hash of account, address or known device) and second; the last minute is summed.
create table login_tries (
    bucket bytea not null,
    second timestamptz not null,
    tries  integer not null,
    primary key (bucket, second)
);
create index login_tries_by_second on login_tries (second);

-- Browsers from which a user has logged in before; they are throttled apart from strangers.
create table known_devices (
    device_hash bytea primary key,
    user_id     uuid not null references users on delete cascade,
    seen_at     timestamptz not null
);
create index known_devices_of_user on known_devices (user_id);

create table api_keys (
    id              uuid primary key,
    organization_id uuid not null references organizations on delete cascade,
    name            text not null check (length(name) between 1 and 100),
    prefix          text not null,
    secret_hash     bytea not null unique,
    role            text not null check (role in ('admin', 'member', 'viewer')),
    created_by      uuid references users on delete set null,
    created_at      timestamptz not null,
    last_used_at    timestamptz,
    revoked_at      timestamptz
);
create index api_keys_of_organization on api_keys (organization_id, created_at desc);

create table audit_log (
    id              uuid primary key,
    organization_id uuid not null references organizations on delete cascade,
    at              timestamptz not null,
    actor_kind      text not null check (actor_kind in ('user', 'api_key', 'job', 'operator')),
    actor_id        uuid,
    actor_label     text,
    action          text not null,
    target          text,
    detail          jsonb not null default '{}',
    request_id      text,
    ip              text,
    -- The order of writing; ids of one millisecond have none.
    line            bigint generated always as identity
);
create index audit_log_newest on audit_log (organization_id, line desc);

-- ---------------------------------------------------------------- the Gong connection

create table gong_connections (
    id                     uuid primary key,
    organization_id        uuid not null references organizations on delete cascade,
    status                 text not null check (status in ('connecting', 'connected', 'reconnect_required', 'paused', 'disconnected')),
    -- A stable code that explains reconnect_required and paused.
    reason                 text,
    paused_until           timestamptz,
    auth_kind              text not null check (auth_kind in ('oauth', 'access_key')),
    api_base_url           text not null,
    -- [{"id": "...", "name": "..."}]; empty until the company is known.
    workspaces             jsonb not null default '[]',
    granted_scopes         text[] not null default '{}',
    missing_scopes         text[] not null default '{}',
    scope_probe_at         timestamptz,
    history_days           integer check (history_days between 1 and 60),
    connected_at           timestamptz not null,
    last_error_code        text,
    last_error_at          timestamptz,
    connected_by           uuid references users on delete set null,
    created_at             timestamptz not null,
    updated_at             timestamptz not null,
    disconnected_at        timestamptz
);
create unique index gong_connections_one_live on gong_connections (organization_id) where status <> 'disconnected';
create index gong_connections_by_organization on gong_connections (organization_id, created_at desc);

-- One Gong company, one organization: a workspace id can be claimed once in the whole installation.
create table gong_company_claims (
    workspace_id    text primary key,
    organization_id uuid not null references organizations on delete cascade,
    connection_id   uuid not null references gong_connections on delete cascade
);
create index gong_company_claims_of_connection on gong_company_claims (connection_id);

create table gong_credentials (
    connection_id    uuid primary key references gong_connections on delete cascade,
    organization_id  uuid not null references organizations on delete cascade,
    kind             text not null check (kind in ('oauth', 'access_key')),
    key_id           text not null,
    -- OAuth: the access token. Access key: the key and its secret.
    access_sealed    text not null,
    refresh_sealed   text,
    expires_at       timestamptz,
    refresh_due_at   timestamptz,
    -- Counts the tokens of this connection; a stored token is newer when its generation is higher.
    generation       bigint not null,
    refreshed_at     timestamptz not null,
    -- The only process that may talk to the token endpoint for this connection, by database time.
    lease_holder     uuid,
    lease_until      timestamptz,
    refresh_failures integer not null default 0,
    retry_at         timestamptz,
    -- The refresh token was refused; no refresh until somebody connects again.
    dead_since       timestamptz
);
create index gong_credentials_due on gong_credentials (refresh_due_at) where dead_since is null and kind = 'oauth';

create table gong_flows (
    state_hash      bytea primary key,
    organization_id uuid not null references organizations on delete cascade,
    user_id         uuid not null references users on delete cascade,
    -- The session that began, and the secret in the browser's flow cookie.
    session_hash    bytea not null,
    browser_hash    bytea not null,
    history_days    integer check (history_days between 1 and 60),
    created_at      timestamptz not null,
    expires_at      timestamptz not null,
    consumed_at     timestamptz
);
create index gong_flows_by_expiry on gong_flows (expires_at);

-- When each connection is looked at, and what may be imported.
create table gong_schedules (
    connection_id       uuid primary key references gong_connections on delete cascade,
    organization_id     uuid not null references organizations on delete cascade,
    -- False while the connection is paused or disconnected.
    active              boolean not null,
    -- No call that started before this moment is ever imported.
    import_floor        timestamptz not null,
    -- Only calls of these Gong workspaces are imported; null means all.
    selected_workspaces text[],
    poll_every_seconds  integer check (poll_every_seconds between 300 and 86400),
    overlap_seconds     integer check (overlap_seconds between 3600 and 1209600),
    next_poll_at        timestamptz not null,
    -- When the last poll that ended well began; the next one looks back from here.
    last_poll_at        timestamptz,
    next_sweep_at       timestamptz not null,
    last_sweep_at       timestamptz,
    -- Since when we know that this company uses private calls.
    private_seen_at     timestamptz
);
create index gong_schedules_due_polls on gong_schedules (next_poll_at) where active;
create index gong_schedules_due_sweeps on gong_schedules (next_sweep_at) where active;

-- The pace of one Gong company over all our processes.
create table gong_budgets (
    connection_id   uuid primary key references gong_connections on delete cascade,
    organization_id uuid not null references organizations on delete cascade,
    next_slot_at    timestamptz not null default '-infinity',
    held_until      timestamptz,
    held_reason     text
);

create table gong_usage (
    connection_id   uuid not null references gong_connections on delete cascade,
    organization_id uuid not null references organizations on delete cascade,
    hour            timestamptz not null,
    fresh           integer not null default 0,
    backfill        integer not null default 0,
    primary key (connection_id, hour)
);

-- ---------------------------------------------------------------- what we hold

create table gong_runs (
    id                 uuid primary key,
    organization_id    uuid not null references organizations on delete cascade,
    connection_id      uuid not null references gong_connections on delete cascade,
    kind               text not null check (kind in ('poll', 'backfill', 'sweep')),
    state              text not null check (state in ('running', 'done', 'cancelled', 'failed')),
    from_at            timestamptz not null,
    to_at              timestamptz not null,
    created_at         timestamptz not null,
    finished_at        timestamptz,
    requests           integer not null default 0,
    -- Calls that Gong says lie in the window, as far as is known; null before the first answer.
    total              integer,
    listed             integer not null default 0,
    calls_new          integer not null default 0,
    skipped_private    integer not null default 0,
    transcripts_stored integer not null default 0,
    -- In thousandths; never goes back.
    progress           integer not null default 0 check (progress between 0 and 1000),
    error_code         text
);
create unique index gong_runs_one_live on gong_runs (connection_id, kind) where state = 'running';
create index gong_runs_newest on gong_runs (organization_id, connection_id, kind, created_at desc);

-- What is still to be listed for a run; a finished window is gone.
create table gong_windows (
    run_id          uuid not null references gong_runs on delete cascade,
    organization_id uuid not null references organizations on delete cascade,
    from_at         timestamptz not null,
    to_at           timestamptz not null,
    -- How often this window was walked again because the list moved under the walk.
    walked_again    integer not null default 0,
    primary key (run_id, from_at),
    check (from_at < to_at)
);

create table gong_calls (
    id                uuid primary key,
    organization_id   uuid not null references organizations on delete cascade,
    connection_id     uuid not null references gong_connections on delete cascade,
    gong_call_id      text not null check (length(gong_call_id) between 1 and 40),
    title             text,
    url               text,
    started_at        timestamptz not null,
    duration_seconds  bigint,
    direction         text,
    system            text,
    scope             text,
    media             text,
    language          text,
    workspace_id      text,
    primary_user_id   text,
    -- [{speaker_id, user_id, name, email, phone, title, affiliation}]
    parties           jsonb not null default '[]',
    -- Parties were missing in Gong's answer.
    is_partial        boolean not null default false,
    -- Lower-case title, names and addresses, for the search box.
    search_text       text not null default '',
    -- 0 from polls, 1 from backfills: fresh calls go first.
    lane              smallint not null default 0,
    transcript_state  text not null default 'wanted' check (transcript_state in ('wanted', 'waiting', 'stored', 'gave_up')),
    transcript_reason text,
    waiting_since     timestamptz,
    next_try_at       timestamptz,
    tries             integer not null default 0,
    stored_at         timestamptz,
    -- When we last saw this call's metadata, and so its privacy.
    looked_at         timestamptz not null,
    -- Since when Gong no longer lists it.
    missing_since     timestamptz,
    created_at        timestamptz not null,
    unique (connection_id, gong_call_id)
);
create index gong_calls_newest on gong_calls (organization_id, started_at desc, id desc);
create index gong_calls_by_state on gong_calls (organization_id, transcript_state, started_at desc, id desc);
create index gong_calls_ledger on gong_calls (connection_id, lane, next_try_at) where transcript_state in ('wanted', 'waiting');
create index gong_calls_unconfirmed on gong_calls (connection_id) where stored_at > looked_at;
create index gong_calls_search on gong_calls using gin (search_text gin_trgm_ops);

create table gong_transcripts (
    call_id         uuid primary key references gong_calls on delete cascade,
    organization_id uuid not null references organizations on delete cascade,
    -- The monologues exactly as Gong sent them: a JSON array.
    body            text not null,
    sentences       integer not null,
    words           integer not null,
    end_ms          bigint not null,
    stored_at       timestamptz not null
);
-- lz4 costs a fraction of the default's time; not every server is built with it.
do $$ begin
    alter table gong_transcripts alter column body set compression lz4;
exception when others then null; end $$;

-- Calls that we know of and must not hold: nothing but the id and why.
create table gong_tombstones (
    connection_id   uuid not null references gong_connections on delete cascade,
    organization_id uuid not null references organizations on delete cascade,
    gong_call_id    text not null check (length(gong_call_id) between 1 and 40),
    reason          text not null check (reason in ('private', 'privacy_unknown', 'gone')),
    noticed_at      timestamptz not null,
    primary key (connection_id, gong_call_id)
);

-- Calls per state, kept by triggers so that no page has to count.
create table gong_call_counts (
    connection_id    uuid not null references gong_connections on delete cascade,
    organization_id  uuid not null references organizations on delete cascade,
    transcript_state text not null,
    calls            bigint not null,
    primary key (connection_id, transcript_state)
);

create function gong_calls_count_new() returns trigger language plpgsql as $$ begin
    insert into gong_call_counts as c (connection_id, organization_id, transcript_state, calls)
    select connection_id, organization_id, transcript_state, count(*) from new_rows group by 1, 2, 3 order by 1, 3
    on conflict (connection_id, transcript_state) do update set calls = c.calls + excluded.calls;
    return null;
end $$;
create function gong_calls_count_old() returns trigger language plpgsql as $$ begin
    update gong_call_counts c set calls = c.calls - o.n
    from (select connection_id, transcript_state, count(*) as n from old_rows group by 1, 2 order by 1, 2) o
    where c.connection_id = o.connection_id and c.transcript_state = o.transcript_state;
    return null;
end $$;
create function gong_calls_count_change() returns trigger language plpgsql as $$ begin
    insert into gong_call_counts as c (connection_id, organization_id, transcript_state, calls)
    select connection_id, organization_id, transcript_state, sum(n) from (
        select connection_id, organization_id, transcript_state, count(*) as n from new_rows group by 1, 2, 3
        union all
        select connection_id, organization_id, transcript_state, -count(*) from old_rows group by 1, 2, 3
    ) d group by 1, 2, 3 having sum(n) <> 0 order by 1, 3
    on conflict (connection_id, transcript_state) do update set calls = c.calls + excluded.calls;
    return null;
end $$;
create trigger gong_calls_counted_new after insert on gong_calls
    referencing new table as new_rows for each statement execute function gong_calls_count_new();
create trigger gong_calls_counted_old after delete on gong_calls
    referencing old table as old_rows for each statement execute function gong_calls_count_old();
create trigger gong_calls_counted_change after update on gong_calls
    referencing old table as old_rows new table as new_rows for each statement execute function gong_calls_count_change();

-- ---------------------------------------------------------------- operation

create table worker_heartbeats (
    name       text primary key,
    started_at timestamptz not null,
    seen_at    timestamptz not null
);

-- ---------------------------------------------------------------- who may see what

do $$
declare
    t text;
    owned text[] := array[
        'memberships', 'api_keys', 'audit_log', 'gong_connections', 'gong_company_claims', 'gong_credentials',
        'gong_flows', 'gong_schedules', 'gong_budgets', 'gong_usage', 'gong_runs', 'gong_windows', 'gong_calls', 'gong_transcripts',
        'gong_tombstones', 'gong_call_counts'];
begin
    foreach t in array owned loop
        execute format('alter table %I enable row level security', t);
        execute format('alter table %I force row level security', t);
        execute format(
            'create policy own_organization on %I to soundpost_app using (organization_id = soundpost_organization()) with check (organization_id = soundpost_organization())', t);
        execute format('grant select, insert, update, delete on %I to soundpost_app', t);
    end loop;
end $$;

alter table organizations enable row level security;
alter table organizations force row level security;
create policy own_organization on organizations to soundpost_app
    using (id = soundpost_organization()) with check (id = soundpost_organization());
grant select, update on organizations to soundpost_app;

alter table users enable row level security;
alter table users force row level security;
create policy fellow_members on users for select to soundpost_app
    using (exists (select 1 from memberships m where m.user_id = users.id));
grant select (id, email, created_at) on users to soundpost_app;

-- The audit log can only grow.
revoke update, delete on audit_log from soundpost_app;
create function audit_log_is_append_only() returns trigger language plpgsql as $$ begin
    raise exception 'the audit log is append-only';
end $$;
create trigger audit_log_kept before update on audit_log
    for each row execute function audit_log_is_append_only();

-- The fleet role: log-in and sessions, finding what is due, finding flows by their state.
do $$
declare
    t text;
begin
    foreach t in array array[
        'organizations', 'users', 'memberships', 'api_keys', 'audit_log', 'gong_connections', 'gong_credentials', 'gong_flows', 'gong_schedules',
        'gong_runs', 'gong_calls', 'gong_budgets', 'gong_call_counts', 'gong_usage'] loop
        execute format('create policy fleet on %I to soundpost_fleet using (true) with check (true)', t);
    end loop;
end $$;
grant select, insert, update on organizations, users to soundpost_fleet;
grant select, insert on memberships, audit_log to soundpost_fleet;
grant select, update (last_used_at) on api_keys to soundpost_fleet;
grant select, insert, update, delete on sessions, login_tries, known_devices, worker_heartbeats to soundpost_fleet;
grant select, update, delete on gong_flows to soundpost_fleet;
grant select on gong_connections, gong_credentials, gong_schedules, gong_runs, gong_budgets, gong_call_counts, gong_usage to soundpost_fleet;
grant select (id, organization_id, connection_id, transcript_state, lane, next_try_at, stored_at, looked_at) on gong_calls to soundpost_fleet;
-- Overdue transcripts are looked for every minute over all organizations.
create index gong_calls_overdue on gong_calls (next_try_at) where transcript_state in ('wanted', 'waiting');
