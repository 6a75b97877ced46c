{#- CMS165: the shared reasons (from 81 on, frailty alone), pregnancy, and kidneys that have failed or were replaced. -#}
with

initial_population as (

    select * from {{ ref('int_cms165__initial_population') }}

),

people as (

    select people.* from {{ ref('int_ecqm__people') }} as people
    inner join initial_population using (period_kind, period, person_key)

),

reasons as (

    select * from {{ ref('int_ecqm__shared_exclusions') }} where true

    union all
    select people.period_kind, people.period, people.person_key, case conditions.value_set when 'pregnancy' then 'pregnancy' else 'kidney failure or transplant' end
    from people
    inner join {{ ref('int_ecqm__conditions') }} as conditions using (person_key)
    where
        conditions.value_set in ('pregnancy', 'end_stage_renal_disease', 'kidney_transplant_recipient', 'chronic_kidney_disease_stage_5')
        and {{ by_moment('conditions.begins', 'people.ends_at') }}
        and {{ from_moment('conditions.ends', 'people.starts_at') }}

    union all
    select people.period_kind, people.period, people.person_key, 'kidney failure or transplant'
    from people
    inner join {{ ref('int_ecqm__procedures') }} as procedures using (person_key)
    where
        procedures.value_set in ('kidney_transplant', 'dialysis_services')
        and {{ by_moment('procedures.ends', 'people.ends_at') }}

    union all
    select people.period_kind, people.period, people.person_key, 'kidney failure or transplant'
    from people
    inner join {{ ref('int_ecqm__encounters') }} as encounters using (person_key)
    where encounters.value_set = 'esrd_monthly_outpatient_services' and {{ by_moment('encounters.begins', 'people.ends_at') }}

)

select
    initial_population.period_kind,
    initial_population.period,
    initial_population.person_key,
    min(reasons.reason) as reason

from initial_population
inner join reasons using (period_kind, period, person_key)

group by 1, 2, 3
