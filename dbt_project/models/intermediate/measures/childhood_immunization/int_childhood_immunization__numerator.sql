{{ config(materialized='ephemeral') }}
{#-
    Of the initial population, children with the ten vaccines of CMS117's combination by their second birthday: doses are counted
    on different days, from six weeks of age (hepatitis B from birth; measles, varicella and hepatitis A from the first birthday;
    influenza from six months). Rotavirus: two doses, as the monovalent vaccine needs.
-#}
{%- set vaccines = {
    'dtap_vaccine': (4, '42 days'), 'polio_vaccine': (3, '42 days'), 'mmr_vaccine': (1, '1 year'), 'hib_vaccine': (3, '42 days'),
    'hepatitis_b_vaccine': (3, '0 days'), 'varicella_vaccine': (1, '1 year'), 'pneumococcal_conjugate_vaccine': (4, '42 days'),
    'hepatitis_a_vaccine': (1, '1 year'), 'rotavirus_vaccine': (2, '42 days'), 'influenza_vaccine': (2, '180 days'),
} -%}
with

children as (

    select
        initial_population.period_kind,
        initial_population.period,
        initial_population.person_key,
        persons.birth_date

    from {{ ref('int_childhood_immunization__initial_population') }} as initial_population
    inner join {{ ref('int_persons__resolved') }} as persons using (person_key)

),

immunizations as (

    {{ every_coding(ref('int_immunizations__current'), ['person_key', 'occurred_at', 'status']) }}

),

doses as (

    select distinct
        children.period_kind,
        children.period,
        children.person_key,
        concepts.value_set,
        (immunizations.occurred_at at time zone 'UTC')::date as given_on,
        children.birth_date

    from children
    inner join immunizations using (person_key)
    inner join {{ ref('int_measures__coded_concepts') }} as concepts using (system, code)

    where coalesce(immunizations.status, 'completed') = 'completed'

),

counted as (

    select
        period_kind,
        period,
        person_key,
        value_set,
        count(*) as doses

    from doses

    where
        given_on <= (birth_date + interval '2 years')::date
        and given_on >= (birth_date + case value_set
            {%- for value_set, (needed, from_age) in vaccines.items() %}
            when '{{ value_set }}' then interval '{{ from_age }}'
            {%- endfor %}
        end)::date

    group by 1, 2, 3, 4

)

select
    period_kind,
    period,
    person_key,
    1 as events

from counted

where
    {%- for value_set, (needed, from_age) in vaccines.items() %}
    {{ 'or ' if not loop.first }}(value_set = '{{ value_set }}' and doses >= {{ needed }})
    {%- endfor %}

group by 1, 2, 3

having count(*) = {{ vaccines | length }}
