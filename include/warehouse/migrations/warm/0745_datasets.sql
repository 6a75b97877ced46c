create table governance.datasets (
    dataset text not null,
    place text not null,
    data_class text not null,
    owner text not null,
    classification text not null,
    tier text not null,
    records bigint not null,
    first_year integer,
    last_year integer,
    kept_to date,
    comes_from text,
    quality numeric,
    last_read date,
    night date not null,
    primary key (place, dataset, data_class, tier)
);
comment on table governance.datasets is 'One row per dataset, class and tier: who owns it, where it is, until when it is kept, what it comes from, how good it is, when it was last read.';
grant select, insert, update, delete on governance.datasets to publisher;
grant select on governance.datasets to analyst, reader, api, privacy_officer, researcher, public_health;
