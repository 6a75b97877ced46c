{#-
    What may be shown of each group of each measure: what int_measures__hidden decides of its populations. A hidden denominator
    hides its numerator.
-#}
with

roles as (

    select * from {{ ref('measure_populations') }}

),

hidden as (

    select * from {{ ref('int_measures__hidden') }}

)

select
    group_counts.measure_id,
    group_counts.period_kind,
    group_counts.period,
    group_counts.dimension,
    group_counts.subgroup,
    group_counts.subgroup_order,
    group_counts.is_known_group,
    denominators.is_hidden as is_people_hidden,
    denominators.is_hidden or numerators.is_hidden as is_suppressed,
    {%- for sum in names_of_sums().split() %}
    group_counts.{{ sum }}{{ ',' if not loop.last }}
    {%- endfor %}

from {{ ref('int_measures__group_counts') }} as group_counts
{%- for role in ['denominator', 'numerator'] %}
inner join roles as {{ role }}_roles
    on {{ role }}_roles.measure_id = group_counts.measure_id
    and {{ role }}_roles.role = '{{ role }}'
inner join hidden as {{ role }}s
    on {{ role }}s.population = {{ role }}_roles.population
    and {{ role }}s.period_kind = group_counts.period_kind
    and {{ role }}s.period = group_counts.period
    and {{ role }}s.dimension = group_counts.dimension
    and {{ role }}s.subgroup = group_counts.subgroup
{%- endfor %}
