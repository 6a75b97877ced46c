{#- CMS165: people aged 18 to 85 on the period's last day, seen in it, with essential hypertension in its first six months. -#}
with

people as (

    select * from {{ ref('int_ecqm__people') }}
    where youngest_at_end >= 18 and oldest_at_end <= 85

),

visits as (

    select * from {{ ref('int_ecqm__visits') }} where visit_list = 'adult outpatient'

),

hypertension as (

    select * from {{ ref('int_ecqm__conditions') }} where value_set = 'essential_hypertension'

)

select
    people.period_kind,
    people.period,
    people.person_key,
    people.person_days,
    people.is_partly_observed

from people
inner join visits using (period_kind, period, person_key)

where exists (
    select 1 from hypertension
    where
        hypertension.person_key = people.person_key
        -- The last moment of the first six months; the text compares moments here, not days.
        and {{ by_moment('hypertension.begins', "(people.starts_on + interval '6 months')::timestamp at time zone 'UTC' - interval '1 millisecond'") }}
        and {{ from_moment('hypertension.ends', 'people.starts_at') }}
)
