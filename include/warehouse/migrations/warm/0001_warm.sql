-- What analysts see. Tables keep versions; views show, per table, the version that governance.published_version names.
create schema versions;
create schema clinical;
create schema measures;
create schema equity;
create schema governance;
create schema workspace;

create table governance.published_version (
    relation text primary key,            -- 'clinical.encounters'
    version integer not null,
    night date not null,
    rows bigint not null,
    content_hash text not null,
    published_at timestamptz not null default clock_timestamp()
);
comment on table governance.published_version is 'One row per published table: the version that its view shows. All flip in one UPDATE.';
create table governance.version (
    relation text not null,
    version integer not null,
    night date not null,
    rows bigint not null,
    content_hash text not null,
    table_name text not null,             -- in schema versions
    made_at timestamptz not null default clock_timestamp(),
    retired_at timestamptz,
    retired_xid xid8,
    primary key (relation, version)
);
comment on table governance.version is 'One row per version ever made of a published table; retired ones are dropped once no snapshot needs them.';

create table governance.nights (
    night date primary key, attempt integer not null, started_at timestamptz, finished_at timestamptz,
    verdict text, published boolean not null, reasons jsonb not null
);
comment on table governance.nights is 'One row per night: its verdict and why.';
create table governance.batches (
    batch_id text primary key, night date not null, source text not null, dataset text not null, state text not null,
    received bigint not null, loaded bigint not null, duplicate bigint not null, quarantined bigint not null,
    quality_share numeric, held_reason text
);
comment on table governance.batches is 'One row per batch: received = loaded + duplicate + quarantined.';
create table governance.quarantine (
    quarantine_id uuid primary key, batch_id text not null, night date not null, source text not null, dataset text not null,
    place text, scope text not null, records bigint not null, resource_type text, reason_code text not null,
    found text not null, expected text not null, action text not null, stage text not null, state text not null
);
comment on table governance.quarantine is 'One row per refused record, file or batch, and what to do about it; no values.';
create table governance.gate_results (
    batch_id text not null, suite text not null, rule text not null, resource_type text, severity text not null,
    dimension text not null, status text not null, tested bigint, failed bigint, threshold numeric,
    primary key (batch_id, suite, rule)
);
comment on table governance.gate_results is 'One row per rule and batch, as counts.';
create table governance.quality_scores (
    night date not null, source text not null, data_class text not null, completeness numeric, accuracy numeric,
    consistency numeric, timeliness numeric, validity numeric, overall numeric, level text, formula text not null,
    primary key (night, source, data_class)
);
comment on table governance.quality_scores is 'One row per night, source and data class: quality dimensions between 0 and 1, with the formula.';
create table governance.source_state (
    night date not null, source text not null, kind text not null, required boolean not null, missing boolean not null,
    stale boolean not null, age_days integer, max_age_days integer, files_new integer not null, files_known integer not null,
    drift jsonb not null, primary key (night, source)
);
comment on table governance.source_state is 'One row per source and night: was it there, how old, did its shape drift.';
create table governance.tier_moves (
    move_id bigint primary key, night date not null, subject text not null, data_class text not null, from_tier text not null,
    to_tier text not null, records bigint not null, bytes bigint, finished_at timestamptz
);
comment on table governance.tier_moves is 'One row per move of a partition or file between tiers.';

revoke all on database warm from public;
revoke all on schema public from public;
grant connect on database warm to publisher, analyst, reader, api, privacy_officer;
grant usage, create on schema versions, clinical, measures, equity to publisher;
grant usage on schema governance to publisher, analyst, reader, api, privacy_officer;
grant select, insert, update, delete on all tables in schema governance to publisher;
grant select on all tables in schema governance to analyst, reader, api, privacy_officer;
grant usage on schema clinical, measures, equity to analyst;
grant usage, create on schema workspace to analyst;
grant usage on schema measures, equity to reader, api;

-- The oldest transaction any session in this database may still look back to. A retired version is dropped only
-- behind it. Owned by plumbline_owner, which may read all sessions' statistics; the caller learns one number.
create function governance.oldest_snapshot() returns xid8 language sql security definer set search_path = pg_catalog as $$
    -- age() counts from the next transaction id, which is the current snapshot's xmax.
    select (pg_snapshot_xmax(pg_current_snapshot())::text::bigint - coalesce(max(age(backend_xmin)), 0))::text::xid8
    from pg_stat_activity
    where datname = current_database() and backend_xmin is not null
$$;
revoke execute on function governance.oldest_snapshot from public;
grant execute on function governance.oldest_snapshot to publisher;
