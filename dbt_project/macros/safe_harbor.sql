{#- Whole years of age on a day; someone born on 29 February has their birthday on 1 March in other years. -#}
{% macro age_in_years(birth_date, on_date) -%}
    date_part('year', age(({{ on_date }})::timestamp, ({{ birth_date }})::timestamp))::integer
{%- endmacro %}

{#-
    The night the marts are built for; ages, "now" and Safe Harbor's 90 are as of this day. The nightly build gives it in its
    environment, for dbt reads the whole project again when a variable changes; a person or a unit test gives the variable `night`.
-#}
{% macro night_of_build() -%}
    {{ return(var('night', '') or env_var('PLUMBLINE_NIGHT', '1900-01-01')) }}
{%- endmacro %}

{#- The same as a date literal. -#}
{% macro night() -%}
    date '{{ night_of_build() }}'
{%- endmacro %}

{#- Before this day, what happened to people now 90 and over is shown without year and interval. -#}
{% macro shown_from_day() -%}
    make_date(extract(year from {{ night() }})::integer - {{ var('withheld_after_years') }} + 1, 1, 1)
{%- endmacro %}

{#- The year of an event as it may be shown; null where it is unknown or would date the birth of somebody now 90 and over. -#}
{% macro event_year(event_at) -%}
    case
        when persons.is_age_withheld and {{ event_at }} < {{ shown_from_day() }} then null
        {% if var('event_years') == 'anchored' -%}
        when {{ event_at }} >= persons.first_shown_event_at then extract(year from
            make_date(extract(year from persons.first_shown_event_at)::integer, 1, 1)
            + floor(date_part('epoch', {{ event_at }} - persons.first_shown_event_at) / 86400)::integer)::integer
        {% endif -%}
        else date_part('year', {{ event_at }} at time zone 'UTC')::integer
    end
{%- endmacro %}

{#- Whole days from the person's first event; null before it (implausible times) and where event_year withholds. -#}
{% macro days_from_first_event(event_at) -%}
    case
        when {{ event_at }} >= persons.first_shown_event_at
            then floor(date_part('epoch', {{ event_at }} - persons.first_shown_event_at) / 86400)::integer
    end
{%- endmacro %}

{#- Age at an event; null where unknown, impossible (before birth) or withheld (also 90 at an event planned, or told after death). -#}
{% macro age_at_event(event_at) -%}
    {%- set age = age_in_years('persons.birth_date', event_at ~ " at time zone 'UTC'") -%}
    case
        when persons.is_age_withheld or {{ event_at }} < persons.birth_date then null
        when {{ age }} < {{ var('withheld_from_age') }} then {{ age }}
    end
{%- endmacro %}

{#- Why age_at_event is null: 'known', 'withheld at 90+' or 'unknown'. -#}
{% macro age_status(event_at) -%}
    case
        when persons.is_age_withheld then 'withheld at 90+'
        when persons.birth_date is null or {{ event_at }} is null or {{ event_at }} < persons.birth_date then 'unknown'
        when {{ age_in_years('persons.birth_date', event_at ~ " at time zone 'UTC'") }} >= {{ var('withheld_from_age') }} then 'withheld at 90+'
        else 'known'
    end
{%- endmacro %}
