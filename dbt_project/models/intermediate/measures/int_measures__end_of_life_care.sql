{#- People in hospice or palliative care at some time of a period, and which of the two. -#}
with

people as (

    select * from {{ ref('int_measures__people') }}

),

procedures as (

    {{ every_coding(ref('int_procedures__current'), ['person_key', 'started_at', 'status']) }}

),

services as (

    select person_key, system, code, (started_at at time zone 'UTC')::date as day
    from procedures
    where coalesce(status, 'completed') in ('completed', 'in-progress')

    union all

    select person_key, type_system, type_code, (started_at at time zone 'UTC')::date
    from {{ ref('int_encounters__current') }}
    where coalesce(status, 'finished') not in ('planned', 'cancelled')

),

coded as (

    select value_set, person_key, began_on, coalesce(ended_on, 'infinity'::date) as ended_on
    from {{ ref('int_measures__diagnoses') }}
    where value_set in ('palliative_care', 'hospice_care')

    union all

    select concepts.value_set, services.person_key, services.day, services.day
    from services
    inner join {{ ref('int_measures__coded_concepts') }} as concepts using (system, code)
    where concepts.value_set in ('palliative_care', 'hospice_care')

    union all

    select 'hospice_care', person_key, started_on, started_on
    from {{ ref('int_measures__encounters') }}
    where discharge_disposition in (
        select code from {{ ref('value_sets') }}
        where value_set = 'hospice_care' and system = 'http://terminology.hl7.org/CodeSystem/discharge-disposition'
    )

)

select
    people.period_kind,
    people.period,
    people.person_key,
    -- Hospice comes first by name, and is the narrower of the two.
    replace(min(coded.value_set), '_', ' ') as reason,
    bool_or(coded.value_set = 'hospice_care') as is_hospice

from people
inner join coded
    on coded.person_key = people.person_key
    and coded.began_on < people.observed_before
    and coded.ended_on >= people.starts_on

group by 1, 2, 3
