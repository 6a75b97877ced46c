-- What readers have been shown: exact numbers of closed periods, released once, and which counts of running periods were seen.
create table quality.released_rate (
    edition integer not null,
    night date not null,
    measure_id text,
    period_kind text,
    period text,
    dimension text,
    subgroup text,
    subgroup_order integer,
    is_known_group boolean,
    is_people_hidden boolean,
    is_suppressed boolean,
    kind text,
    favourable_direction text,
    rate_per integer,
    rounded_to integer,
    people bigint,
    numerator bigint,
    denominator double precision,
    rate double precision,
    standard_error double precision,
    rate_lower double precision,
    rate_upper double precision,
    interval_method text,
    primary key (edition, measure_id, period_kind, period, dimension, subgroup)
);
comment on table quality.released_rate is
    'One row per edition, measure, closed period and group: the rate as released, and what stayed hidden. Never changed.';
create table quality.released_group (
    measure_id text not null,
    period_kind text not null,
    period text not null,
    dimension text not null,
    subgroup text not null,
    people_shown_since date,              -- first night on which readers saw this count while the period ran
    numerator_shown_since date,
    primary key (measure_id, period_kind, period, dimension, subgroup)
);
comment on table quality.released_group is
    'One row per measure, running period and group whose rounded counts readers have seen, with the first such night.';
grant select, insert on quality.released_rate to transformer;
grant select, insert, update on quality.released_group to transformer;
grant select on quality.released_rate, quality.released_group to publisher, privacy_officer;
