-- Matching by likeness: what a person has decided about two records, and what waits for a decision. Tokens only.
alter table restricted.person_evidence add column same_as uuid[] not null default '{}';  -- records the source itself calls the same
alter table restricted.resolution add column decision_no bigint not null default 0;      -- decisions up to here were followed

create table restricted.identity_decision (
    decision_no bigint generated always as identity primary key,
    one uuid not null,
    other uuid not null,
    verdict text not null check (verdict in ('accept', 'reject', 'withdraw')),
    decided_by text not null check (decided_by <> ''),
    reason text not null check (reason <> ''),
    decided_at timestamptz not null default clock_timestamp(),
    check (one < other)
);
comment on table restricted.identity_decision is 'One row per decision of a person about two records; of two about the same records the later holds, withdraw undoes.';

create table restricted.identity_review (
    review_no bigint generated always as identity primary key,
    one uuid not null,
    other uuid not null,
    chance double precision not null,                   -- that they are one person, by the model
    levels jsonb not null,                              -- how each trait agrees; words of the policy only
    why text not null,                                  -- why it was not joined without a person
    first_night date not null,
    night date not null,
    unique (one, other),
    check (one < other)
);
comment on table restricted.identity_review is 'One row per pair of records that may be one person and waits for a decision.';

grant select, insert, update, delete on restricted.identity_review to transformer;
grant select on restricted.identity_decision to transformer;
grant select on restricted.identity_review, restricted.person_evidence to privacy_officer;
grant select, insert on restricted.identity_decision to privacy_officer;
