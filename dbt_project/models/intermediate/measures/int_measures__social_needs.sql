{{ config(post_hook="analyze {{ this }}") }}
{#- Social needs, told by an answer (of that day) or by a diagnosis (while it lasts), with the kind of need. -#}
with

observations as (

    select * from {{ ref('int_observations__current') }}

    where
        coalesce(status, 'final') in ('final', 'amended', 'corrected')
        and observed_at is not null

),

answers as (

    select distinct
        observations.person_key,
        answers.need,
        {{ utc_day('observations.observed_at') }} as began_on,
        {{ utc_day('observations.observed_at') }} as ended_on

    from observations
    inner join {{ ref('screening_answers') }} as answers
        on observations.system = 'http://loinc.org'
        and observations.code = answers.question
        and observations.value_code = answers.answer

    union
    -- The HITS screen is positive above 10 (Sherin et al. 1998).
    select person_key, 'safety', {{ utc_day('observed_at') }}, {{ utc_day('observed_at') }}
    from observations
    where system = 'http://loinc.org' and code = '95615-1' and value_number > 10

),

diagnoses as (

    select
        person_key,
        case value_set when 'social_need' then 'any' else replace(value_set, '_need', '') end as need,
        began_on,
        coalesce(ended_on, 'infinity'::date) as ended_on

    from {{ ref('int_measures__diagnoses') }}

    where value_set in ('social_need', 'housing_need', 'food_need', 'transport_need', 'utility_need', 'safety_need')

)

select * from answers
union all
select * from diagnoses
