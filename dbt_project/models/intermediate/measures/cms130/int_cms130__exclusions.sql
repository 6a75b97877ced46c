{#- CMS130: the shared reasons, colorectal cancer or total colectomy by the end of the period. -#}
with

initial_population as (

    select * from {{ ref('int_cms130__initial_population') }}

),

people as (

    select people.* from {{ ref('int_ecqm__people') }} as people
    inner join initial_population using (period_kind, period, person_key)

),

reasons as (

    select * from {{ ref('int_ecqm__shared_exclusions') }} where reason <> 'frailty from 81'

    union all
    select people.period_kind, people.period, people.person_key, 'colorectal cancer'
    from people
    inner join {{ ref('int_ecqm__conditions') }} as conditions using (person_key)
    where conditions.value_set = 'malignant_neoplasm_of_colon' and {{ by_day('conditions.begins', 'people.ends_on') }}

    union all
    select people.period_kind, people.period, people.person_key, 'total colectomy'
    from people
    inner join {{ ref('int_ecqm__procedures') }} as procedures using (person_key)
    where procedures.value_set = 'total_colectomy' and {{ by_day('procedures.ends', 'people.ends_on') }}

)

select
    initial_population.period_kind,
    initial_population.period,
    initial_population.person_key,
    min(reasons.reason) as reason

from initial_population
inner join reasons using (period_kind, period, person_key)

group by 1, 2, 3
