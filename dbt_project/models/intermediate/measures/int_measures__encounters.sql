{#- Encounters that took place, with the day they began. -#}
with

encounters as (

    select * from {{ ref('int_encounters__current') }}

)

select
    encounter_key,
    person_key,
    class_code,
    discharge_disposition,
    (started_at at time zone 'UTC')::date as started_on

from encounters

where
    started_at is not null
    and coalesce(status, 'finished') not in ('planned', 'cancelled', 'entered-in-error', 'booked', 'proposed')
