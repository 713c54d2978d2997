-- Requests that are done once: who sends the same Idempotency-Key again gets the first answer.
--
-- A row is claimed before the request is done; the transaction that changes something marks it, and loses when the claim was
-- taken over meanwhile; the answer is kept sealed. Nothing of the request itself is stored but hashes.

create table request_claims (
    id              uuid primary key,
    organization_id uuid not null references organizations on delete cascade,
    -- Hash of caller, operation and key.
    key_hash        bytea not null,
    -- Hash of what was asked; the same key with another request is a mistake.
    fingerprint     bytea not null,
    created_at      timestamptz not null,
    -- How long whoever claimed it may take, by this database's clock.
    claimed_until   timestamptz not null,
    -- A transaction of this request has committed.
    effected        boolean not null default false,
    answered_at     timestamptz,
    key_id          text,
    answer_sealed   text check (length(answer_sealed) <= 400000),
    unique (organization_id, key_hash)
);
create index request_claims_by_age on request_claims (created_at);

alter table request_claims enable row level security;
alter table request_claims force row level security;
create policy own_organization on request_claims to soundpost_app
    using (organization_id = soundpost_organization()) with check (organization_id = soundpost_organization());
grant select, insert, update, delete on request_claims to soundpost_app;
create policy fleet on request_claims to soundpost_fleet using (true) with check (true);
grant select (id, created_at, answered_at), update (effected), delete on request_claims to soundpost_fleet;

-- What lies as a dead letter is counted by kind.
create index dead_letters_by_kind on dead_letters (organization_id, kind, died_at) where state = 'dead';
