-- What began this week has nothing before it to have grown from: it is new.
create or replace view governance.quarantine_workbench as
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
       case when oldest_days < 7 then 'new'
            when last_7_nights > the_7_before * 1.25 then 'growing' when last_7_nights < the_7_before * 0.8 then 'shrinking' else 'steady' end as trend,
       case when reason_code = 'erased_person' then 'privacy officer'
            when held_batch is not null then 'data steward, with the source'
            when action ~* '^(have|ask) the source|^correct the (export|cell)|^deliver' then 'source ' || source
            else 'data steward' end as who_acts,
       found, expected, action,
       case when held_batch is not null then format('make replay BATCH=%s REASON="…" BY=you', held_batch)
            else format('make replay SOURCE=%s RULE=%s REASON="…" BY=you', source, reason_code) end as replay_command
from grouped order by records desc, source, reason_code;
