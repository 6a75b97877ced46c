{#- CMS125: the shared reasons, and women without breasts: both sides together, or left and right one after the other. -#}
with

initial_population as (

    select * from {{ ref('int_cms125__initial_population') }}

),

people as (

    select people.* from {{ ref('int_ecqm__people') }} as people
    inner join initial_population using (period_kind, period, person_key)

),

conditions as (

    select * from {{ ref('int_ecqm__conditions') }}

),

procedures as (

    select * from {{ ref('int_ecqm__procedures') }}

),

mastectomies as (

    select
        people.period_kind, people.period, people.person_key,
        case
            when conditions.value_set = 'history_of_bilateral_mastectomy' then array['left', 'right']
            when conditions.value_set = 'status_post_left_mastectomy' then array['left']
            when conditions.value_set = 'status_post_right_mastectomy' then array['right']
            else array_remove(array[case when conditions.is_left then 'left' end, case when conditions.is_right then 'right' end], null)
        end as sides

    from people
    inner join conditions using (person_key)

    where
        conditions.value_set in (
            'history_of_bilateral_mastectomy', 'status_post_left_mastectomy', 'status_post_right_mastectomy',
            'unilateral_mastectomy_unspecified_laterality'
        )
        and {{ by_moment('conditions.begins', 'people.ends_at') }}

    union all
    select
        people.period_kind, people.period, people.person_key,
        case procedures.value_set
            when 'bilateral_mastectomy' then array['left', 'right']
            when 'unilateral_mastectomy_left' then array['left']
            else array['right']
        end

    from people
    inner join procedures using (person_key)

    where
        procedures.value_set in ('bilateral_mastectomy', 'unilateral_mastectomy_left', 'unilateral_mastectomy_right')
        and {{ by_moment('procedures.ends', 'people.ends_at') }}

),

reasons as (

    select * from {{ ref('int_ecqm__shared_exclusions') }} where reason <> 'frailty from 81'

    union all
    select mastectomies.period_kind, mastectomies.period, mastectomies.person_key, 'mastectomy of both breasts'
    from mastectomies
    cross join lateral unnest(mastectomies.sides) as side
    group by 1, 2, 3
    having count(distinct side) = 2

)

select
    initial_population.period_kind,
    initial_population.period,
    initial_population.person_key,
    min(reasons.reason) as reason

from initial_population
inner join reasons using (period_kind, period, person_key)

group by 1, 2, 3
