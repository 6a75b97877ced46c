{#- CMS125: women aged 42 to 74 on the period's last day, seen in it. -#}
with

people as (

    select * from {{ ref('int_ecqm__people') }}
    where youngest_at_end >= 42 and oldest_at_end <= 74

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

where people.sex = 'female'
