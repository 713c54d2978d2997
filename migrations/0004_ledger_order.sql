-- The ledger in the order in which it is asked for, so that the next hundred calls are read from the index as they stand
-- instead of being sorted out of all open ones before every request.

create index gong_calls_ledger_order on gong_calls (connection_id, lane, next_try_at nulls first, started_at desc)
    where transcript_state in ('wanted', 'waiting');
drop index gong_calls_ledger;
