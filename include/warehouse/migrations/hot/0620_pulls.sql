-- What a pull from a server or database left for the next one. Written in the transaction that writes down what landed.
create table lifecycle.pull_state (
    source text primary key,
    kind text not null,
    marks jsonb not null default '{}',    -- how far the source was read: moments and counts, no patient's value
    progress_sealed bytea,                -- what a killed pull goes on from, for the landing identity only: URLs may open doors
    changed_at timestamptz not null default clock_timestamp()
);
comment on table lifecycle.pull_state is 'One row per source that is asked over a network: how far it was read, and a pull under way.';

create table lifecycle.pulled_row (
    source text not null,
    table_name text not null,
    key_digest bytea not null,            -- keyed hash of the row's key
    content_digest bytea not null,        -- keyed hash of what it said last
    version integer not null,             -- counts its changes and deletions from 1
    is_gone boolean not null default false,
    person_token uuid,
    kept bytea,                           -- key and the like, sealed under the person's data key: what a deletion must tell
    primary key (source, table_name, key_digest)
);
create index on lifecycle.pulled_row (person_token);
comment on table lifecycle.pulled_row is 'One row per row of a source database: what it was when last pulled, as keyed hashes, so that changes and deletions show.';

grant select, insert, update, delete on lifecycle.pull_state, lifecycle.pulled_row to loader;
