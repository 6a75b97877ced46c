-- The gate's workshop: the columns that a batch's rules read, taken out of its rows once and judged twice.
-- Tables here live as long as the check of one batch.
create schema checks;
grant usage, create on schema checks to checker;

-- Whom a refused row is about, so that rows about the same person are not called dangling, and erasing finds them.
alter table quality.quarantine add column person_token uuid;
create index on quality.quarantine (person_token) where person_token is not null;
comment on column quality.quarantine.person_token is 'Token of the person the refused record is about, where known.';

create table quality.dimension_count (
    batch_id text not null references lifecycle.batch,
    data_class text not null,
    dimension text not null check (dimension in ('completeness', 'accuracy', 'consistency', 'timeliness', 'validity')),
    tested bigint not null,
    failed bigint not null,
    primary key (batch_id, data_class, dimension)
);
comment on table quality.dimension_count is 'One row per batch, data class and quality dimension: how often its rules were tested and failed.';
grant select, insert, delete on quality.dimension_count to checker;
grant select on quality.dimension_count to publisher;
grant select, delete on quality.dimension_count to loader;

-- Days of birth of people known from earlier deliveries, without letting the gate read anything else of raw.
create function quality.known_births(of_source text) returns table (person_token uuid, birth_date text)
language plpgsql stable security definer set search_path = pg_catalog as $$
begin
    return query
        select distinct on (r.person_token) r.person_token, r.body ->> 'birthDate'
        from raw.resource r
        where r.source = of_source and r.resource_type = 'Patient' and not r.is_deleted
        order by r.person_token, r.batch_seq desc;
    if to_regclass('mapped.patient') is not null then
        return query execute
            'select distinct on (m.person_token) m.person_token, m.birth_date::text from mapped.patient m
             where m.source = $1 and not m.is_deleted order by m.person_token, m.batch_seq desc' using of_source;
    end if;
end $$;
revoke execute on function quality.known_births from public;
grant execute on function quality.known_births to checker;

-- Landing objects whose quarantined records a person wants to see again: the next load of the source reads them once more.
create table quality.replay_request (
    request_no bigint generated always as identity primary key,
    source text not null,
    dataset text not null,
    object_sha256 text not null,
    reason text not null,
    asked_by text not null,
    asked_at timestamptz not null default clock_timestamp(),
    batch_id text references lifecycle.batch
);
comment on table quality.replay_request is 'One row per landing object to be read again; batch_id is the batch that did, null while it waits.';
grant select, insert on quality.replay_request to checker;
grant select, update on quality.replay_request to loader;
grant select on quality.replay_request to publisher, privacy_officer;
-- A batch opened again starts from nothing; what was refused is in the audit trail, and what is refused again comes back.
grant delete on quality.quarantine to checker;
