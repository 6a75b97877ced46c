{#-
    All known groups of a dimension at once: attributable risk and fraction, Theil index, mean log deviation and between-group
    variance, as common table expressions that end in `summary_rows`. They read `rates`, `shown` (rates that are not hidden) and
    `best_groups`. Formulas and their sources: include/equity/, with which tests compare these.
-#}
{% macro disparities_between_all() -%}
{%- set minimum_people = policy('equity_minimum_people') -%}
-- Between all known groups at once. mean_rate is weighted by people or person-years.
weighted as (

    select
        shown.*,
        shown.denominator::double precision
            / sum(shown.denominator::double precision) over whole as share,
        sum(shown.denominator::double precision * shown.rate) over whole
            / sum(shown.denominator::double precision) over whole as mean_rate

    from shown

    where shown.is_known_group

    window whole as (
        partition by shown.measure_id, shown.period_kind, shown.period, shown.dimension
        order by shown.subgroup rows between unbounded preceding and unbounded following
    )

),

with_parts as (

    select
        weighted.*,
        best_groups.reference_group,
        best_groups.rate as best_rate,
        (weighted.subgroup = best_groups.reference_group)::integer as is_best,
        weighted.share * (weighted.rate - weighted.mean_rate) ^ 2 as variance_part,
        weighted.share * relative.rate * ln(nullif(relative.rate, 0)) as theil_part,
        -weighted.share * ln(nullif(relative.rate, 0)) as deviation_part

    from weighted
    left join best_groups using (measure_id, period_kind, period, dimension)
    cross join lateral (select weighted.rate / nullif(weighted.mean_rate, 0) as rate) as relative

),

summed as (

    select
        measure_id,
        period_kind,
        period,
        dimension,
        reference_group,
        favourable_direction,
        bool_or(has_overlapping_groups) as has_overlapping_groups,
        count(*)::integer as groups_compared,
        min(mean_rate) as mean_rate,
        min(best_rate) as best_rate,
        sum(variance_part order by subgroup) as variance_between,
        sum(theil_part order by subgroup) as theil,
        sum(deviation_part order by subgroup) as deviation,
        sum(((is_best - share) * standard_error) ^ 2 order by subgroup) as risk_variance,
        sum(((is_best / mean_rate - best_rate * share / mean_rate ^ 2) * standard_error) ^ 2 order by subgroup)
            as fraction_variance,
        -- Variance of the between-group variance (Ahn et al. 2018), first and second order.
        4 * sum((share * (rate - mean_rate) * standard_error) ^ 2 order by subgroup)
        + 2 * (
            sum((share * standard_error) ^ 2 order by subgroup) ^ 2
            + sum(share ^ 2 * standard_error ^ 4 order by subgroup)
            - 2 * sum(share ^ 3 * standard_error ^ 4 order by subgroup)
        ) as variance_between_variance,
        sum((share * standard_error * (1 / mean_rate - 1 / nullif(rate, 0))) ^ 2 order by subgroup) as deviation_variance

    from with_parts

    group by 1, 2, 3, 4, 5, 6

),

theil_errors as (

    select
        with_parts.measure_id,
        with_parts.period_kind,
        with_parts.period,
        with_parts.dimension,
        sum(
            (share * standard_error / with_parts.mean_rate
            * (ln(nullif(rate, 0) / nullif(with_parts.mean_rate, 0)) - summed.theil)) ^ 2
            order by subgroup
        ) as theil_variance

    from with_parts
    inner join summed using (measure_id, period_kind, period, dimension)

    group by 1, 2, 3, 4

),

left_out as (

    select
        measure_id,
        period_kind,
        period,
        dimension,
        (count(*) filter (where is_known_group and is_suppressed))::integer as groups_left_out

    from rates

    group by 1, 2, 3, 4

),

summaries as (

    select
        summed.*,
        left_out.groups_left_out,
        each_summary.*,
        settled.settled_estimate

    from summed
    inner join theil_errors using (measure_id, period_kind, period, dimension)
    inner join left_out using (measure_id, period_kind, period, dimension)
    cross join lateral (
        values
        (
            'population_attributable_risk', best_rate - mean_rate, sqrt(risk_variance), 'unit of the rate', true,
            'delta, shares of people taken as known'
        ),
        (
            'population_attributable_fraction', best_rate / mean_rate - 1, sqrt(fraction_variance), 'fraction', true,
            'delta, shares of people taken as known'
        ),
        ('theil_index', theil, sqrt(theil_variance), 'index', false, 'delta'),
        ('mean_log_deviation', deviation, sqrt(deviation_variance), 'index', false, 'delta'),
        (
            'between_group_variance', variance_between, sqrt(variance_between_variance), 'unit of the rate, squared', false,
            'delta of second order (Ahn 2018)'
        )
    ) as each_summary (statistic, raw_estimate, raw_error, scale, has_reference, method)

    cross join lateral (
        select
            case
                -- Nothing is to be gained where all together already do better than the best large group (WHO's rule).
                when has_reference and favourable_direction = 'higher' then greatest(raw_estimate, 0)
                when has_reference then least(raw_estimate, 0)
                else raw_estimate
            end as settled_estimate
    ) as settled

    where summed.groups_compared >= 2

),

summary_rows as (

    select
        measure_id,
        period_kind,
        period,
        dimension,
        statistic,
        null::text as comparison_group,
        case when has_reference then reference_group end as reference_group,
        case when has_reference and reference_group is not null then 'best group' end as reference_rule,
        settled_estimate as estimate,
        raw_error as standard_error,
        settled_estimate - {{ z_95() }} * raw_error as lower_limit,
        settled_estimate + {{ z_95() }} * raw_error as upper_limit,
        method,
        scale,
        false as is_suppressed,
        groups_compared,
        groups_left_out,
        nullif(concat_ws(
            '; ',
            case when has_reference and reference_group is null
                then 'no group has the {{ minimum_people }} people it takes to be compared with' end,
            case when has_reference and settled_estimate <> raw_estimate
                then 'all together do better than the reference: nothing to gain' end,
            case when groups_left_out > 0 then 'groups whose counts are hidden are left out' end,
            case when has_overlapping_groups then 'a person of several groups counts in each' end,
            case when not has_reference and raw_estimate < {{ policy('equity_weak_evidence_errors') }} * raw_error
                then 'less than {{ policy("equity_weak_evidence_errors") }} standard errors from none: too high on average, '
                    || 'and its interval may miss' end
        ), '') as note

    from summaries

)
{%- endmacro %}
