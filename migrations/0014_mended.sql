-- Sessions end in the transaction that ends what they were for.

-- Ends the sessions that look at the organization of this transaction: those of one person, or all of them (null). Says how
-- many. An organization's own role does not see the table.
create function soundpost_end_sessions(p_user uuid) returns bigint
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$
declare
    ended bigint;
begin
    delete from sessions
    where (p_user is null or user_id = p_user)
        and data -> 'account' ->> 'organization' = 'org_' || replace(soundpost_organization()::text, '-', '');
    get diagnostics ended = row_count;
    return ended;
end $$;
revoke execute on function soundpost_end_sessions(uuid) from public;
grant execute on function soundpost_end_sessions(uuid) to soundpost_app;
