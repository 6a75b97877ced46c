with

membership as (

    select * from {{ ref('int_measures__membership') }}

)

select
    measure_id,
    period_kind,
    period,
    person_key,
    true as is_initial_population,
    exclusion_reason is not null as is_excluded,
    exclusion_reason,
    is_denominator,
    is_numerator,
    events,
    is_partly_observed

from membership
