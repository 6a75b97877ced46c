{#-
    What may be shown of each group (include/policies/disclosure.yml; decisions/0221).

    A count is small when it, or what is left of its denominator, stands for fewer than the minimum of people. Small counts are
    hidden, and with them, from the smallest upwards, as many others as it takes for the hidden ones of a dimension to be at
    least two, to add up to at least the minimum on both sides, and for the total less everything shown not to be small either.
    Of a period that still runs, counts are shown rounded: the minimum is higher by what two roundings can take away, so that
    what is shown is not small either. People (denominators) and numerators are protected one after the other; a hidden denominator hides its numerator.
-#}
{%- set minimum = policy('disclosure_minimum_cell') -%}
{%- set rounded_to = policy('disclosure_round_open_periods_to') -%}
{%- set dimension_key = 'measure_id, period_kind, period, dimension' -%}
with

catalogue as (

    select measure_id, kind from {{ ref('measure_catalogue') }}

),

periods as (

    select
        period_kind,
        period,
        {{ minimum }}
        + case when is_closed or {{ rounded_to }} = 1 then 0 else {{ rounded_to }} end as smallest_shown

    from {{ ref('int_measures__periods') }}

),

counts as (

    select
        group_counts.*,
        periods.smallest_shown,
        -- The other side of the count: people who had none. For visits nobody's absence is published.
        case
            when catalogue.kind = 'proportion' then group_counts.people - group_counts.people_in_numerator
            else group_counts.people
        end as people_outside

    from {{ ref('int_measures__group_counts') }} as group_counts
    inner join catalogue using (measure_id)
    inner join periods using (period_kind, period)

),

totals as (

    select
        measure_id,
        period_kind,
        period,
        people as total_people,
        people_in_numerator as total_in_numerator,
        events as total_events,
        people_outside as total_outside

    from counts

    where dimension = 'all'

),

ranked_people as (

    select
        counts.*,
        totals.total_people,
        totals.total_in_numerator,
        totals.total_events,
        totals.total_outside,
        counts.people < smallest_shown as is_small,
        count(*) filter (where counts.people < smallest_shown) over whole as small_cells,
        row_number() over by_size as place,
        sum(counts.people) over by_size as hidden_people,
        totals.total_people - sum(counts.people) over whole + sum(counts.people) over by_size as people_left_over

    from counts
    inner join totals using (measure_id, period_kind, period)

    window
        whole as (partition by {{ dimension_key }}),
        by_size as (partition by {{ dimension_key }} order by counts.people, counts.subgroup)

),

people_protected as (

    select
        *,
        -- No place qualifies where even all groups together are too few: then none is shown.
        small_cells > 0 and place <= coalesce(
            min(place) filter (
                where
                    place >= greatest(small_cells, 2)
                    and hidden_people >= smallest_shown
                    and (people_left_over <= 0 or people_left_over >= smallest_shown)
            ) over (partition by {{ dimension_key }}),
            place
        ) as is_people_hidden

    from ranked_people

),

judged as (

    select
        *,
        is_people_hidden or people_in_numerator < smallest_shown or people_outside < smallest_shown as is_small_numerator

    from people_protected

),

ranked_numerators as (

    select
        *,
        count(*) filter (where is_small_numerator) over whole as small_numerators,
        row_number() over by_size as numerator_place,
        sum(people_in_numerator) over by_size as hidden_in_numerator,
        sum(people_outside) over by_size as hidden_outside,
        total_in_numerator - sum(people_in_numerator) over whole + sum(people_in_numerator) over by_size as numerator_left_over,
        total_events - sum(events) over whole + sum(events) over by_size as events_left_over,
        total_outside - sum(people_outside) over whole + sum(people_outside) over by_size as outside_left_over

    from judged

    window
        whole as (partition by {{ dimension_key }}),
        by_size as (
            partition by {{ dimension_key }}
            order by is_small_numerator desc, least(people_in_numerator, people_outside), people, subgroup
        )

),

numerators_protected as (

    select
        *,
        small_numerators > 0 and numerator_place <= coalesce(
            min(numerator_place) filter (
                where
                    numerator_place >= greatest(small_numerators, 2)
                    and hidden_in_numerator >= smallest_shown
                    and hidden_outside >= smallest_shown
                    and (numerator_left_over <= 0 or numerator_left_over >= smallest_shown)
                    and (events_left_over <= 0 or events_left_over >= smallest_shown)
                    and (outside_left_over <= 0 or outside_left_over >= smallest_shown)
            ) over (partition by {{ dimension_key }}),
            numerator_place
        ) as is_suppressed

    from ranked_numerators

)

select
    measure_id,
    period_kind,
    period,
    dimension,
    subgroup,
    subgroup_order,
    is_known_group,
    is_people_hidden,
    is_suppressed,
    people,
    people_in_numerator,
    events,
    person_days,
    events_squared,
    events_times_days,
    days_squared

from numerators_protected
