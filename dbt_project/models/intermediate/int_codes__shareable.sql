-- The codes that may be shown: those of public code systems, and others when enough people share them, since what a source
-- calls a code can be words about one person. With the display name most people have, where the system is public and enough
-- people share it. No system is ''.
with

told as (

    select type_system as system, type_code as code, type_display as display, person_key from {{ ref('int_encounters__matched') }}
    union
    select reason_system, reason_code, reason_display, person_key from {{ ref('int_encounters__matched') }}
    union
    select system, code, display, person_key from {{ ref('int_conditions__current') }}
    union
    select system, code, display, person_key from {{ ref('int_observations__current') }}
    union
    select value_system, value_code, value_display, person_key from {{ ref('int_observations__current') }} where value_code is not null
    union
    select system, code, display, person_key from {{ ref('int_medications__current') }}
    union
    select system, code, display, person_key from {{ ref('int_procedures__current') }}
    union
    select system, code, display, person_key from {{ ref('int_immunizations__current') }}
    union
    select system, code, display, person_key from {{ ref('int_allergies__current') }}
    union
    select system, code, display, person_key from {{ ref('int_reports__current') }}
    union
    select type_system, type_code, type_display, person_key from {{ ref('int_documents__current') }}
    union
    select body_site_system, body_site_code, body_site_display, person_key from {{ ref('int_imaging_studies__current') }}
    union
    select procedure_system, procedure_code, procedure_display, person_key from {{ ref('int_imaging_studies__current') }}

),

displays as (

    select
        coalesce(system, '') as system,
        code,
        display,
        count(*) as people

    from told

    where code is not null

    group by 1, 2, 3

),

codes as (

    select distinct on (system, code)
        system,
        code,
        display,
        people,
        max(people) over (partition by system, code) as people_of_code

    from displays

    order by system, code, display is null, people desc, display

),

shareable as (

    select
        system,
        code,
        case when is_public and people >= {{ var('smallest_shared_text') }} then display end as display,
        people_of_code as people

    from codes
    cross join lateral (select {{ is_public_system('system') }} as is_public) as systems

    where is_public or people_of_code >= {{ var('smallest_shared_text') }}

)

select * from shareable
