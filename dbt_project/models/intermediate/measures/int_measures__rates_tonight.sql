{#-
    Rate, standard error and interval of every group, before hiding (a hidden row stays hidden in what is built on this).
    Counts of a running period go to the nearest multiple the policy names (1: exact). Events: the standard error allows for
    people with many visits (Taylor linearisation over people), and is never smaller than Poisson's.
-#}
with

disclosure as (

    select * from {{ ref('int_measures__disclosure') }}
    union all
    select * from {{ ref('int_measures__pair_disclosure') }}

),

catalogue as (

    select measure_id, kind, rate_per, favourable_direction from {{ ref('measure_catalogue') }}

),

periods as (

    select
        period_kind,
        period,
        case when is_closed then 1 else {{ policy('disclosure_round_open_periods_to') }} end as rounded_to

    from {{ ref('int_measures__periods') }}

),

counted as (

    select
        disclosure.*,
        catalogue.kind,
        catalogue.rate_per,
        catalogue.favourable_direction,
        periods.rounded_to,
        (round(disclosure.people / periods.rounded_to::numeric) * periods.rounded_to)::bigint as people_released,
        (round(disclosure.events / periods.rounded_to::numeric) * periods.rounded_to)::bigint as numerator

    from disclosure
    inner join catalogue using (measure_id)
    inner join periods using (period_kind, period)

),

divided as (

    select
        *,
        case
            when kind = 'proportion' then people_released::double precision
            -- A tenth of a year: finer sums could be taken apart into single people's days.
            when rounded_to = 1 then round(person_days / 365.25, 1)::double precision
            else (round(person_days / 365.25 / rounded_to) * rounded_to)::double precision
        end as denominator

    from counted

),

rated as (

    select
        *,
        numerator / nullif(denominator, 0) as share_or_rate

    from divided

),

with_errors as (

    select
        *,
        case
            when kind = 'proportion' then sqrt(share_or_rate * (1 - share_or_rate) / nullif(denominator, 0))
            else sqrt(greatest(
                numerator,
                (events_squared - 2 * share_or_rate * events_times_days / 365.25 + share_or_rate ^ 2 * days_squared / 365.25 ^ 2)
                * people / nullif(people - 1, 0)
            )) / nullif(denominator, 0)
        end as error,
        case
            when kind = 'proportion' then {{ wilson_limit('numerator', 'denominator', 'lower') }}
            when not is_suppressed then statistics.poisson_lower(numerator) / nullif(denominator, 0)
        end as lower_limit,
        case
            when kind = 'proportion' then {{ wilson_limit('numerator', 'denominator', 'upper') }}
            when not is_suppressed then statistics.poisson_upper(numerator) / nullif(denominator, 0)
        end as upper_limit

    from rated

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
    kind,
    favourable_direction,
    rate_per,
    rounded_to,
    people_released as people,
    numerator,
    denominator,
    share_or_rate * rate_per as rate,
    error * rate_per as standard_error,
    lower_limit * rate_per as rate_lower,
    upper_limit * rate_per as rate_upper,
    case when kind = 'proportion' then 'Wilson' else 'exact Poisson' end as interval_method

from with_errors
