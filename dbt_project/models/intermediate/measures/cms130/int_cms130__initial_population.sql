{#- CMS130: people aged 46 to 75 on the period's last day, seen in it. -#}
with

people as (

    select * from {{ ref('int_ecqm__people') }}
    where youngest_at_end >= 46 and oldest_at_end <= 75

),

visits as (

    select * from {{ ref('int_ecqm__visits') }} where visit_list = 'adult outpatient'

)

select
    people.period_kind,
    people.period,
    people.person_key,
    people.person_days,
    people.is_partly_observed

from people
inner join visits using (period_kind, period, person_key)
