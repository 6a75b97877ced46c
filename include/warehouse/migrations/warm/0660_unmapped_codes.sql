create table governance.unmapped_codes (
    night date not null, source text not null, kind text not null, problem text not null, system text not null, code text not null,
    records bigint not null, primary key (night, source, kind, problem, system, code)
);
comment on table governance.unmapped_codes is 'One row per night, source and code that no measure can find: not in a public system and not in the reviewed table of local codes, not valid, or told in words only.';
grant select, insert, update, delete on governance.unmapped_codes to publisher;
grant select on governance.unmapped_codes to analyst, reader, api, privacy_officer;
