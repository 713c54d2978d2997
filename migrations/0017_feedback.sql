-- Calls become feedback: boards, posts, and the evidence for each.

-- ---------------------------------------------------------------- which calls changed

-- Calls whose transcript came, changed or went. Whoever works on feedback takes rows away in the transaction in which the call is
-- entered in the ledger below. No reference to the call: it may be gone.
create table feedback_changes (
    call_id         uuid primary key,
    organization_id uuid not null references organizations on delete cascade,
    changed_at      timestamptz not null default now()
);
create index feedback_changes_of_organization on feedback_changes (organization_id, changed_at);

-- ---------------------------------------------------------------- boards and what belongs to them

create table feedback_settings (
    organization_id  uuid primary key references organizations on delete cascade,
    -- automatic: published at once; approval: nothing is published before somebody said yes.
    mode             text not null default 'automatic' check (mode in ('automatic', 'approval')),
    -- off, basic (in this process) or model (a language model).
    analyzer         text not null default 'basic' check (analyzer in ('off', 'basic', 'model')),
    -- Whether tags that are not on the list may be added.
    may_add_tags     boolean not null default false,
    -- Above the first a wish joins the post that it is like, above the second somebody is asked; null: as the model says.
    join_at          real check (join_at between 0 and 1),
    ask_at           real check (ask_at between 0 and 1),
    -- Our products, our competitors, our own domains.
    vocabulary       jsonb not null default '{}',
    default_board_id uuid,
    -- Millionths of a dollar a month for models; null: no end.
    monthly_cap      bigint check (monthly_cap >= 0),
    -- Counts what changes the outcome of the stages.
    version          integer not null default 1,
    updated_at       timestamptz not null default now()
);

create table boards (
    id              uuid primary key,
    organization_id uuid not null references organizations on delete cascade,
    name            text not null check (length(name) between 1 and 80),
    description     text not null default '' check (length(description) <= 500),
    created_at      timestamptz not null,
    archived_at     timestamptz
);
create unique index boards_names on boards (organization_id, lower(name)) where archived_at is null;
alter table feedback_settings add foreign key (default_board_id) references boards on delete set null;

create table board_categories (
    id              uuid primary key,
    organization_id uuid not null references organizations on delete cascade,
    board_id        uuid not null references boards on delete cascade,
    name            text not null check (length(name) between 1 and 40)
);
create unique index board_categories_names on board_categories (board_id, lower(name));

create table feedback_tags (
    organization_id uuid not null references organizations on delete cascade,
    name            text not null check (length(name) between 1 and 40),
    created_at      timestamptz not null,
    primary key (organization_id, name)
);

-- ---------------------------------------------------------------- posts and evidence

create table posts (
    id              uuid primary key,
    organization_id uuid not null references organizations on delete cascade,
    board_id        uuid not null references boards,
    title           text not null,
    summary         text not null,
    description     text not null,
    kind            text not null,
    sentiment       text not null,
    priority        text not null,
    area            text not null,
    category        text,
    tags            text[] not null default '{}',
    -- open, planned, in_progress, done, declined: what the organization does about it.
    status          text not null default 'open',
    -- review: nobody said yes yet; published; withdrawn: the last evidence is gone, and with it every word; rejected.
    state           text not null check (state in ('review', 'published', 'withdrawn', 'rejected')),
    -- Whose words title, summary and description are; null when a person wrote them.
    text_of         uuid,
    -- What made it: basic/1, or a model.
    analyzer        text not null,
    evidence_count  integer not null default 0,
    account_count   integer not null default 0,
    first_asked_at  timestamptz,
    last_asked_at   timestamptz,
    created_at      timestamptz not null,
    updated_at      timestamptz not null,
    version         integer not null default 1
);
create index posts_most_asked on posts
    (organization_id, state, account_count desc, coalesce(last_asked_at, created_at) desc, id desc);
