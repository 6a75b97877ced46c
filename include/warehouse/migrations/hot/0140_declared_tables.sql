-- The contracts that raw tables and mapped views were last shaped from. Written by include/warehouse/tables.py.
create table lifecycle.declared_table (
    raw_table text primary key,           -- name in schema raw: <source>__<table>
    source text not null,
    table_name text not null,
    declared jsonb not null,              -- the table's part of the contract, as include/sources/contracts.py has it
    fingerprint text not null,
    changed_at timestamptz not null default clock_timestamp()
);
comment on table lifecycle.declared_table is 'One row per raw table that a contract declares or once declared; mapped views show them all.';
grant select on lifecycle.declared_table to loader, checker, transformer, lifecycle, privacy_officer;
