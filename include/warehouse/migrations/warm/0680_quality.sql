-- Quality as analysts and stewards see it: every check, scores with their certainty, drift, and a workbench for what was refused.
alter table governance.quality_scores add column overall_low numeric, add column overall_high numeric, add column change numeric,
    add column nights_compared integer;

create table governance.check_results (
    night date not null, source text not null, instance text not null, check_name text not null, subject text not null,
    data_class text, kahn_context text not null, kahn_category text not null, kahn_subcategory text, dimension text not null,
    status text not null, tested bigint, failed bigint, threshold numeric not null, error_code text, judge text not null,
    primary key (night, source, instance)
);
comment on table governance.check_results is 'One row per check, source and night: tested, failed, threshold and verdict, with its place in Kahn''s framework. An error is never a pass.';

create table governance.drift (
    night date not null, source text not null, signal text not null, subject text not null, kind text not null,
    value double precision, expected double precision, deviation double precision, nights_compared integer not null,
    is_alarm boolean not null, primary key (night, source, signal)
);
comment on table governance.drift is 'One row per signal of a source and night that could be compared with the source''s own history; is_alarm where it is unlike it.';

-- Open refusals as work: by source and reason, how old, whether growing, who must act, and the command that takes them in again.
create view governance.quarantine_workbench as
with open_ones as (
    select q.*, b.state as batch_state, (select max(night) from governance.nights) as tonight
    from governance.quarantine q join governance.batches b using (batch_id) where q.state = 'open'
), grouped as (
    select source, reason_code, stage, case when batch_state = 'held_back' then batch_id end as held_batch,
           sum(records)::bigint as records, count(*)::bigint as places, min(night) as first_night, max(night) as last_night,
           max(tonight) - min(night) as oldest_days,
           coalesce(sum(records) filter (where night > tonight - 7), 0)::bigint as last_7_nights,
           coalesce(sum(records) filter (where night <= tonight - 7 and night > tonight - 14), 0)::bigint as the_7_before,
           min(found) as found, min(expected) as expected, min(action) as action
    from open_ones group by 1, 2, 3, 4
)
select source, reason_code, stage, held_batch, records, places, first_night, last_night, oldest_days,
       case when oldest_days < 1 then 'tonight' when oldest_days < 7 then 'this week' when oldest_days < 28 then 'this month' else 'older' end as age,
       last_7_nights, the_7_before,
       case when last_7_nights > the_7_before * 1.25 then 'growing' when last_7_nights < the_7_before * 0.8 then 'shrinking' else 'steady' end as trend,
       case when reason_code = 'erased_person' then 'privacy officer'
            when held_batch is not null then 'data steward, with the source'
            when action ~* '^(have|ask) the source|^correct the (export|cell)|^deliver' then 'source ' || source
            else 'data steward' end as who_acts,
       found, expected, action,
       case when held_batch is not null then format('make replay BATCH=%s REASON="…" BY=you', held_batch)
            else format('make replay SOURCE=%s RULE=%s REASON="…" BY=you', source, reason_code) end as replay_command
from grouped order by records desc, source, reason_code;
comment on view governance.quarantine_workbench is 'One row per source and reason (or held-back batch) of what stays outside: how much, how old, whether growing, who must act, how to replay.';

grant select, insert, update, delete on governance.check_results, governance.drift to publisher;
grant select on governance.check_results, governance.drift, governance.quarantine_workbench to analyst, reader, api, privacy_officer, publisher;