create index posts_newest on posts (organization_id, state, created_at desc, id desc);
create index posts_of_board on posts (board_id);

create table evidence (
    id              uuid primary key,
    organization_id uuid not null references organizations on delete cascade,
    post_id         uuid not null references posts on delete cascade,
    call_id         uuid not null references gong_calls on delete cascade,
    content_hash    bytea not null,
    place           smallint not null,
    title           text not null,
    summary         text not null,
    description     text not null,
    kind            text not null,
    sentiment       text not null,
    priority        text not null,
    area            text not null,
    pain_points     text[] not null default '{}',
    quotes          jsonb not null,
    author          text,
    account         text,
    call_title      text,
    call_url        text,
    called_at       timestamptz not null,
    -- How like the post it joined was; null where it made the post.
    similarity      real,
    -- maker, joined (by similarity), person (somebody put it there).
    joined          text not null check (joined in ('maker', 'joined', 'person')),
    -- The post that it may be a duplicate of; somebody is asked.
    doubt_post_id   uuid references posts on delete set null,
    analyzer        text not null,
    created_at      timestamptz not null,
    unique (call_id, content_hash, place)
);
create index evidence_of_post on evidence (post_id, called_at desc, id);
create index evidence_of_call on evidence (call_id);
create index evidence_of_organization on evidence (organization_id, called_at);

-- Somebody took this wish out of that post: they are never put together again by us.
create table evidence_partings (
    organization_id uuid not null references organizations on delete cascade,
    call_id         uuid not null references gong_calls on delete cascade,
    title           text not null,
    post_id         uuid not null references posts on delete cascade,
    primary key (call_id, title, post_id)
);
create index evidence_partings_of_post on evidence_partings (post_id);

create table post_vectors (
    post_id         uuid primary key references posts on delete cascade,
    organization_id uuid not null references organizations on delete cascade,
    model           text not null,
    -- Little-endian 32-bit floats, of length one.
    vector          bytea not null,
    changed         bigint generated always as identity
);
create index post_vectors_changed on post_vectors (organization_id, changed);
-- Counts the vectors that went, for those who hold a copy.
alter table feedback_settings add column vectors_gone bigint not null default 0;

-- ---------------------------------------------------------------- the stages of each call

create table feedback_calls (
    call_id         uuid primary key references gong_calls on delete cascade,
    organization_id uuid not null references organizations on delete cascade,
    content_hash    bytea,
    -- wanted, done, discarded (with a reason), failed (with a reason), waiting (for the cap, for a board, for a model).
    state           text not null check (state in ('wanted', 'waiting', 'done', 'discarded', 'failed')),
    reason          text,
    -- With what it was done: settings, analyzer, prompt.
    made_by         text,
    items           integer not null default 0,
    tries           integer not null default 0,
    due_at          timestamptz not null,
    stored_at       timestamptz not null,
    finished_at     timestamptz
);
create index feedback_calls_due on feedback_calls (organization_id, due_at) where state in ('wanted', 'waiting');
create index feedback_calls_of_organization on feedback_calls (organization_id, state);

create table feedback_stages (
    call_id         uuid not null references gong_calls on delete cascade,
    organization_id uuid not null references organizations on delete cascade,
    stage           text not null check (stage in ('normalize', 'detect', 'extract', 'deduplicate', 'organize')),
    content_hash    bytea not null,
    made_by         text not null,
    output          jsonb not null,
    why             text not null,
    score           real,
    input_tokens    bigint not null default 0,
    output_tokens   bigint not null default 0,
    cost            bigint not null default 0,
    took_ms         integer not null default 0,
    at              timestamptz not null,
    primary key (call_id, stage, content_hash)
);

-- What models used, month by month.
create table model_usage (
    organization_id uuid not null references organizations on delete cascade,
    month           date not null,
    model           text not null,
    asks            bigint not null default 0,
    input_tokens    bigint not null default 0,
    output_tokens   bigint not null default 0,
    -- Millionths of a dollar.
    cost            bigint not null default 0,
    primary key (organization_id, month, model)
);

