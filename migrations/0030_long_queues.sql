-- A long queue costs no more than a short one.
--
-- Sending a job that lives already read every waiting job of all organizations: PostgreSQL looks into the index of what lives
-- only where a question names each condition of that index, word for word.

-- 'new', 'moved' (the live one waited for a later time) or 'live' (there is one already).
create or replace function soundpost_enqueue_job(
    p_lane text, p_kind text, p_organization uuid, p_subject uuid, p_key text,
    p_run_at timestamptz, p_priority integer, p_max_attempts integer, p_trace text
) returns text
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$
declare
    at timestamptz := coalesce(p_run_at, now());
    turn integer;
    moved record;
begin
    if current_setting('role', true) = 'soundpost_app' and p_organization is distinct from soundpost_organization() then
        raise insufficient_privilege using message = 'a job of another organization cannot be enqueued';
    end if;
    -- A dead letter remembers where its job stood back to; sent again, it takes its place anew.
    turn := greatest(p_priority, 0) - soundpost_stand_back(p_organization, p_lane);
    -- Between two of these statements the job that was in the way may end, or go from one state to another: then the wish is
    -- made anew, and not lost. Others cannot turn it away for ever; the bound is for who asked in a snapshot that stands still.
    for trial in 1..50 loop
        insert into apalis.jobs (id, job_type, job, status, attempts, max_attempts, run_at, priority, metadata)
        values (
            apalis.generate_ulid(), p_lane,
            convert_to(jsonb_strip_nulls(jsonb_build_object(
                'v', 1, 'kind', p_kind, 'organization', p_organization, 'subject', p_subject, 'trace', p_trace))::text, 'UTF8'),
            'Pending', 0, p_max_attempts, at, turn,
            hstore(array['sp.kind', p_kind, 'sp.organization', p_organization::text, 'sp.subject', p_subject::text, 'sp.key', p_key]))
        on conflict do nothing;
        if found then
            return 'new';
        end if;
        -- A job that waits because it failed keeps its back-off; any other waits no longer than the newest wish. One that is
        -- due does not wait: of several senders at once only the first one sends.
        update apalis.jobs j set run_at = at, priority = greatest(j.priority, turn)
        where j.metadata -> 'sp.organization' = p_organization::text and j.metadata -> 'sp.key' = p_key and j.metadata ? 'sp.key'
            and j.status = 'Pending' and j.run_at > at and j.run_at > clock_timestamp()
            and not j.metadata ? 'sp.backoff' and not j.metadata ? 'sp.cancelled'
        returning j.id, j.job_type into moved;
        if found then
            if at <= now() then
                perform pg_notify('apalis::job::insert',
                    json_build_object('job_type', moved.job_type, 'id', moved.id)::text);
            end if;
            return 'moved';
        end if;
        -- One that runs may have looked already: it runs again when it is done.
        update apalis.jobs j set metadata = j.metadata || hstore('sp.again', at::text)
        where j.metadata -> 'sp.organization' = p_organization::text and j.metadata -> 'sp.key' = p_key and j.metadata ? 'sp.key'
            and j.status in ('Queued', 'Running') and not j.metadata ? 'sp.cancelled'
            and (not j.metadata ? 'sp.again' or (j.metadata -> 'sp.again')::timestamptz > at);
        exit when found;
        -- Neither: one lives that does what is wished anyway, or it is gone by now.
        perform from apalis.jobs j
        where j.metadata -> 'sp.organization' = p_organization::text and j.metadata -> 'sp.key' = p_key and j.metadata ? 'sp.key'
            and j.status in ('Pending', 'Queued', 'Running') and not j.metadata ? 'sp.cancelled'
            and case when j.status = 'Pending'
                then j.run_at <= at or j.run_at <= clock_timestamp() or j.metadata ? 'sp.backoff'
                else j.status in ('Queued', 'Running') and (j.metadata -> 'sp.again')::timestamptz <= at end;
        exit when found;
    end loop;
    return 'live';
end $$;
