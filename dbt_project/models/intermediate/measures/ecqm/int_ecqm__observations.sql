{{ config(post_hook="analyze {{ this }}") }}
{#-
    Observations of the value sets and of single codes that the CMS measures name, not those cancelled or in error. `latest` is
    CQL's latest(): the end where it is known, else the beginning. `is_final` leaves out the preliminary.
-#}
{%- set single_codes = {
    'glucose_management_indicator': '97506-0', 'housing_status': '71802-3', 'medical_equipment_used': '98181-1',
    'hospice_care_mds': '45755-6', 'facit_pal': '71007-9',
} -%}
with

told as (

    select
        person_key, observation_id, observation_key, component_no, panel_code, panel_system, system, code, other_codings, category,
        categories, status, has_value, value_number, unit, value_code, value_system, other_value_codings, begins_from, begins_to,
        ends_from, ends_to

    from {{ ref('int_observations__current') }}

),

-- A panel without a value of its own is told by its components only.
observations as (

    select * from told where component_no = 0 or panel_code is null

    union all
    select
        person_key, observation_id, observation_key, 0, panel_code, panel_system, panel_system, panel_code, null, category,
        categories, status, false, null, null, null, null, null, begins_from, begins_to, ends_from, ends_to
    from told
    where
        component_no = 1 and panel_code is not null
        and observation_id not in (select observation_id from told where component_no = 0)

),

codings as (

    {{ every_coding('observations', ['observation_key']) }}

),

named as (

    select codes.value_set, codings.observation_key
    from codings
    inner join {{ ref('int_ecqm__codes') }} as codes
        on codes.code = codings.code and codes.system = {{ code_system('codings.system') }}

    union
    select single_codes.value_set, codings.observation_key
    from codings
    inner join (values {% for name, code in single_codes.items() %}('{{ name }}', '{{ code }}'){{ ', ' if not loop.last }}{% endfor %})
        as single_codes (value_set, code)
        on codings.system = 'http://loinc.org' and codings.code = single_codes.code

),

found as (

    select
        named.value_set,
        observations.*

    from named
    inner join observations using (observation_key)

    where coalesce(observations.status, 'final') in ('final', 'amended', 'corrected', 'preliminary')

),

values_told as (

    {{ every_coding('found', ['value_set', 'observation_key'], 'value_system', 'value_code', 'other_value_codings') }}

),

value_concepts as (

    select
        values_told.value_set,
        values_told.observation_key,
        bool_or(codes.value_set is not null) as is_frailty_device,
        bool_or(values_told.code = '160734000') as is_nursing_home,
        bool_or(values_told.code = '373066001') as is_yes

    from values_told
    left join {{ ref('int_ecqm__codes') }} as codes
        on codes.value_set = 'frailty_device'
        and codes.code = values_told.code
        and codes.system = {{ code_system('values_told.system') }}

    where values_told.system in ('http://snomed.info/sct') or codes.value_set is not null

    group by 1, 2

)

select
    found.value_set,
    found.observation_key,
    found.person_key,
    coalesce(found.status, 'final') <> 'preliminary' as is_final,
    -- Without a category it may be of any kind (but imaging, which the library asks for by name); with one it is what it says.
    coalesce(found.categories ? 'laboratory' or found.categories = '[]', found.category is null or found.category = 'laboratory') as is_laboratory,
    coalesce(found.categories ? 'imaging', found.category is null or found.category = 'imaging') as is_imaging,
    coalesce(found.categories ? 'survey' or found.categories = '[]', true) as is_assessment,
    found.has_value,
    found.value_number,
    found.unit,
    coalesce(value_concepts.is_frailty_device, false) as is_frailty_device,
    coalesce(value_concepts.is_nursing_home, false) as is_nursing_home,
    coalesce(value_concepts.is_yes, false) as is_yes,
    found.begins_from,
    found.begins_to,
    found.ends_from,
    found.ends_to,
    case when found.ends_to = 'infinity' then found.begins_from else found.ends_from end as latest_from,
    case when found.ends_to = 'infinity' then found.begins_to else found.ends_to end as latest_to

from found
left join value_concepts using (value_set, observation_key)

where found.begins_from is not null
