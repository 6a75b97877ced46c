{#-
    Each group against the group of reference: difference and ratio of rates, with intervals on the scale of each, as common table
    expressions that end in `pairwise_rows`. They read `rates`, every group of a dimension, and `references_by_policy`.
-#}
{% macro disparities_between_two() -%}
{%- set minimum_people = policy('equity_minimum_people') -%}
compared as (

    select
        rates.measure_id,
        rates.period_kind,
        rates.period,
        rates.dimension,
        rates.subgroup as comparison_group,
        references_by_policy.reference_group,
        references_by_policy.reference_rule,
        rates.kind,
        rates.is_suppressed,
        rates.is_known_group,
        rates.has_overlapping_groups,
        rates.people < {{ minimum_people }} as is_small_group,
        rates.rate,
        rates.standard_error,
        rates.rate_lower,
        rates.rate_upper,
        references_by_policy.rate as reference_rate,
        references_by_policy.standard_error as reference_error,
        references_by_policy.rate_lower as reference_lower,
        references_by_policy.rate_upper as reference_upper,
        sqrt(rates.standard_error ^ 2 + references_by_policy.standard_error ^ 2) as difference_error,
        sqrt(
            (rates.standard_error / nullif(rates.rate, 0)) ^ 2
            + (references_by_policy.standard_error / nullif(references_by_policy.rate, 0)) ^ 2
        ) as log_ratio_error

    from rates
    left join references_by_policy using (measure_id, period_kind, period, dimension)

    where references_by_policy.reference_group is distinct from rates.subgroup

),

differences as (

    select
        *,
        'rate_difference' as statistic,
        rate - reference_rate as estimate,
        difference_error as reported_error,
        case
            -- Newcombe (1998), method 10: from the two Wilson intervals.
            when kind = 'proportion'
                then rate - reference_rate - sqrt((rate - rate_lower) ^ 2 + (reference_upper - reference_rate) ^ 2)
            else rate - reference_rate - {{ z_95() }} * difference_error
        end as lower_limit,
        case
            when kind = 'proportion'
                then rate - reference_rate + sqrt((rate_upper - rate) ^ 2 + (reference_rate - reference_lower) ^ 2)
            else rate - reference_rate + {{ z_95() }} * difference_error
        end as upper_limit,
        case when kind = 'proportion' then 'Newcombe hybrid score' else 'delta, clustered by person' end as method,
        'unit of the rate' as scale

    from compared

),

ratios as (

    select
        *,
        'rate_ratio' as statistic,
        rate / nullif(reference_rate, 0) as estimate,
        rate / nullif(reference_rate, 0) * log_ratio_error as reported_error,
        rate / nullif(reference_rate, 0) * exp(-{{ z_95() }} * log_ratio_error) as lower_limit,
        rate / nullif(reference_rate, 0) * exp({{ z_95() }} * log_ratio_error) as upper_limit,
        case when kind = 'proportion' then 'delta on the logarithm (Katz)' else 'delta on the logarithm, clustered by person' end
            as method,
        'ratio' as scale

    from compared

),

pairwise as (

    select * from differences
    union all
    select * from ratios

),

pairwise_rows as (

    select
        measure_id,
        period_kind,
        period,
        dimension,
        statistic,
        comparison_group,
        reference_group,
        reference_rule,
        case when not is_suppressed then estimate end as estimate,
        case when not is_suppressed then reported_error end as standard_error,
        case when not is_suppressed then lower_limit end as lower_limit,
        case when not is_suppressed then upper_limit end as upper_limit,
        method,
        scale,
        is_suppressed,
        null::integer as groups_compared,
        null::integer as groups_left_out,
        nullif(concat_ws(
            '; ',
            case when is_suppressed then 'the group''s count is hidden' end,
            case when reference_group is null then 'no group has the {{ minimum_people }} people it takes to be compared with' end,
            case when not is_suppressed and is_small_group then 'fewer than {{ minimum_people }} people' end,
            case when not is_known_group then 'people whose group is not known' end,
            case when has_overlapping_groups and not is_suppressed
                then 'a person can be in both groups: the interval is wider than it need be' end
        ), '') as note

    from pairwise

)
{%- endmacro %}
