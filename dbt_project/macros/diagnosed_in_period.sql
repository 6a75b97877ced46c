{#- Of a measure's initial population, those with a diagnosis of a value set that was not over before the period began. -#}
{% macro diagnosed_in_period(measure, value_set, but_not=none) -%}
    select
        initial_population.period_kind,
        initial_population.period,
        initial_population.person_key,
        1 as events
    from {{ ref('int_' ~ measure ~ '__initial_population') }} as initial_population
    inner join {{ ref('int_measures__periods') }} as periods using (period_kind, period)
    inner join {{ ref('int_measures__diagnoses') }} as diagnoses using (person_key)
    where
        diagnoses.value_set = '{{ value_set }}'
        and diagnoses.began_on < periods.observed_before
        and coalesce(diagnoses.ended_on >= periods.starts_on, true)
        {%- if but_not %}
        and not starts_with(diagnoses.code, '{{ but_not }}')
        {%- endif %}
    group by 1, 2, 3
{%- endmacro %}
