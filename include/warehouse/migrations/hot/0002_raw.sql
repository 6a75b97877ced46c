-- Documents of every kind as FHIR R4 JSON, one row a resource version.
create table raw.resource (
    record_id uuid not null,
    source text not null,
    batch_id text not null,
    batch_seq bigint not null,
    data_class text not null,
    resource_type text not null,
    resource_id text not null,            -- token of the source's id, a uuid as text
    version_id text,
    last_updated timestamptz,
    is_deleted boolean not null default false,
    person_token uuid,
    event_at timestamptz,
    received_at timestamptz not null,
    content_sha256 bytea not null,
    match_tokens text[],
    body jsonb,                           -- what the classification lists as clinical, with tokens for ids
    sealed bytea                          -- the rest, AES-256-GCM under the person's data key
) partition by list (data_class);
comment on table raw.resource is 'One row per version of a FHIR resource received. Identifiers are sealed; partitioned by data class and month received.';

-- Resolving and staging read by sequence; lookups by type and id.
create index on raw.resource (batch_seq);
create index on raw.resource (resource_type, batch_seq);

-- The partition of a data class and a month, made when first needed.
-- Names: raw.resource__<class> and raw.resource__<class>__<yyyymm>; for tables raw."<table>__<yyyymm>".
create function raw.ensure_partitions(parent_table text, class_of_data text, month_received date) returns text
language plpgsql security definer set search_path = pg_catalog as $$
declare
    first_day date := date_trunc('month', month_received)::date;
    parent text := parent_table;
    leaf text;
begin
    if parent_table !~ '^[a-z][a-z0-9_]{0,62}$' or class_of_data !~ '^[a-z][a-z0-9_]{0,40}$' then
        raise exception 'raw.ensure_partitions: not a table or data class name';
    end if;
    perform pg_advisory_xact_lock(hashtext('raw.ensure_partitions'));
    if parent_table = 'resource' then
        parent := 'resource__' || class_of_data;
        if to_regclass(format('raw.%I', parent)) is null then
            execute format('create table raw.%I partition of raw.resource for values in (%L) partition by range (received_at)',
                           parent, class_of_data);
        end if;
    end if;
    leaf := left(parent, 54) || '__' || to_char(first_day, 'YYYYMM');
    if to_regclass(format('raw.%I', leaf)) is null then
        execute format('create table raw.%I partition of raw.%I for values from (%L) to (%L)',
                       leaf, parent, first_day::timestamp at time zone 'UTC',
                       (first_day + interval '1 month')::timestamp at time zone 'UTC');
    end if;
    return leaf;
end $$;

-- Which person a token belongs to. Filled by include/identity before the build.
create table restricted.person_link (
    person_token uuid primary key,
    person_key uuid not null,
    linked_at timestamptz not null default clock_timestamp()
);
create index on restricted.person_link (person_key);
comment on table restricted.person_link is 'One row per person token known: the random key of the resolved person it belongs to.';
