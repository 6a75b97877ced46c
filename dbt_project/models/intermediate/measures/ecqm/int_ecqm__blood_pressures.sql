{#-
    Final blood pressures with what the panel says of both components (null where it lacks one). Systolic and diastolic told as
    two observations of one moment, as tables do, are one blood pressure.
-#}
with

observations as (

    select * from {{ ref('int_observations__current') }}

    where
        coalesce(status, 'final') in ('final', 'amended', 'corrected')
        and system = 'http://loinc.org'
        and code in ('85354-9', '8480-6', '8462-4')
        and (panel_code is null or panel_code = '85354-9')
        and begins_from is not null

),

readings as (

    select
        person_key,
        case when code = '85354-9' or panel_code is not null then observation_id::text
            else concat_ws('|', begins_from, encounter_key) end as reading,
        encounter_key,
        code,
        case when coalesce(unit, 'mm[Hg]') in ('mm[Hg]', 'mmHg', 'mm Hg') then value_number end as value_number,
        case when ends_to = 'infinity' then begins_from else ends_from end as latest_from,
        case when ends_to = 'infinity' then begins_to else ends_to end as latest_to

    from observations

)

select
    person_key,
    reading,
    (array_agg(encounter_key))[1] as encounter_key,
    min(latest_from) as latest_from,
    min(latest_to) as latest_to,
    min(value_number) filter (where code = '8480-6') as systolic,
    min(value_number) filter (where code = '8462-4') as diastolic

from readings

group by person_key, reading
