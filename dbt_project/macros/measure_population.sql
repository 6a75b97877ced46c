{#-
    One measure's steps side by side: its initial population, who is excluded and why, who is in the numerator.
    Excluded people are never in a denominator or numerator.
-#}
{% macro measure_population(measure, has_exclusions=true) -%}
    select
        '{{ measure }}' as measure_id,
        initial_population.period_kind,
        initial_population.period,
        initial_population.person_key,
        {{ 'exclusions.reason' if has_exclusions else 'null::text' }} as exclusion_reason,
        {{ 'exclusions.person_key is null' if has_exclusions else 'true' }} as is_denominator,
        numerator.person_key is not null {{ 'and exclusions.person_key is null' if has_exclusions }} as is_numerator,
        case when numerator.person_key is not null {{ 'and exclusions.person_key is null' if has_exclusions }}
            then numerator.events else 0 end as events,
        initial_population.person_days,
        initial_population.is_partly_observed
    from {{ ref('int_' ~ measure ~ '__initial_population') }} as initial_population
    left join {{ ref('int_' ~ measure ~ '__numerator') }} as numerator
        using (period_kind, period, person_key)
    {%- if has_exclusions %}
    left join {{ ref('int_' ~ measure ~ '__exclusions') }} as exclusions
        using (period_kind, period, person_key)
    {%- endif %}
{%- endmacro %}
