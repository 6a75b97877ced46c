-- Value sets that the hospital holds under its own licences, read from its terminology folder. The project ships none of them.
create schema terminology;
create table terminology.value_set_code (
    oid text not null,                    -- last part of the value set's canonical address
    title text,
    version text,
    system text not null,
    code text not null,
    primary key (oid, system, code)
);
comment on table terminology.value_set_code is
    'One row per code of a value set from the terminology folder of this installation (PLUMBLINE_TERMINOLOGY); empty without one.';
create table terminology.folder (
    only_row boolean primary key default true check (only_row),
    sha256 text not null,
    loaded_at timestamptz not null default clock_timestamp()
);
comment on table terminology.folder is 'At most one row: the digest of the terminology folder that was read last.';

grant usage on schema terminology to loader, transformer;
grant select, insert, delete on terminology.value_set_code, terminology.folder to loader;
grant select on terminology.value_set_code, terminology.folder to transformer;
