-- Marts by purpose: the same rows without those who opted out of it. Who reads for a purpose sees nothing else.
create schema purposes;
create table purposes.opted_out (
    person_key text not null,
    purpose text not null,
    primary key (purpose, person_key)
);
comment on table purposes.opted_out is 'One row per person and purpose their data may not be used for. Nobody but the publisher reads it.';
create schema research;
create schema public_health;
grant usage on schema purposes to publisher;
grant select, insert, delete on purposes.opted_out to publisher;
grant usage, create on schema research, public_health to publisher;
grant connect on database warm to researcher, public_health;
grant usage on schema research to researcher;
grant usage on schema public_health to public_health;
grant usage on schema governance to researcher, public_health;
grant select on governance.nights to researcher, public_health;
create table governance.opt_outs (
    night date not null, purpose text not null, because text not null, people bigint not null,
    primary key (night, purpose, because)
);
comment on table governance.opt_outs is 'One row per night, purpose and reason: how many people''s data are left out of that use; under 11 shown as 0.';
grant select, insert, update, delete on governance.opt_outs to publisher;
grant select on governance.opt_outs to analyst, reader, api, privacy_officer, researcher, public_health;
