-- After an outage, and against misuse: a silence of all workers is nobody's death, and a flood of transcripts is told of.

-- ---------------------------------------------------------------- silence

-- When all workers were silent at once, the database was away and not they. The first one back must not take the others for
-- dead: it gives them time to show up. One row.
create table worker_silence (
    "only"   boolean primary key default true check ("only"),
    ended_at timestamptz not null
);

-- After how long without a sign of life a worker is gone; workers say it on their connections.
create function soundpost_gone_after() returns interval
    language sql stable set search_path = pg_catalog, public, pg_temp
as $$
    select make_interval(secs => coalesce(nullif(current_setting('soundpost.gone_after', true), '')::float8, 45))
$$;

-- Nobody gave a sign of life for most of that time. Unknown (null) where there never was a worker.
create function soundpost_all_silent() returns boolean
    language sql stable security definer set search_path = pg_catalog, public, pg_temp
as $$
    select max(last_seen) < now() - soundpost_gone_after() * 2 / 3 from apalis.workers
$$;

create function soundpost_note_beat() returns trigger
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$ begin
    if soundpost_all_silent() then
        insert into worker_silence (ended_at) values (now()) on conflict ("only") do update set ended_at = now();
    end if;
    return new;
end $$;
create trigger soundpost_beat before insert or update of last_seen on apalis.workers for each row
    execute function soundpost_note_beat();

-- Whether a worker that seems gone may only have been cut off like all others, and can still show up.
create function soundpost_may_be_back(p_worker text) returns boolean
    language sql stable security definer set search_path = pg_catalog, public, pg_temp
as $$
    select (soundpost_all_silent() or exists (
            select from worker_silence where ended_at > now() - greatest(soundpost_gone_after() / 3, interval '5 seconds')))
        and exists (select from apalis.workers where id = p_worker and last_seen < now() - soundpost_gone_after() * 0.9)
$$;

create or replace function soundpost_guard_job() returns trigger
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$
declare
    settled boolean := current_setting('soundpost.settling', true) = 'on';
    deaths  integer;
begin
    if new.status = 'Pending' and settled is not true and soundpost_may_be_back(old.lock_by) then
        -- It stays with its worker for now.
        return null;
    end if;
    new.metadata := coalesce(new.metadata, ''::hstore);
    if new.status = 'Pending' and settled is not true then
        -- apalis takes it from a worker that is gone. The attempt counts, and the death does.
        -- What got somewhere before it died starts counting anew: it is long, not poisonous.
        if new.metadata ? 'sp.progress' then
            new.metadata := delete(delete(new.metadata, 'sp.progress'), 'sp.deaths');
            new.attempts := 0;
        end if;
        deaths := coalesce((new.metadata -> 'sp.deaths')::integer, 0) + 1;
        new.metadata := new.metadata || hstore(array['sp.deaths', deaths::text, 'sp.backoff', 'yes']);
        -- Everything that a dead worker had in hand comes back at one moment. Taken up together again, jobs would share the
        -- blame of the one among them that kills workers. Nobody who sends one of them again brings it forward.
        new.run_at := greatest(new.run_at, now() + make_interval(secs => random() * case deaths when 1 then 8 else 30 end));
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

revoke execute on function soundpost_gone_after(), soundpost_all_silent(), soundpost_note_beat(), soundpost_may_be_back(text)
    from public;

-- ---------------------------------------------------------------- misuse

-- When a flood of transcripts was told of last; it is told once a day.
alter table gong_schedules add column flood_told_at timestamptz;
