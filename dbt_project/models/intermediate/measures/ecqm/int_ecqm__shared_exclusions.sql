{#-
    The exclusions every one of the four measures has, with the ages of the libraries. `frail at 81` is CMS165's alone: from 81
    on, frailty is enough there.
-#}
with

people as (

    select period_kind, period, person_key, youngest_at_end from {{ ref('int_ecqm__people') }}

),

criteria as (

    select
        period_kind,
        period,
        person_key,
        bool_or(criterion = 'hospice') as is_in_hospice,
        bool_or(criterion = 'palliative care') as is_in_palliative_care,
        bool_or(criterion = 'nursing home') as lives_in_nursing_home,
        bool_or(criterion = 'frailty') as is_frail,
        bool_or(criterion in ('advanced illness', 'dementia medication')) as is_gravely_ill

    from {{ ref('int_ecqm__criteria') }}

    group by 1, 2, 3

),

judged as (

    select
        people.*,
        criteria.is_in_hospice,
        criteria.is_in_palliative_care,
        criteria.lives_in_nursing_home and people.youngest_at_end >= 66 as lives_in_nursing_home_at_66,
        criteria.is_frail and criteria.is_gravely_ill and people.youngest_at_end >= 66 as is_frail_and_gravely_ill_at_66,
        criteria.is_frail and people.youngest_at_end >= 81 as is_frail_at_81

    from people
    inner join criteria using (period_kind, period, person_key)

)

{% set reasons = {
    'hospice care': 'is_in_hospice', 'palliative care': 'is_in_palliative_care',
    'nursing home from 66': 'lives_in_nursing_home_at_66', 'frailty and advanced illness from 66': 'is_frail_and_gravely_ill_at_66',
    'frailty from 81': 'is_frail_at_81',
} -%}
{% for reason, condition in reasons.items() -%}
select period_kind, period, person_key, '{{ reason }}' as reason from judged where {{ condition }}
{{ 'union all' if not loop.last }}
{% endfor %}
