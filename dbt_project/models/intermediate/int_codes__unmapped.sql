-- What no value set can find, by source and code, with how many records have it: told in words only, without a system, in a system
-- that is neither public nor reviewed (seed local_code_map), or as ICD-10-CM that is none. A code that fewer than the smallest
-- shared number of people have is counted as 'rare': a source may write anything where a code belongs.
{%- set kinds = {
    'condition': 'conditions', 'observation': 'observations', 'procedure': 'procedures', 'medication': 'medications',
    'immunization': 'immunizations', 'allergy': 'allergies',
} %}
with

-- By person first: counting distinct people of a group sorts all of it.
told_by_person as (

    {% for kind, many in kinds.items() -%}
    select '{{ kind }}' as kind, source, coalesce(system, '') as system, code, person_key, count(*) as records
    from {{ ref('int_' ~ many ~ '__current') }}
    group by 1, 2, 3, 4, 5
    {{ 'union all' if not loop.last }}
    {% endfor %}

),

counted as (

    select kind, source, system, code, sum(records) as records, count(person_key) as people

    from told_by_person

    group by kind, source, system, code

),

judged as (

    select
        counted.*,
        case
            when counted.code is null then 'in words only'
            when counted.system = '' then 'no code system'
            when not {{ is_public_system('counted.system') }} then 'not in the table of local codes'
            when {{ code_validity('counted.system', 'counted.code') }} = 'invalid' then 'not an ICD-10-CM code'
            when {{ code_validity('counted.system', 'counted.code') }} = 'category only' then 'an ICD-10-CM category, not a code'
        end as problem

    from counted
    left join {{ source('coding', 'icd10cm') }} as icd10cm
        on icd10cm.code = replace(upper(counted.code), '.', '')
        and counted.system = 'http://hl7.org/fhir/sid/icd-10-cm'

)

select
    kind,
    source,
    problem,
    system,
    case when code is null then 'none' when people >= {{ var('smallest_shared_text') }} then code else 'rare' end as code,
    sum(records)::bigint as records

from judged

where problem is not null

group by 1, 2, 3, 4, 5
