-- Codes: the ICD-10-CM table that validity is checked against, and what no reviewed code stands for, counted each night.
create schema coding;
create table coding.icd10cm (
    code text primary key,                -- without its point
    is_billable boolean not null
);
comment on table coding.icd10cm is 'One row per ICD-10-CM category and code; the release that the installed code library holds.';
create table coding.icd10cm_release (
    only_row boolean primary key default true check (only_row),
    release text not null,
    codes integer not null,
    loaded_at timestamptz not null default clock_timestamp()
);
comment on table coding.icd10cm_release is 'At most one row: which release coding.icd10cm holds.';
grant select, insert, delete on coding.icd10cm, coding.icd10cm_release to transformer;
grant usage on schema coding to transformer;
grant maintain on coding.icd10cm to transformer;

create table quality.unmapped_code (
    night date not null,
    source text not null,
    kind text not null,                   -- condition, observation, …
    problem text not null,
    system text not null,
    code text not null,                   -- 'rare' where too few people share it: a source may call anything a code
    records bigint not null,
    primary key (night, source, kind, problem, system, code)
);
comment on table quality.unmapped_code is 'One row per night, source and code that no measure can find, with how many records have it.';
grant select, insert, delete on quality.unmapped_code to transformer;
grant select on quality.unmapped_code to publisher, privacy_officer;
