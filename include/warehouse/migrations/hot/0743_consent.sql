-- What people said about the uses of their data, and who is out of which use because of it. Kept here because raw months leave
-- for cold storage and what somebody said must not.
create table restricted.consent (
    record_id uuid not null,
    person_token uuid not null,
    consent_id text not null,             -- token of the source's id: versions of one consent share it
    purpose text not null,
    decision text not null check (decision in ('permit', 'deny')),
    is_active boolean not null,
    said_at timestamptz not null,
    starts_at timestamptz,
    ends_at timestamptz,
    batch_seq bigint not null,
    primary key (record_id, purpose)
);
create index on restricted.consent (person_token);
comment on table restricted.consent is 'One row per version of a consent and purpose it speaks of; the newest active one of a person and purpose counts.';

create table restricted.consent_read (
    only_row boolean primary key default true check (only_row),
    batch_seq bigint not null
);

create table restricted.opt_out (
    opt_out_id bigint generated always as identity primary key,
    person_token uuid not null,
    purpose text not null,
    recorded_by text not null check (btrim(recorded_by) <> ''),
    recorded_at timestamptz not null default clock_timestamp(),
    withdrawn_by text,
    withdrawn_at timestamptz
);
create index on restricted.opt_out (person_token);
comment on table restricted.opt_out is 'One row per opt-out told to this organisation directly; in force while not withdrawn.';

create table restricted.opted_out (
    person_key uuid not null,
    purpose text not null,
    because text not null check (because in ('consent', 'opt_out', 'no_consent')),
    primary key (person_key, purpose)
);
comment on table restricted.opted_out is 'One row per person and purpose their data may not be used for, as of the last night.';

grant select, insert, update, delete on restricted.consent, restricted.consent_read, restricted.opted_out to transformer;
grant select, delete on restricted.opt_out to transformer;
grant select, insert, update on restricted.opt_out to privacy_officer;
grant delete on restricted.identity_decision to transformer;  -- of a person who is erased
grant select on restricted.consent, restricted.opted_out to privacy_officer;
grant usage on schema restricted to publisher;
grant select on restricted.opted_out to publisher;
