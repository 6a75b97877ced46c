-- How well people are hidden in the row-level marts: counts only, for readers as well.
create table governance.anonymity (
    night date not null, without text not null, quasi_identifiers text not null, people bigint not null, classes bigint not null,
    smallest_class bigint not null, unique_people bigint not null, people_below_k bigint, k_threshold integer,
    primary key (night, without)
);
comment on table governance.anonymity is 'One row per night and quasi-identifier left out ('''' for none): k-anonymity of the row-level marts (Sweeney 2002). smallest_class is k.';
create table governance.anonymity_class (
    night date not null, size_from integer not null, size_to integer, classes bigint not null, people bigint not null,
    primary key (night, size_from)
);
comment on table governance.anonymity_class is 'One row per night and size of class: people who share all quasi-identifiers with that many.';
create table governance.anonymity_attribute (
    night date not null, attribute text not null, distance_kind text not null, values_known bigint not null,
    fewest_values bigint not null, fewest_entropy numeric not null, people_with_one_value bigint not null,
    greatest_distance numeric not null, mean_distance numeric not null, people_below_l bigint, l_threshold integer,
    people_beyond_t bigint, t_threshold numeric, primary key (night, attribute)
);
comment on table governance.anonymity_attribute is 'One row per night and sensitive attribute: l-diversity (Machanavajjhala et al. 2007; distinct and entropy) and t-closeness (Li et al. 2007) of the classes.';
grant select, insert, update, delete on governance.anonymity, governance.anonymity_class, governance.anonymity_attribute to publisher;
grant select on governance.anonymity, governance.anonymity_class, governance.anonymity_attribute to analyst, reader, api, privacy_officer;
