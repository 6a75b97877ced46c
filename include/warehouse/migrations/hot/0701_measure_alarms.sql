-- What looks wrong in the measures of a night although nothing failed; each makes the night amber.
create table quality.measure_alarm (
    night date not null,
    attempt integer not null,
    alarm text not null,
    subject text not null,
    said text not null,                   -- a sentence without values of anybody
    primary key (night, attempt, alarm, subject)
);
comment on table quality.measure_alarm is
    'One row per night, attempt and thing that looks wrong in its measures: an empty denominator, a kind of encounter that vanished.';
grant select, insert, delete on quality.measure_alarm to transformer;
grant select on quality.measure_alarm to publisher, privacy_officer;