-- ---------------------------------------------------------------- what changes by itself

-- Run by whoever changes transcripts, once a statement. A whole organization that goes leaves nothing here.
create function soundpost_feedback_change() returns trigger
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$ begin
    insert into feedback_changes (call_id, organization_id)
    select c.call_id, c.organization_id from changed c
    where exists (select from organizations o where o.id = c.organization_id)
    on conflict (call_id) do update set changed_at = now();
    return null;
end $$;
create trigger transcripts_came after insert on gong_transcripts
    referencing new table as changed for each statement execute function soundpost_feedback_change();
create trigger transcripts_changed after update on gong_transcripts
    referencing new table as changed for each statement execute function soundpost_feedback_change();
create trigger transcripts_went after delete on gong_transcripts
    referencing old table as changed for each statement execute function soundpost_feedback_change();

-- A transcript that goes (private, vanished, erased, too old) takes its evidence and everything derived along, in the same
-- transaction: nobody has to remember to do it. Whoever is at work on the call holds its row here: it is waited for, and finds
-- afterwards that the call is no longer to be worked on. The lock is the one under which wishes are put together.
create function soundpost_feedback_forget() returns trigger
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$ begin
    perform pg_advisory_xact_lock(hashtextextended('feedback:' || o.organization_id, 0))
    from (select distinct g.organization_id from gone g order by 1) o;
    update feedback_calls f set state = 'discarded', reason = 'transcript_gone', content_hash = null, items = 0
    from gone g where f.call_id = g.call_id;
    delete from feedback_stages s using gone g where s.call_id = g.call_id;
    delete from evidence_partings p using gone g where p.call_id = g.call_id;
    delete from evidence e using gone g where e.call_id = g.call_id;
    return null;
end $$;
create trigger transcripts_forgotten after delete on gong_transcripts
    referencing old table as gone for each statement execute function soundpost_feedback_forget();

-- A transcript that changes (somebody was erased) is looked at anew, and what stages left of its old words goes at once. Whoever
-- is at work on the old words stores nothing of them: the number that it holds is no longer the one that counts.
create function soundpost_feedback_reread() returns trigger
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$ begin
    update feedback_calls f set tries = f.tries + 1, content_hash = null from changed c where f.call_id = c.call_id;
    delete from feedback_stages s using changed c where s.call_id = c.call_id;
    return null;
end $$;
create trigger transcripts_reread after update on gong_transcripts
    referencing new table as changed for each statement execute function soundpost_feedback_reread();

-- Counts of a post follow its evidence. Its words are those of its oldest evidence unless a person wrote them; without
-- evidence every word goes.
-- New evidence does not change words.
create function soundpost_post_recount(p_posts uuid[], p_lost boolean) returns void
    language sql security definer set search_path = pg_catalog, public, pg_temp
as $$
    update posts p set
        evidence_count = coalesce(n.evidence, 0), account_count = coalesce(n.accounts, 0),
        first_asked_at = n.first_at, last_asked_at = n.last_at, updated_at = now(), version = p.version + 1,
        state = case when n.evidence is null and p.state in ('published', 'review') then 'withdrawn' else p.state end,
        title = case when n.evidence is null then '' when keep.yes then p.title else w.title end,
        summary = case when n.evidence is null then '' when keep.yes then p.summary else w.summary end,
        description = case when n.evidence is null then '' when keep.yes then p.description else w.description end,
        text_of = case when n.evidence is null then null when keep.yes then p.text_of else w.id end
    from unnest(p_posts) as those (id)
    left join lateral (
        select count(*)::integer as evidence, count(distinct coalesce(e.account, e.call_id::text))::integer as accounts,
            min(e.called_at) as first_at, max(e.called_at) as last_at
        from evidence e where e.post_id = those.id having count(*) > 0) n on true
    left join lateral (
        select e.id, e.title, e.summary, e.description from evidence e where e.post_id = those.id
        order by e.created_at, e.id limit 1) w on true
    left join lateral (
        select p2.text_of is null or not p_lost or exists (select from evidence e where e.id = p2.text_of and e.post_id = p2.id) as yes
        from posts p2 where p2.id = those.id) keep on true
    where p.id = those.id
