{#- CMS122: hospice or palliative care; from 66 on, living in a nursing home or frailty with advanced illness. -#}
with

initial_population as (

    select * from {{ ref('int_cms122__initial_population') }}

),

people as (

    select people.* from {{ ref('int_ecqm__people') }} as people
    inner join initial_population using (period_kind, period, person_key)

),

reasons as (

    select * from {{ ref('int_ecqm__shared_exclusions') }} where reason <> 'frailty from 81'

)

select
    initial_population.period_kind,
    initial_population.period,
    initial_population.person_key,
    min(reasons.reason) as reason

from initial_population
inner join reasons using (period_kind, period, person_key)

group by 1, 2, 3
