-- A call that went before anybody looked at it leaves nothing behind, not even the wish that somebody look: there is nothing to
-- do. Where it was looked at, the row wakes whoever has to put posts right, and goes with that.
create function soundpost_feedback_went() returns trigger
    language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$ begin
    delete from feedback_changes f using changed c
    where f.call_id = c.call_id and not exists (select from feedback_calls l where l.call_id = c.call_id);
    insert into feedback_changes (call_id, organization_id)
    select c.call_id, c.organization_id from changed c
    where exists (select from organizations o where o.id = c.organization_id)
        and exists (select from feedback_calls l where l.call_id = c.call_id)
    on conflict (call_id) do update set changed_at = now();
    return null;
end $$;
revoke execute on function soundpost_feedback_went() from public;

drop trigger transcripts_went on gong_transcripts;
create trigger transcripts_went after delete on gong_transcripts
    referencing old table as changed for each statement execute function soundpost_feedback_went();

delete from feedback_changes f
where not exists (select from gong_transcripts t where t.call_id = f.call_id)
    and not exists (select from feedback_calls l where l.call_id = f.call_id);
