-- A panel's components (a blood pressure's systolic and diastolic) become rows of their own, numbered from 1.
-- Row 0 is the observation itself, kept where it has no components or carries a value beside them.
with

parsed as (

    select
        {{ record_columns() }},
        resource.resource_id::uuid as observation_id,
        json.*

    from {{ source('raw', 'resource') }} as resource
    left join lateral json_table(resource.body, '$' columns (
        status text path '$.status' null on error,
        encounter_reference text path '$.encounter.reference' null on error,
        category text path '$.category[0].coding[0].code' null on error,
        {{ concept_columns('observation', '$.code') }},
        {{ moment_columns('effective', '$.effectiveDateTime') }},
        {{ moment_columns('effective_start', '$.effectivePeriod.start') }},
        {{ moment_columns('effective_end', '$.effectivePeriod.end') }},
        {{ moment_columns('instant', '$.effectiveInstant') }},
        categories jsonb path '$.category[*].coding[*].code' with wrapper null on error,
        has_other_value boolean exists path '$ ? (exists(@.valueString) || exists(@.valueRange) || exists(@.valueRatio) || exists(@.valueTime) || exists(@.valueDateTime) || exists(@.valuePeriod) || exists(@.valueSampledData) || exists(@.valueCodeableConcept))' false on error,
        value_quantity numeric path '$.valueQuantity.value' null on error,
        value_integer numeric path '$.valueInteger' null on error,
        value_unit_code text path '$.valueQuantity.code' null on error,
        value_unit text path '$.valueQuantity.unit' null on error,
        value_boolean text path '$.valueBoolean' null on error,
        {{ concept_columns('value', '$.valueCodeableConcept') }},
        nested path '$.component[*]' columns (
            component_no for ordinality,
            {{ concept_columns('component', '$.code') }},
            component_quantity numeric path '$.valueQuantity.value' null on error,
            component_integer numeric path '$.valueInteger' null on error,
            component_unit_code text path '$.valueQuantity.code' null on error,
            component_unit text path '$.valueQuantity.unit' null on error,
            component_boolean text path '$.valueBoolean' null on error,
            {{ concept_columns('component_value', '$.valueCodeableConcept') }}
        )
    )) as json on true

    where
        resource.resource_type = 'Observation'
        and {{ newer_batches('resource.batch_seq') }}

),

-- The first component's row is read twice where the observation has a value of its own: once for each.
rows_of_observations as (

    select
        parsed.*,
        component_no is not null and not own.is_own as is_component

    from parsed
    join (values (false), (true)) as own (is_own)
        on not own.is_own
        or (component_no = 1 and coalesce(value_quantity::text, value_integer::text, value_boolean, value_code) is not null)

),

typed as (

    select
        record_id,
        source,
        batch_seq,
        is_deleted,
        person_token,
        version_id,
        last_updated,
        received_at,
        observation_id,
        case when is_component then component_no else 0 end as component_no,
        {{ reference_token('encounter_reference') }} as encounter_id,
        case when is_component then {{ concept('observation', 'system', 'http://loinc.org') }} end as panel_system,
        case when is_component then {{ concept('observation', 'code', 'http://loinc.org') }} end as panel_code,
        case when is_component then {{ concept('component', 'system', 'http://loinc.org') }}
            else {{ concept('observation', 'system', 'http://loinc.org') }} end as system,
        case when is_component then {{ concept('component', 'code', 'http://loinc.org') }}
            else {{ concept('observation', 'code', 'http://loinc.org') }} end as code,
        case when is_component then {{ concept('component', 'display', 'http://loinc.org') }}
            else {{ concept('observation', 'display', 'http://loinc.org') }} end as display,
        case when is_component then component_codings else observation_codings end as other_codings,
        category,
        status,
        case when is_component then coalesce(component_quantity, component_integer)
            else coalesce(value_quantity, value_integer) end as value_number,
        case when is_component then coalesce(component_unit_code, component_unit)
            else coalesce(value_unit_code, value_unit) end as unit,
        case when is_component then coalesce(component_value_code, component_boolean)
            else coalesce(value_code, value_boolean) end as value_code,
        case when is_component then component_value_system else value_system end as value_system,
        case when is_component then component_value_display else value_display end as value_display,
        coalesce({{ moment('effective') }}, {{ moment('effective_start') }}, {{ moment('instant') }}) as observed_at,
        coalesce(
            {{ moment_precision('effective') }}, {{ moment_precision('effective_start') }}, {{ moment_precision('instant') }}
        ) as observed_precision,
        coalesce(categories, '[]') as categories,
        case
            when is_component then coalesce(component_quantity::text, component_integer::text, component_boolean, component_value_code) is not null
            else has_other_value or coalesce(value_quantity::text, value_integer::text, value_boolean) is not null
        end as has_value,
        case when is_component then component_value_codings else value_codings end as other_value_codings,
        {{ bounds('effective_start', 'effective_end', ['effective', 'instant']) }}

    from rows_of_observations

)

select * from typed
