-- How well people are hidden in the row-level marts of a night: counts of people and classes, never a trait of anybody.
create table quality.anonymity (
    night date not null,
    without text not null,                -- the quasi-identifier that is left out; '' where all are used
    quasi_identifiers text not null,
    people bigint not null,
    classes bigint not null,
    smallest_class bigint not null,
    unique_people bigint not null,
    people_below_k bigint,                -- null while no threshold is set
    k_threshold integer,
    primary key (night, without)
);
comment on table quality.anonymity is
    'One row per night and quasi-identifier left out (one row with none): how many people share all that can be known of them.';
create table quality.anonymity_class (
    night date not null,
    size_from integer not null,
    size_to integer,                      -- null: and more
    classes bigint not null,
    people bigint not null,
    primary key (night, size_from)
);
comment on table quality.anonymity_class is 'One row per night and size of class: how many classes and people are of it.';
create table quality.anonymity_attribute (
    night date not null,
    attribute text not null,
    distance_kind text not null,
    values_known bigint not null,
    fewest_values bigint not null,
    fewest_entropy numeric not null,
    people_with_one_value bigint not null,
    greatest_distance numeric not null,
    mean_distance numeric not null,
    people_below_l bigint,
    l_threshold integer,
    people_beyond_t bigint,
    t_threshold numeric,
    primary key (night, attribute)
);
comment on table quality.anonymity_attribute is
    'One row per night and sensitive attribute: how diverse it is within classes, and how far classes lie from everybody.';
grant select, insert, delete on quality.anonymity, quality.anonymity_class, quality.anonymity_attribute to leak_scanner;
grant select on quality.anonymity, quality.anonymity_class, quality.anonymity_attribute to publisher, privacy_officer;
