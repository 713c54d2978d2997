-- Calls that were there before take part. A step of its own: it may take a minute for millions of calls, and waits for nobody.
insert into feedback_changes (call_id, organization_id) select call_id, organization_id from gong_transcripts on conflict do nothing;
