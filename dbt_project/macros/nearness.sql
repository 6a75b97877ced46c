{#-
    What readers can subtract each cell of `counts` from, as common table expressions that end in `name`, one row per cell and
    other count: larger populations of tonight and, of a closed period, what was released before of the same population, of one
    around it or of one within it (decisions/0724). `difference` is how many people, or events, lie between the two.

    `cell` lists the columns that name a cell beside its population and period, `released_as` says its subgroup as readers know it.
-#}
{% macro differences_to_others(counts, name, cell, released_as) -%}
{%- set place = ['period_kind', 'period'] + cell -%}
{%- set columns -%}
counts.population, {% for column in place %}counts.{{ column }}, {% endfor %}counts.smallest_shown, counts.is_closed
{%- endset -%}
{{ name }}_related as (

    select population, larger as other from {{ ref('int_measures__containments') }}
    union
    select larger, population from {{ ref('int_measures__containments') }}
    union
    select population, population from {{ ref('measure_populations') }}

),

{{ name }}_released as (

    select
        {{ columns }},
        related.other,
        counts.people - released.people as more_people,
        counts.events - released.events as more_events,
        case when related.other = counts.population then counts.outside - released.outside end as more_outside

    from {{ counts }} as counts
    inner join {{ name }}_related as related using (population)
    inner join {{ ref('int_measures__released_populations') }} as released
        on released.population = related.other
        and released.period_kind = counts.period_kind
        and released.period = counts.period
        and released.dimension = counts.dimension
        and released.subgroup = {{ released_as }}

    where counts.is_closed

),

{{ name }} as (

    select
        {{ columns }},
        containments.larger as other,
        containments.is_own,
        larger.people - counts.people as people_between,
        -- Visits are subtracted from visits, and from nothing else.
        case
            when counts.events is null and larger.events is null then larger.people - counts.people
            else larger.events - counts.events
        end as difference

    from {{ counts }} as counts
    inner join {{ ref('int_measures__containments') }} as containments using (population)
    inner join {{ counts }} as larger
        on larger.population = containments.larger
        {%- for column in place %}
        and larger.{{ column }} = counts.{{ column }}
        {%- endfor %}

    {%- for more in ['more_people', 'more_events', 'more_outside'] %}

    union all
    select population, {{ place | join(', ') }}, smallest_shown, is_closed, '{{ more }} than released of ' || other, false, null, abs({{ more }})
    from {{ name }}_released
    {%- if more == 'more_people' %}
    where more_events is null
    {%- endif %}
    {%- endfor %}

)
{%- endmacro %}

{#-
    Of `differences`, by cell: the smallest difference, and whether one of them is of somebody, but of too few (is_near). Between
    the rounded counts of a period that runs nobody can be counted. Where two populations are the same in all of a table, they move
    together and neither tells of the other: those are left out.
-#}
{% macro nearest(differences, name, table_of, cell) -%}
{{ name }}_apart as (

    select
        *,
        sum(difference) over (partition by population, period_kind, period, {{ table_of }}, other) > 0 as is_apart

    from {{ differences }}

    where difference is not null

),

{{ name }} as (

    select
        population,
        period_kind,
        period,
        {{ cell | join(',\n        ') }},
        min(difference) as difference,
        bool_or(difference < smallest_shown and (is_own or (difference > 0 and is_closed))) as is_near

    from {{ name }}_apart

    where is_own or is_apart

    group by population, period_kind, period, {{ cell | join(', ') }}

)
{%- endmacro %}

{#-
    Groups of populations of this level in which one around them is hidden with too little room left inside, as a query: of
    `close_around`, whose `larger` is hidden in one of the levels before (`decided_0`, `decided_1`, …).
-#}
{% macro hidden_around(level, close_around, decided) -%}
    {%- set group = 'period_kind, period, dimension, subgroup' -%}
    {%- for before in range(level) %}
    select {{ close_around }}.population, {{ group }}
    from {{ close_around }}
    inner join {{ decided }}_{{ before }} as decided using ({{ group }})
    where decided.population = {{ close_around }}.larger and decided.is_hidden
    {{ 'union' if not loop.last }}
    {%- else %}
    select population, {{ group }} from {{ close_around }} where false
    {%- endfor %}
{%- endmacro %}
