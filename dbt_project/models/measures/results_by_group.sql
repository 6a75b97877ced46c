{{ config(post_hook="analyze {{ this }} (measure_id, period, dimension, subgroup)") }}
with

rates as (

    select * from {{ ref('int_measures__rates') }}

),

periods as (

    select * from {{ ref('int_measures__periods') }}

),

catalogue as (

    select * from {{ ref('measure_catalogue') }}

),

readiness as (

    select * from {{ ref('int_measures__readiness') }}

),

-- Every measure and period has its row of all people, also when there was nobody to count.
expected as (

    select
        catalogue.measure_id,
        catalogue.title,
        catalogue.kind,
        catalogue.favourable_direction,
        catalogue.rate_per,
        catalogue.unit,
        periods.period_kind,
        periods.period,
        periods.is_closed,
        readiness.missing_value_sets,
        readiness.unseen_value_sets

    from catalogue
    inner join periods using (period_kind)
    inner join readiness using (measure_id)

),

placed as (

    select
        expected.*,
        coalesce(rates.dimension, 'all') as dimension,
        coalesce(rates.subgroup, 'All people') as subgroup,
        rates.subgroup_order,
        coalesce(rates.is_known_group, true) as is_known_group,
        rates.people,
        coalesce(rates.rounded_to, 1) as rounded_to,
        rates.numerator,
        rates.denominator,
        rates.rate,
        rates.standard_error,
        rates.rate_lower,
        rates.rate_upper,
        rates.interval_method,
        coalesce(rates.is_suppressed, false) as is_suppressed,
        coalesce(rates.is_people_hidden, false) as is_people_hidden,
        case
            when expected.missing_value_sets is not null then 'value set missing'
            when coalesce(rates.denominator, 0) = 0 then 'no denominator'
            when expected.unseen_value_sets is not null then 'never recorded'
            when rates.is_suppressed then 'suppressed'
            else 'shown'
        end as status

    from expected
    left join rates using (measure_id, period_kind, period)

)

select
    measure_id,
    period_kind,
    period,
    is_closed as is_period_closed,
    dimension,
    subgroup,
    subgroup_order,
    is_known_group,
    title,
    unit,
    rate_per,
    case when not is_people_hidden then people end as people,
    case when status = 'shown' then numerator end as numerator,
    case when not is_people_hidden and status in ('shown', 'suppressed', 'never recorded') then denominator end as denominator,
    case when status = 'shown' then rate end as rate,
    case when status = 'shown' then standard_error end as standard_error,
    case when status = 'shown' then rate_lower end as rate_lower,
    case when status = 'shown' then rate_upper end as rate_upper,
    0.95::double precision as confidence_level,
    case when status = 'shown' then interval_method end as interval_method,
    favourable_direction,
    rounded_to,
    status = 'suppressed' as is_suppressed,
    status,
    case status
        when 'value set missing' then 'no codes are known for: ' || missing_value_sets
        when 'no denominator' then 'nobody belongs to the denominator'
        when 'never recorded' then 'no record carries a code of: ' || unseen_value_sets
        when 'suppressed' then 'hidden so that no count below {{ policy("disclosure_minimum_cell") }} can be read or worked out'
    end as note

from placed
