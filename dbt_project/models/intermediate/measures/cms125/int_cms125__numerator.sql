{#- CMS125: of the initial population, women with a mammogram from 1 October two years before the period to its end. -#}
with

people as (

    select people.* from {{ ref('int_ecqm__people') }} as people
    inner join {{ ref('int_cms125__initial_population') }} using (period_kind, period, person_key)

),

mammograms as (

    select * from {{ ref('int_ecqm__observations') }} where value_set = 'mammography' and is_final and is_imaging

)

select distinct
    people.period_kind,
    people.period,
    people.person_key,
    1 as events

from people
inner join mammograms using (person_key)

where {{ ends_in_days('mammograms', 'make_date(extract(year from people.starts_on)::integer - 2, 10, 1)', 'people.ends_on') }}
