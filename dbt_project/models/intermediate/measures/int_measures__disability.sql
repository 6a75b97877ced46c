{#-
    Who lives with a disability, where that was asked: the six questions of the American Community Survey (HHS data standard of
    2011; LOINC panel 69855-5). Yes: the newest answer to any of them is yes. No: each was asked and the newest answer is no.
    Declined: an answer was refused and none is yes. Everybody else has no row: part of an answer is not known, not no.
-#}
with

observations as (

    select
        person_key,
        code,
        case
            when value_code in ('LA33-6', 'Y', '373066001', 'true') then 'yes'
            when value_code in ('LA32-8', 'N', '373067005', 'false') then 'no'
            when value_code in ('LA30122-8', 'asked-declined', 'ASKU') then 'declined'
        end as answer,
        row_number() over (partition by person_key, code order by observed_at desc nulls last, observation_key) as newness

    from {{ ref('int_observations__current') }}

    where
        system = 'http://loinc.org'
        and code in ('69856-3', '69857-1', '69858-9', '69859-7', '69860-5', '69861-3')
        and coalesce(status, 'final') in ('final', 'amended', 'corrected')

),

answered as (

    select
        person_key,
        case
            when bool_or(answer = 'yes') then 'yes'
            when bool_or(answer = 'declined') then 'declined'
            when count(*) filter (where answer = 'no') = 6 then 'no'
        end as disability

    from observations

    where newness = 1

    group by person_key

)

select * from answered where disability is not null
