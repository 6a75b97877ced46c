-- Persons across sources: what include/identity keeps from night to night. Nothing here leaves schema restricted but person_key.
create table restricted.person (
    person_key uuid primary key,
    fact_salt uuid not null default gen_random_uuid(),  -- public keys of this person's records are made with it
    first_night date not null,
    source_count smallint not null default 1            -- sources that have told of this person
);
comment on table restricted.person is 'One row per resolved person: the random key that reaches warm, and the random value behind the keys of their records.';

-- The newest patient record behind each token. Kept here because raw months leave for cold storage and evidence must not.
create table restricted.person_evidence (
    person_token uuid primary key,
    source text not null,
    match_tokens text[] not null default '{}',          -- empty where no patient record is known, or it was deleted
    birth_date text,                                    -- as written; contradictions are looked for in these two
    sex text,
    is_deleted boolean not null default false,
    valid_from timestamptz,
    batch_seq bigint not null
);
comment on table restricted.person_evidence is 'One row per person token ever seen: what the newest patient record says of who it is.';

create table restricted.resolution (
    resolution_id bigint generated always as identity primary key,
    night date not null,
    batch_seq bigint not null,                          -- evidence up to here has been read
    policy_digest text not null,
    counts jsonb not null,                              -- numbers only
    resolved_at timestamptz not null default clock_timestamp()
);
comment on table restricted.resolution is 'One row per resolution of persons, with its counts.';

grant select, insert, update, delete on restricted.person, restricted.person_evidence to transformer;
grant select, insert on restricted.resolution to transformer;
grant select on restricted.resolution, restricted.person to privacy_officer;

-- What is gone for good also leaves staging; usually nothing, so the index is small.
create index record_gone on lifecycle.record (record_id) where tier in ('destroyed', 'erased');
