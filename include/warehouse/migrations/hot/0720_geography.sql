-- What is known of the county behind a ZIP code, from files that the hospital provides (PLUMBLINE_GEOGRAPHY). The project ships none.
create schema geography;
create table geography.zip_area (
    zip_code text primary key check (zip_code ~ '^[0-9]{5}$'),
    svi_quartile smallint check (svi_quartile between 1 and 4),
    rurality text check (rurality in ('metropolitan', 'nonmetropolitan'))
);
comment on table geography.zip_area is
    'One row per ZIP code: quartile of CDC''s Social Vulnerability Index (4 is most vulnerable) and rurality of its county.';
create table geography.folder (
    only_row boolean primary key default true check (only_row),
    sha256 text not null,
    loaded_at timestamptz not null default clock_timestamp()
);
comment on table geography.folder is 'At most one row: the digest of the geography folder that was read last.';

grant usage on schema geography to loader, transformer;
grant select, insert, delete on geography.zip_area, geography.folder to loader;
grant select on geography.zip_area, geography.folder to transformer;
