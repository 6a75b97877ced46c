{#-
    Which counts of `counts` must stay hidden (decisions/0221, 0722), as common table expressions that end in `name`.

    `counts` has, beside its group and counts: smallest_shown; part, within which groups add up to total_people,
    total_in_numerator, total_events and total_outside; is_people_forced and is_numerator_forced, where hiding is decided
    elsewhere; and is_people_shown_before, is_numerator_shown_before, where readers have seen the running count, rounded: as a
    cover for others it is worth no more than what rounding leaves open, and it is the last to be hidden.
-#}
{% macro hide_small(counts, name) -%}
{%- set key = 'measure_id, period_kind, period, dimension, part' -%}
{%- set left_open = policy('disclosure_round_open_periods_to') - 1 -%}
{{ name }}_people_ranked as (

    select
        counts.*,
        count(*) filter (where people < smallest_shown or is_people_forced) over whole as small_cells,
        row_number() over by_size as place,
        sum(case when is_people_shown_before then least(people, {{ left_open }}) else people end) over by_size as covering_people,
        total_people - sum(people) over whole + sum(people) over by_size as people_left_over

    from {{ counts }} as counts

    window
        whole as (partition by {{ key }}),
        by_size as (
            partition by {{ key }}
            order by people < smallest_shown or is_people_forced desc, is_people_shown_before, people, subgroup
        )

),

{{ name }}_people_protected as (

    select
        *,
        -- No place qualifies where even all groups together are too few: then none is shown.
        small_cells > 0 and place <= coalesce(
            min(place) filter (
                where
                    place >= greatest(small_cells, 2)
                    and covering_people >= smallest_shown
                    -- Each hidden group has somebody in it: what is left for any one of them is the rest.
                    and covering_people - place >= {{ policy('disclosure_protection_interval') }}
                    and (people_left_over <= 0 or people_left_over >= smallest_shown)
            ) over (partition by {{ key }}),
            place
        ) as is_people_hidden

    from {{ name }}_people_ranked

),

{{ name }}_judged as (

    select
        *,
        is_people_hidden or is_numerator_forced or people_in_numerator < smallest_shown or people_outside < smallest_shown
            as is_small_numerator

    from {{ name }}_people_protected

),

{{ name }}_numerators_ranked as (

    select
        *,
        count(*) filter (where is_small_numerator) over whole as small_numerators,
        row_number() over by_size as numerator_place,
        sum(case when is_numerator_shown_before then least(people_in_numerator, {{ left_open }}) else people_in_numerator end)
            over by_size as covering_in_numerator,
        sum(case when is_numerator_shown_before then least(people_outside, {{ left_open }}) else people_outside end)
            over by_size as covering_outside,
        total_in_numerator - sum(people_in_numerator) over whole + sum(people_in_numerator) over by_size as numerator_left_over,
        total_events - sum(events) over whole + sum(events) over by_size as events_left_over,
        total_outside - sum(people_outside) over whole + sum(people_outside) over by_size as outside_left_over

    from {{ name }}_judged

    window
        whole as (partition by {{ key }}),
        by_size as (
            partition by {{ key }}
            order by
                is_small_numerator desc, is_numerator_shown_before, least(people_in_numerator, people_outside), people, subgroup
        )

),

{{ name }} as (

    select
        *,
        small_numerators > 0 and numerator_place <= coalesce(
            min(numerator_place) filter (
                where
                    numerator_place >= greatest(small_numerators, 2)
                    and covering_in_numerator >= smallest_shown
                    and covering_outside >= smallest_shown
                    and (numerator_left_over <= 0 or numerator_left_over >= smallest_shown)
                    and (events_left_over <= 0 or events_left_over >= smallest_shown)
                    and (outside_left_over <= 0 or outside_left_over >= smallest_shown)
            ) over (partition by {{ key }}),
            numerator_place
        ) as is_suppressed

    from {{ name }}_numerators_ranked

)
{%- endmacro %}
