{#-
    Which groups of `limits` must stay hidden (decisions/0221, 0722, 0724), as common table expressions that end in `name`.

    Groups are hidden from the smallest upwards until those that must be, and as many others as cover them, are. `limits` has one
    row per group and limit: the amount that hides in the group under that limit (people, those who lack it, those between it and
    the nearest count it can be subtracted from, in each part of a second dimension), and whether it is too small. Within `part`
    amounts add up to total, where that is known. From a limit that needs_cover anywhere among the hidden on, at least two groups with
    somebody in them are hidden together, their amounts reach the minimum, and what is left of the total is not small either.
    What readers have seen rounded (is_shown_before) covers others by no more than rounding leaves open, and is hidden last.
-#}
{% macro hide_small(limits, name) -%}
{%- set key = 'population, period_kind, period, dimension, part' -%}
{%- set left_open = policy('disclosure_round_open_periods_to') - 1 -%}
{{ name }}_groups as (

    select
        {{ key }},
        subgroup,
        bool_or(is_small) as is_small,
        bool_or(is_shown_before) as is_shown_before,
        bool_or(is_no_cover) as is_no_cover,
        min(size) as size

    from {{ limits }}

    group by {{ key }}, subgroup

),

{{ name }}_ranked as (

    select
        {{ key }},
        subgroup,
        count(*) filter (where is_small) over (partition by {{ key }}) as small_groups,
        row_number() over (partition by {{ key }} order by is_small desc, is_shown_before, is_no_cover, size, subgroup) as place

    from {{ name }}_groups

),

{{ name }}_covered as (

    select
        {{ key }},
        limits.smallest_shown,
        limits.has_one_each,
        ranked.small_groups,
        ranked.place,
        bool_or(limits.needs_cover) over to_here as needs_cover,
        count(*) filter (where limits.is_present) over to_here as peopled,
        sum(case when limits.is_shown_before then least(limits.amount, {{ left_open }}) else limits.amount end) over to_here as covering,
        limits.total - sum(limits.amount) over whole + sum(limits.amount) over to_here as left_over

    from {{ limits }} as limits
    inner join {{ name }}_ranked as ranked using ({{ key }}, subgroup)

    window
        whole as (partition by {{ key }}, limits.limit_name),
        to_here as (partition by {{ key }}, limits.limit_name order by ranked.place)

),

{{ name }}_enough as (

    select {{ key }}, min(place) as last_place

    from (
        select {{ key }}, place

        from {{ name }}_covered

        group by {{ key }}, place

        having
            place >= greatest(min(small_groups), 2)
            and bool_and(
                not needs_cover
                or (
                    peopled >= 2
                    and covering >= smallest_shown
                    -- Each hidden group has somebody in it: what is left for any one of them is the rest.
                    and (not has_one_each or covering - place >= {{ policy('disclosure_protection_interval') }})
                    and (left_over is null or left_over <= 0 or left_over >= smallest_shown)
                )
            )
    ) as places

    group by {{ key }}

),

{{ name }} as (

    select
        ranked.*,
        -- No place is enough where even all groups together are too few: then none is shown.
        small_groups > 0 and place <= coalesce(last_place, place) as is_hidden

    from {{ name }}_ranked as ranked
    left join {{ name }}_enough using ({{ key }})

)
{%- endmacro %}
