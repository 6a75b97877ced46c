{#-
    When something was, as exactly as it was written and no more exactly: the earliest and the latest moment it can have begun
    and ended. A day stands for all its moments, so that "by the 30th" can be told from "perhaps by the 30th". What has begun
    and tells no end goes on (infinity); what tells only its end may have begun at any time before (-infinity).
-#}

{#- The last moment of a date as written (macro moment() gives the first), to a millisecond. -#}
{% macro moment_latest(name) -%}
    case
        when {{ name }}_text like '____-__-__T%' then {{ name }}_whole
        when {{ name }}_text like '____-__-__' then {{ name }}_whole + interval '1 day' - interval '1 millisecond'
        when {{ name }}_text like '____-__' and pg_input_is_valid({{ name }}_text || '-01', 'date')
            then ({{ name }}_text || '-01T00:00:00Z')::timestamptz + interval '1 month' - interval '1 millisecond'
        when {{ name }}_text like '____' and pg_input_is_valid({{ name }}_text || '-01-01', 'date')
            then ({{ name }}_text || '-01-01T00:00:00Z')::timestamptz + interval '1 year' - interval '1 millisecond'
    end
{%- endmacro %}

{#- Four columns begins_from, begins_to, ends_from, ends_to of a point in time (`point`, may be none) or a period. -#}
{% macro bounds(start, end, points=[]) -%}
    {%- set first = [] -%}{%- set last = [] -%}
    {%- for point in points -%}{%- do first.append(moment(point)) -%}{%- do last.append(moment_latest(point)) -%}{%- endfor -%}
    coalesce({{ (first + [moment(start)]) | join(', ') }}, case when {{ end }}_text is not null then '-infinity'::timestamptz end) as begins_from,
    coalesce({{ (last + [moment_latest(start), moment_latest(end)]) | join(', ') }}) as begins_to,
    coalesce({{ (first + [moment(end)]) | join(', ') }}, case when {{ start }}_text is not null then 'infinity'::timestamptz end) as ends_from,
    coalesce({{ (last + [moment_latest(end)]) | join(', ') }}, case when {{ start }}_text is not null then 'infinity'::timestamptz end) as ends_to
{%- endmacro %}

{#- An age told as a quantity, as an interval to add to the birth date. -#}
{% macro age_interval(value, unit) -%}
    case
        when {{ unit }} in ('a', 'year', 'years') then make_interval(years => floor({{ value }})::integer)
        when {{ unit }} in ('mo', 'month', 'months') then make_interval(months => floor({{ value }})::integer)
        when {{ unit }} in ('wk', 'week', 'weeks') then make_interval(weeks => floor({{ value }})::integer)
        when {{ unit }} in ('d', 'day', 'days') then make_interval(days => floor({{ value }})::integer)
    end
{%- endmacro %}

{#- Columns of a JSON_TABLE for an age or a range of ages. -#}
{% macro age_columns(name, age, range) -%}
    {{ name }}_age numeric path '{{ age }}.value' null on error,
    {{ name }}_age_unit text path '{{ age }}.code' null on error,
    {{ name }}_low numeric path '{{ range }}.low.value' null on error,
    {{ name }}_low_unit text path '{{ range }}.low.code' null on error,
    {{ name }}_high numeric path '{{ range }}.high.value' null on error,
    {{ name }}_high_unit text path '{{ range }}.high.code' null on error
{%- endmacro %}

{#- The first and the last of those ages. -#}
{% macro age_from(name) -%}
    coalesce({{ age_interval(name ~ '_age', name ~ '_age_unit') }}, {{ age_interval(name ~ '_low', name ~ '_low_unit') }})
{%- endmacro %}
{% macro age_to(name) -%}
    coalesce({{ age_interval(name ~ '_age', name ~ '_age_unit') }}, {{ age_interval(name ~ '_high', name ~ '_high_unit') }})
{%- endmacro %}

{#- The same for what a table tells as moments. -#}
{% macro told_bounds(begins, ends) -%}
    {{ begins }} as begins_from,
    {{ begins }} as begins_to,
    {{ ends }} as ends_from,
    {{ ends }} as ends_to
{%- endmacro %}

{#-
    Comparing with a day or a moment that is known exactly. True only where every moment the value can stand for agrees, and,
    as CQL has it, not where the value ends its telling at the very part that decides (12.2026 is not said to be by 31.12.2026).
-#}
{% macro utc_day(column) -%}({{ column }} at time zone 'UTC')::date{%- endmacro %}
{% macro by_day(name, day) -%}
    ({{ utc_day(name ~ '_to') }} < {{ day }} or ({{ utc_day(name ~ '_to') }} = {{ day }} and {{ utc_day(name ~ '_from') }} = {{ day }}))
{%- endmacro %}
{% macro from_day(name, day) -%}
    ({{ utc_day(name ~ '_from') }} > {{ day }} or ({{ utc_day(name ~ '_from') }} = {{ day }} and {{ utc_day(name ~ '_to') }} = {{ day }}))
{%- endmacro %}
{% macro by_moment(name, moment) -%}
    ({{ name }}_to < {{ moment }} or ({{ name }}_to = {{ moment }} and {{ name }}_from = {{ moment }}))
{%- endmacro %}
{% macro from_moment(name, moment) -%}
    ({{ name }}_from > {{ moment }} or ({{ name }}_from = {{ moment }} and {{ name }}_to = {{ moment }}))
{%- endmacro %}

{#- CQL's "overlaps day of", "ends during day of", "starts during day of" and "during day of" a range of days, both included. -#}
{% macro overlaps_days(fact, first, last) -%}
    {{ by_day(fact ~ '.begins', last) }} and {{ from_day(fact ~ '.ends', first) }}
{%- endmacro %}
{% macro ends_in_days(fact, first, last) -%}
    {{ from_day(fact ~ '.ends', first) }} and {{ by_day(fact ~ '.ends', last) }}
{%- endmacro %}
{% macro begins_in_days(fact, first, last) -%}
    {{ from_day(fact ~ '.begins', first) }} and {{ by_day(fact ~ '.begins', last) }}
{%- endmacro %}
{% macro within_days(fact, first, last) -%}
    {{ from_day(fact ~ '.begins', first) }} and {{ by_day(fact ~ '.ends', last) }}
{%- endmacro %}
