{#-
    What may be shown of each group (include/policies/disclosure.yml; decisions/0221, 0722).

    A count is small when it, or what is left of its denominator, stands for fewer than the minimum of people. Small counts are
    hidden, and with them, from the smallest upwards, as many others as it takes for the hidden ones of a dimension to be at
    least two, to add up to at least the minimum on both sides, and for the total less everything shown not to be small either.
    Of a period that still runs, counts are shown rounded: the minimum is higher by what two roundings can take away, so that
    what is shown is not small either. People (denominators) and numerators are protected one after the other; a hidden
    denominator hides its numerator. Everybody knows which ZIP3 is in which state: ZIP3s are protected within their state, and
    those of a hidden state are hidden.
-#}
{%- set minimum = policy('disclosure_minimum_cell') -%}
{%- set rounded_to = policy('disclosure_round_open_periods_to') -%}
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

released as (

    select * from {{ source('quality', 'released_group') }}

),

counts as (

    select
        group_counts.*,
        periods.smallest_shown,
        -- The other side of the count: people who had none. For visits nobody's absence is published.
        case
            when catalogue.kind = 'proportion' then group_counts.people - group_counts.people_in_numerator
            else group_counts.people
        end as people_outside,
        coalesce(released.people_shown_since < {{ night() }}, false) as is_people_shown_before,
        coalesce(released.numerator_shown_since < {{ night() }}, false) as is_numerator_shown_before

    from {{ ref('int_measures__group_counts') }} as group_counts
    inner join catalogue using (measure_id)
    inner join periods using (period_kind, period)
    left join released using (measure_id, period_kind, period, dimension, subgroup)

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

first_counts as (

    select counts.*, '' as part, false as is_people_forced, false as is_numerator_forced,
        totals.total_people, totals.total_in_numerator, totals.total_events, totals.total_outside

    from counts
    inner join totals using (measure_id, period_kind, period)

    where dimension <> 'zip3'

),

{{ hide_small('first_counts', 'first_protected') }},

states as (

    select zip3 as subgroup, mode() within group (order by state) as part from {{ ref('int_persons__resolved') }} group by 1

),

zip3_counts as (

    select
        counts.*,
        coalesce(states.part, 'unknown') as part,
        coalesce(of_state.is_people_hidden, false) as is_people_forced,
        coalesce(of_state.is_suppressed, false) as is_numerator_forced,
        sum(counts.people) over whole as total_people,
        sum(counts.people_in_numerator) over whole as total_in_numerator,
        sum(counts.events) over whole as total_events,
        sum(counts.people_outside) over whole as total_outside

    from counts
    left join states using (subgroup)
    left join first_protected as of_state
        on of_state.measure_id = counts.measure_id
        and of_state.period_kind = counts.period_kind
        and of_state.period = counts.period
        and of_state.dimension = 'state'
        and of_state.subgroup = coalesce(states.part, 'unknown')

    where counts.dimension = 'zip3'

    window whole as (partition by counts.measure_id, counts.period_kind, counts.period, coalesce(states.part, 'unknown'))

),

{{ hide_small('zip3_counts', 'within_states') }},

-- And all of them against everybody, since not every person's ZIP3 is one of their state.
all_zip3_counts as (

    select
        counts.*,
        '' as part,
        within_states.is_people_hidden as is_people_forced,
        within_states.is_suppressed as is_numerator_forced,
        totals.total_people,
        totals.total_in_numerator,
        totals.total_events,
        totals.total_outside

    from counts
    inner join within_states using (measure_id, period_kind, period, dimension, subgroup)
    inner join totals using (measure_id, period_kind, period)

),

{{ hide_small('all_zip3_counts', 'zip3_protected') }}

{% for protected in ['first_protected', 'zip3_protected'] %}
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

from {{ protected }}
{{ 'union all' if not loop.last }}
{% endfor %}
