-- What nobody reads any more may be swept out: hours of requests, ended runs, closed losses.

-- The reconciler sweeps out what is old, over all organizations.
grant delete on gong_usage, gong_runs to soundpost_fleet;

-- Closed losses to which no call belongs any more. As their owner: what deletes one would have to see all calls.
create function soundpost_sweep_losses(p_before timestamptz, p_most bigint) returns void
    language sql security definer set search_path = pg_catalog, public, pg_temp
as $$
    delete from gong_losses where id in (
        select l.id from gong_losses l
        where l.closed_at < p_before and not exists (select from gong_calls c where c.loss_id = l.id)
        limit p_most)
$$;
revoke execute on function soundpost_sweep_losses(timestamptz, bigint) from public;
grant execute on function soundpost_sweep_losses(timestamptz, bigint) to soundpost_fleet;
