{#-
    CMS130: of the initial population, those screened: a stool blood test in the period, a stool DNA test in the period or the two
    years before, flexible sigmoidoscopy or CT colonography in the period or the four years before, or colonoscopy in the period
    or the nine years before. Stool tests count with a result only.
-#}
{%- set years_before = {
    'fecal_occult_blood_test_fobt': 0, 'sdna_fit_test': 2, 'flexible_sigmoidoscopy': 4, 'ct_colonography': 4, 'colonoscopy': 9,
} -%}
with

people as (

    select people.* from {{ ref('int_ecqm__people') }} as people
    inner join {{ ref('int_cms130__initial_population') }} using (period_kind, period, person_key)

),

screenings as (

    select value_set, person_key, latest_from as ends_from, latest_to as ends_to
    from {{ ref('int_ecqm__observations') }}
    where value_set in ('fecal_occult_blood_test_fobt', 'sdna_fit_test') and is_final and is_laboratory and has_value

    union all
    select value_set, person_key, ends_from, ends_to
    from {{ ref('int_ecqm__observations') }}
    where value_set = 'ct_colonography' and is_final and is_imaging

    union all
    select value_set, person_key, ends_from, ends_to
    from {{ ref('int_ecqm__procedures') }}
    where value_set in ('flexible_sigmoidoscopy', 'colonoscopy')

)

select distinct
    people.period_kind,
    people.period,
    people.person_key,
    1 as events

from people
inner join screenings using (person_key)

where
    {%- for value_set, years in years_before.items() %}
    {{ 'or ' if not loop.first }}(
        screenings.value_set = '{{ value_set }}'
        and {{ ends_in_days('screenings', "(people.starts_on - interval '" ~ years ~ " years')::date", 'people.ends_on') }}
    )
    {%- endfor %}