$$;

create function soundpost_evidence_changed() returns trigger
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$
declare
    those uuid[];
    texts uuid[];
begin
    if tg_op = 'DELETE' then
        select array_agg(distinct post_id) into those from gone;
    elsif tg_op = 'INSERT' then
        select array_agg(distinct post_id) into those from came;
    else
        select array_agg(distinct post_id) into those from (select post_id from gone union select post_id from came) both_sides;
    end if;
    if those is null then
        return null;
    end if;
    -- Whoever counts next sees what was counted before.
    perform from posts where id = any (those) order by id for update;
    -- A vector is derived from the words that it was made of.
    if tg_op <> 'INSERT' then
        select array_agg(p.id) into texts from posts p
        where p.id = any (those) and p.text_of is not null
            and not exists (select from evidence e where e.id = p.text_of and e.post_id = p.id);
        delete from post_vectors v where v.post_id = any (texts)
            or (v.post_id = any (those) and not exists (select from evidence e where e.post_id = v.post_id));
    end if;
    perform soundpost_post_recount(those, tg_op <> 'INSERT');
    return null;
end $$;
create trigger evidence_came after insert on evidence
    referencing new table as came for each statement execute function soundpost_evidence_changed();
create trigger evidence_moved after update on evidence
    referencing old table as gone new table as came for each statement execute function soundpost_evidence_changed();
create trigger evidence_went after delete on evidence
    referencing old table as gone for each statement execute function soundpost_evidence_changed();

create function soundpost_vectors_gone() returns trigger
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$ begin
    update feedback_settings s set vectors_gone = s.vectors_gone + 1
    where s.organization_id in (select organization_id from gone);
    return null;
end $$;
create trigger vectors_went after delete on post_vectors
    referencing old table as gone for each statement execute function soundpost_vectors_gone();

create function soundpost_organization_feedback() returns trigger
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$ begin
    insert into feedback_settings (organization_id) values (new.id) on conflict do nothing;
    return null;
end $$;
create trigger organizations_have_feedback after insert on organizations
    for each row execute function soundpost_organization_feedback();

-- ---------------------------------------------------------------- who may what

do $$
declare
    t text;
    f text;
begin
    foreach t in array array['feedback_changes', 'feedback_settings', 'boards', 'board_categories', 'feedback_tags', 'posts', 'evidence',
        'evidence_partings', 'post_vectors', 'feedback_calls', 'feedback_stages', 'model_usage'] loop
        execute format('alter table %I enable row level security', t);
        execute format('alter table %I force row level security', t);
        execute format(
            'create policy own_organization on %I to soundpost_app using (organization_id = soundpost_organization()) with check (organization_id = soundpost_organization())', t);
        execute format('create policy fleet on %I to soundpost_fleet using (true) with check (true)', t);
        -- What runs as the user that migrates: the functions above.
        execute format('create policy keeper on %I to %I using (true) with check (true)', t, current_user);
        execute format('grant select, insert, update, delete on %I to soundpost_app', t);
        execute format('grant select on %I to soundpost_fleet', t);
    end loop;
    foreach f in array array['soundpost_feedback_change()', 'soundpost_feedback_forget()',
        'soundpost_feedback_reread()', 'soundpost_post_recount(uuid[], boolean)',
        'soundpost_evidence_changed()', 'soundpost_vectors_gone()', 'soundpost_organization_feedback()'] loop
        execute format('revoke execute on function %s from public', f);
    end loop;
end $$;
insert into feedback_settings (organization_id) select id from organizations on conflict do nothing;
