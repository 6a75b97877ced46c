{#-
    What may be shown of two dimensions together (decisions/0722). A group of the first dimension is shown with all its parts or
    with none: hidden are the groups with a small part and, from the smallest upwards, as many others as it takes for the hidden
    parts of every group of the second dimension to be at least two and to add up to the minimum on both sides. What is hidden
    alone (int_measures__disclosure) is hidden here; the hidden groups of the second dimension count as one part. Hidden groups
    are listed with every part there could be, so that nobody learns which of them are empty.
-#}
{%- set minimum = policy('disclosure_minimum_cell') -%}
{%- set key = 'measure_id, period_kind, period, dimension' -%}
{%- set sums = names_of_sums().split() -%}
with

catalogue as (

    select measure_id, kind from {{ ref('measure_catalogue') }}

),

counts as (

    select * from {{ ref('int_measures__pair_counts') }}

),

margins as (

    select
        measure_id,
        period_kind,
        period,
        dimension,
        subgroup,
        is_known_group,
        is_suppressed,
        people,
        people_in_numerator,
        case kind when 'proportion' then people - people_in_numerator else people end as people_outside

    from {{ ref('int_measures__disclosure') }}
    inner join catalogue using (measure_id)

),

tables as (

    select distinct
        measure_id,
        period_kind,
        period,
        dimension,
        split_part(dimension, '*', 1) as first_dimension,
        split_part(dimension, '*', 2) as second_dimension

    from counts

),

-- Every part there could be, with nobody in it where there is none.
grid as (

    select
        tables.measure_id,
        tables.period_kind,
        tables.period,
        tables.dimension,
        first_margin.subgroup as first_group,
        second_margin.subgroup as second_group,
        first_margin.is_known_group and second_margin.is_known_group as is_known_group,
        first_margin.is_suppressed as is_first_hidden,
        second_margin.is_suppressed as is_second_hidden,
        case when not second_margin.is_suppressed then second_margin.subgroup end as part,
        catalogue.kind,
        first_margin.people as people_of_first,
        first_margin.people_in_numerator as in_numerator_of_first,
        first_margin.people_outside as outside_of_first,
        second_margin.people as people_of_second,
        second_margin.people_in_numerator as in_numerator_of_second,
        second_margin.people_outside as outside_of_second,
        {%- for sum in sums %}
        coalesce(counts.{{ sum }}, 0) as {{ sum }}{{ ',' if not loop.last }}
        {%- endfor %}

    from tables
    inner join catalogue using (measure_id)
    inner join margins as first_margin
        on first_margin.measure_id = tables.measure_id
        and first_margin.period_kind = tables.period_kind
        and first_margin.period = tables.period
        and first_margin.dimension = tables.first_dimension
    inner join margins as second_margin
        on second_margin.measure_id = tables.measure_id
        and second_margin.period_kind = tables.period_kind
        and second_margin.period = tables.period
        and second_margin.dimension = tables.second_dimension
    left join counts
        on counts.measure_id = tables.measure_id
        and counts.period_kind = tables.period_kind
        and counts.period = tables.period
        and counts.dimension = tables.dimension
        and counts.first_group = first_margin.subgroup
        and counts.second_group = second_margin.subgroup

),

parts as (

    select
        {{ key }},
        first_group,
        part,
        bool_or(is_first_hidden) as is_first_hidden,
        sum(people) as people,
        sum(people_in_numerator) as people_in_numerator,
        sum(case when kind = 'proportion' then people - people_in_numerator else people end) as people_outside,
        min(people_of_first) as people_of_first,
        min(in_numerator_of_first) as in_numerator_of_first,
        min(outside_of_first) as outside_of_first,
        sum(people_of_second) as people_of_second,
        sum(in_numerator_of_second) as in_numerator_of_second,
        sum(outside_of_second) as outside_of_second

    from grid

    group by {{ key }}, first_group, part

),

firsts as (

    select
        {{ key }},
        first_group,
        bool_or(
            is_first_hidden
            or (people > 0 and least(people, people_in_numerator, people_outside) < {{ minimum }})
        )
        -- What is left of the group when its shown parts are taken from it, where people are in several of its parts.
        or coalesce(bool_or(part is null and people > 0), false) and (
            {%- for count, margin in [
                ('people', 'people_of_first'), ('people_in_numerator', 'in_numerator_of_first'), ('people_outside', 'outside_of_first')
            ] %}
            {{ 'or ' if not loop.first }}min({{ margin }}) - coalesce(sum({{ count }}) filter (where part is not null), 0) between 1 and {{ minimum }} - 1
            {%- endfor %}
        ) as is_small,
        sum(people) as people

    from parts

    group by {{ key }}, first_group

),

ranked as (

    select
        *,
        count(*) filter (where is_small) over (partition by {{ key }}) as small_firsts,
        row_number() over (partition by {{ key }} order by is_small desc, people, first_group) as place

    from firsts

),

-- What is left of each group of the second dimension when all shown parts are taken from it. People of several races are in
-- several parts: there nothing may be left, which tells nothing.
cumulated as (

    select
        {{ key }},
        ranked.place,
        ranked.small_firsts,
        count(*) filter (where parts.people > 0) over to_here as peopled,
        {%- for count, margin in [
            ('people', 'people_of_second'), ('people_in_numerator', 'in_numerator_of_second'), ('people_outside', 'outside_of_second')
        ] %}
        parts.{{ margin }} - sum(parts.{{ count }}) over whole + sum(parts.{{ count }}) over to_here as {{ count }}_left,
        sum(parts.{{ count }}) over to_here as {{ count }}_hidden{{ ',' if not loop.last }}
        {%- endfor %}

    from parts
    inner join ranked using ({{ key }}, first_group)

    window
        whole as (partition by {{ key }}, parts.part),
        to_here as (partition by {{ key }}, parts.part order by ranked.place)

),

reached as (

    select
        {{ key }},
        place

    from cumulated

    group by {{ key }}, place

    having
        place >= greatest(min(small_firsts), 2)
        and bool_and(
            people_hidden = 0
            or (
                peopled >= 2
                {%- for count in ['people', 'people_in_numerator', 'people_outside'] %}
                and {{ count }}_hidden >= {{ minimum }}
                and ({{ count }}_left <= 0 or {{ count }}_left >= {{ minimum }})
                {%- endfor %}
            )
        )

),

hidden_up_to as (

    select {{ key }}, min(place) as last_place from reached group by {{ key }}

),

decided as (

    select
        ranked.measure_id,
        ranked.period_kind,
        ranked.period,
        ranked.dimension,
        ranked.first_group,
        -- Where no place is enough, none is shown.
        ranked.small_firsts > 0 and ranked.place <= coalesce(hidden_up_to.last_place, ranked.place) as is_hidden

    from ranked
    left join hidden_up_to using ({{ key }})

)

select
    grid.measure_id,
    grid.period_kind,
    grid.period,
    grid.dimension,
    grid.first_group || ', ' || grid.second_group as subgroup,
    null::integer as subgroup_order,
    grid.is_known_group,
    decided.is_hidden or grid.is_second_hidden as is_people_hidden,
    decided.is_hidden or grid.is_second_hidden as is_suppressed,
    {%- for sum in sums %}
    grid.{{ sum }}{{ ',' if not loop.last }}
    {%- endfor %}

from grid
inner join decided using ({{ key }}, first_group)

where grid.people > 0 or decided.is_hidden or grid.is_second_hidden
