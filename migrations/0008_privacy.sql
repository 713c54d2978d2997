-- Privacy for good: calls that vanish, people that are erased, retention, and the end of an organization.

-- ---------------------------------------------------------------- calls that Gong no longer lists

-- One look that did not find calls which should be there. They are looked at again by id; then they are purged, unless
-- they are so many that an admin is asked.
create table gong_losses (
    id              uuid primary key,
    organization_id uuid not null references organizations on delete cascade,
    connection_id   uuid not null references gong_connections on delete cascade,
    seen_at         timestamptz not null,
    -- How many calls the look should have found.
    expected        integer not null check (expected >= 0),
    -- How many of them are missing, as of the last count.
    missing         integer not null check (missing >= 0),
    state           text not null check (state in ('checking', 'asked', 'purging', 'purged', 'kept', 'returned')),
    asked_at        timestamptz,
    closed_at       timestamptz,
    purged          integer not null default 0
);
create index gong_losses_of_connection on gong_losses (connection_id, seen_at desc);
create index gong_losses_open on gong_losses (organization_id) where state in ('checking', 'asked', 'purging');

alter table gong_calls
    -- The look that missed it; counts only while missing_since is set.
    add column loss_id uuid references gong_losses on delete set null,
    -- An admin keeps it although Gong no longer lists it; counts only while missing_since is set.
    add column kept_at timestamptz,
    -- Its content is gone because the organization's retention time was over.
    add column expired_at timestamptz;
create index gong_calls_of_loss on gong_calls (loss_id) where loss_id is not null;
create index gong_calls_least_looked_at on gong_calls (connection_id, looked_at);

-- How many calls of the slow look over everything are still to be looked at today.
alter table gong_schedules add column relook_left integer not null default 0;

-- ---------------------------------------------------------------- people that are erased, and retention

-- One row an organization, made with it. Whoever stores calls locks it for sharing and so sees every erasure that was
-- asked for before.
create table gong_privacy (
    organization_id   uuid primary key references organizations on delete cascade,
    -- Days after which the content of a call is removed; null: never.
    retention_days    integer check (retention_days between 1 and 3650),
    next_retention_at timestamptz,
    -- Counts the erasures.
    erasures          integer not null default 0
);

-- A person that was erased: the receipt, and the mark by which the person is recognised. No address.
create table gong_erasures (
    id              uuid primary key,
    organization_id uuid not null references organizations on delete cascade,
    kind            text not null check (kind in ('email', 'phone')),
    -- A keyed hash of the address; the key is the organization's own and sealed.
    fingerprint     bytea not null,
    -- Keyed hashes of the names that went with it.
    names           bytea[] not null default '{}',
    requested_at    timestamptz not null,
    requested_by    text not null,
    state           text not null default 'waiting' check (state in ('waiting', 'running', 'done')),
    finished_at     timestamptz,
    -- How far the pass over all calls is: first the people, then every text.
    pass            smallint not null default 0,
    after_call      uuid,
    calls_total     bigint not null default 0,
    calls_seen      bigint not null default 0,
    -- What was removed.
    parties         bigint not null default 0,
    calls           bigint not null default 0,
    sentences       bigint not null default 0,
    mentions        bigint not null default 0,
    records         bigint not null default 0,
    unique (organization_id, fingerprint)
);
create index gong_erasures_newest on gong_erasures (organization_id, requested_at desc, id desc);
create index gong_erasures_open on gong_erasures (organization_id) where state <> 'done';

-- A secret of one organization, sealed: by it erased people are recognised.
create table organization_secrets (
    organization_id uuid primary key references organizations on delete cascade,
    key_id          text not null,
    sealed          text not null,
    created_at      timestamptz not null
);

create function soundpost_organization_privacy() returns trigger
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$ begin
    insert into gong_privacy (organization_id) values (new.id) on conflict do nothing;
    return null;
end $$;
create trigger organizations_have_privacy after insert on organizations
    for each row execute function soundpost_organization_privacy();

do $$
declare
    t text;
begin
    foreach t in array array['gong_losses', 'gong_privacy', 'gong_erasures', 'organization_secrets'] loop
        execute format('alter table %I enable row level security', t);
        execute format('alter table %I force row level security', t);
        execute format(
            'create policy own_organization on %I to soundpost_app using (organization_id = soundpost_organization()) with check (organization_id = soundpost_organization())', t);
        execute format('create policy fleet on %I to soundpost_fleet using (true) with check (true)', t);
        -- What runs as the user that migrates: the trigger above, and the functions below.
        execute format('create policy keeper on %I to %I using (true) with check (true)', t, current_user);
        execute format('grant select, insert, update, delete on %I to soundpost_app', t);
        execute format('grant select on %I to soundpost_fleet', t);
    end loop;
