-- Jobs that died together come back apart: a job that kills its worker must not drag others into the dead letters.

create or replace function soundpost_guard_job() returns trigger
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$
declare
    settled boolean := current_setting('soundpost.settling', true) = 'on';
    deaths  integer;
begin
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
