-- How sure a score is, and how it compares with the source's own last 28 nights.
alter table quality.score add column overall_low numeric, add column overall_high numeric, add column change numeric,
    add column nights_compared integer;
comment on column quality.score.overall_low is 'Lower end of the 95% interval of overall.';
comment on column quality.score.change is 'Overall minus the mean of up to 28 earlier nights; null where there is none.';

-- What a delivery looked like in numbers, night by night: the source's own history, which drift is judged against.
create table quality.profile (
    night date not null,
    source text not null,
    signal text not null,
    subject text not null,
    kind text not null check (kind in ('volume', 'null_share', 'category_mix', 'distribution', 'schema', 'arrival')),
    value double precision,
    detail jsonb,
    primary key (night, source, signal)
);
comment on table quality.profile is 'One row per signal of a source and night: a number, or counts by category of closed code lists; nothing about one person.';
create index on quality.profile (source, signal, night);

create table quality.drift (
    night date not null,
    source text not null,
    signal text not null,
    subject text not null,
    kind text not null,
    value double precision,
    expected double precision,
    deviation double precision,
    nights_compared integer not null,
    is_alarm boolean not null,
    primary key (night, source, signal)
);
comment on table quality.drift is 'One row per signal of a source and night that could be compared with its history, and whether it is unlike it.';
grant select, insert, delete on quality.profile, quality.drift to checker;
grant select on quality.profile, quality.drift to publisher, leak_scanner;