end $$;
do $$ begin
    execute format('create policy keeper on organizations to %I using (true) with check (true)', current_user);
    execute format('create policy keeper on audit_log to %I using (true) with check (true)', current_user);
    execute format('create policy keeper on memberships to %I using (true) with check (true)', current_user);
    execute format('create policy keeper on users to %I using (true) with check (true)', current_user);
end $$;
insert into gong_privacy (organization_id) select id from organizations on conflict do nothing;
create index gong_privacy_due on gong_privacy (next_retention_at) where retention_days is not null;

-- ---------------------------------------------------------------- the audit log forgets an erased person, and nothing else

create or replace function audit_log_is_append_only() returns trigger language plpgsql as $$ begin
    if current_setting('soundpost.forgetting', true) = 'on' and new.id = old.id and new.organization_id = old.organization_id
        and new.at = old.at and new.action = old.action and new.line = old.line then
        return new;
    end if;
    raise exception 'the audit log is append-only';
end $$;

-- Writes the masked texts of a line; who, when and what stay.
create function soundpost_audit_mask(p_id uuid, p_label text, p_target text, p_detail jsonb) returns void
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$ begin
    perform set_config('soundpost.forgetting', 'on', true);
    update audit_log set actor_label = p_label, target = p_target, detail = p_detail
    where id = p_id and organization_id = soundpost_organization();
    perform set_config('soundpost.forgetting', 'off', true);
end $$;

-- ---------------------------------------------------------------- the end of an organization

-- What stays of an organization: nothing about anybody.
create table erased_organizations (
    id         uuid primary key,
    erased_at  timestamptz not null,
    actor_kind text not null,
    counts     jsonb not null
);
alter table erased_organizations enable row level security;
alter table erased_organizations force row level security;
create policy fleet on erased_organizations to soundpost_fleet using (true) with check (true);
do $$ begin
    execute format('create policy keeper on erased_organizations to %I using (true) with check (true)', current_user);
end $$;
grant select on erased_organizations to soundpost_fleet;

-- Erases the organization of this transaction with everything that hangs on it; people who belong to no other go too.
create function soundpost_erase_organization(p_at timestamptz, p_actor_kind text) returns jsonb
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$
declare
    o       uuid := soundpost_organization();
    people  uuid[];
    counted jsonb;
begin
    perform 1 from organizations where id = o for update;
    if not found then
        return null;
    end if;
    select coalesce(array_agg(user_id), '{}') into people from memberships where organization_id = o;
    counted := jsonb_build_object(
        'members', cardinality(people),
        'calls', (select count(*) from gong_calls where organization_id = o),
        'transcripts', (select count(*) from gong_transcripts where organization_id = o));
    delete from apalis.jobs where metadata -> 'sp.organization' = o::text;
    delete from dead_letters where organization_id = o;
    delete from organizations where id = o;
    delete from users u where u.id = any (people) and not exists (select from memberships m where m.user_id = u.id);
    insert into erased_organizations (id, erased_at, actor_kind, counts) values (o, p_at, p_actor_kind, counted)
    on conflict (id) do nothing;
    return counted;
end $$;
do $$ begin
    -- The counts above are read by the user that migrates.
    execute format('create policy keeper on gong_calls for select to %I using (true)', current_user);
    execute format('create policy keeper on gong_transcripts for select to %I using (true)', current_user);
end $$;

-- An account that belongs to no organization any longer.
create function soundpost_forget_account(p_email text) returns boolean
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$ begin
    delete from users u where u.email = p_email and not exists (select from memberships m where m.user_id = u.id);
    return found;
end $$;

do $$
declare
    f regprocedure;
begin
    foreach f in array array[
        'soundpost_organization_privacy()'::regprocedure,
        'soundpost_audit_mask(uuid, text, text, jsonb)'::regprocedure,
        'soundpost_erase_organization(timestamptz, text)'::regprocedure,
        'soundpost_forget_account(text)'::regprocedure
    ] loop
        execute format('revoke execute on function %s from public', f);
    end loop;
end $$;
grant execute on function soundpost_audit_mask(uuid, text, text, jsonb) to soundpost_app;
grant execute on function soundpost_erase_organization(timestamptz, text) to soundpost_app;
grant execute on function soundpost_forget_account(text) to soundpost_app;
