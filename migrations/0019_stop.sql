-- Whether all traffic to Gong is stopped, in one statement: every process asks every two seconds. It tells nothing else, so
-- everybody who may connect may ask.
create function soundpost_stopped_since() returns timestamptz
    language sql stable security definer set search_path = pg_catalog, public, pg_temp
as $$ select min(stopped_at) from gong_stop $$;
