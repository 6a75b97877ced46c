{#- What is counted of the members of a group, parted by spaces. All are whole numbers, so that a repeated night gives the same bits. -#}
{% macro names_of_sums() -%}
    people people_in_numerator events person_days events_squared events_times_days days_squared
{%- endmacro %}

{#- The sums over rows of int_measures__membership, one row a person; squares and products are for the errors of rates. -#}
{% macro sums_of_members(members) -%}
    count(*) as people,
        count(*) filter (where {{ members }}.is_numerator) as people_in_numerator,
        sum({{ members }}.events)::bigint as events,
        sum({{ members }}.person_days)::bigint as person_days,
        sum({{ members }}.events::bigint * {{ members }}.events)::bigint as events_squared,
        sum({{ members }}.events::bigint * {{ members }}.person_days)::bigint as events_times_days,
        sum({{ members }}.person_days::bigint * {{ members }}.person_days)::bigint as days_squared
{%- endmacro %}

{#- The same sums of rows that hold them already. -#}
{% macro sums_of_sums() -%}
    {%- for sum in names_of_sums().split() %}
    sum({{ sum }})::bigint as {{ sum }}{{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#-
    What a population counts in rows of measures, where `roles` says what of each measure it is: its people, those of the
    denominator who are not in a share's numerator, and the visits of an event rate. Measures that count the same people agree.
-#}
{% macro counts_of_population(measured) -%}
    max(case roles.role when 'denominator' then {{ measured }}.people else {{ measured }}.people_in_numerator end) as people,
        -- For visits nobody's absence is published.
        max(case when roles.role = 'numerator' and catalogue.kind = 'proportion' then {{ measured }}.people - {{ measured }}.people_in_numerator end)
            as outside,
        max(case when roles.role = 'numerator' and catalogue.kind <> 'proportion' then {{ measured }}.events end) as events
{%- endmacro %}
