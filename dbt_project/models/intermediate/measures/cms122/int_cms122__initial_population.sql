{#- CMS122: people aged 18 to 75 on the period's last day, seen in it, with an encounter diagnosis of diabetes overlapping it. -#}
with

people as (

    select * from {{ ref('int_ecqm__people') }}
    where youngest_at_end >= 18 and oldest_at_end <= 75

),

visits as (

    select * from {{ ref('int_ecqm__visits') }} where visit_list = 'diabetes'

),

diabetes as (

    select * from {{ ref('int_ecqm__conditions') }} where value_set = 'diabetes' and is_encounter_diagnosis

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
    select 1 from diabetes
    where
        diabetes.person_key = people.person_key
        and {{ overlaps_days('diabetes', 'people.starts_on', 'people.ends_on') }}
)
