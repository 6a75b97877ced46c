{#-
    The reviewed standard code of a source's own one (seed local_code_map), joined as `local`. '*' stands for every source, and for
    every system that is not public. A code of a public system is never replaced.
-#}
{% macro local_code_join(facts, kind) -%}
    left join {{ ref('local_code_map') }} as local
        on local.kind = '{{ kind }}'
        and local.local_code = {{ facts }}.code
        and local.source in ({{ facts }}.source, '*')
        and (local.local_system = coalesce({{ facts }}.system, '') or local.local_system = '*')
        and not coalesce({{ is_public_system(facts ~ '.system') }}, false)
{%- endmacro %}

{#- Columns for the select of a CTE over `facts`: what the reviewed table says, null where it says nothing. -#}
{% macro local_code_columns() -%}
    local.system as mapped_system,
    local.code as mapped_code,
    local.display as mapped_display
{%- endmacro %}

{#- The code that counts, of a CTE with both: the reviewed one where there is one. -#}
{% macro counted_code(facts) -%}
    coalesce({{ facts }}.mapped_system, {{ facts }}.system) as system,
    coalesce({{ facts }}.mapped_code, {{ facts }}.code) as code,
    case when {{ facts }}.mapped_code is null then {{ facts }}.display else {{ facts }}.mapped_display end as display,
    -- the source's own code stays findable beside the reviewed one
    case
        when {{ facts }}.mapped_code is null then {{ facts }}.other_codings
        else coalesce({{ facts }}.other_codings, '[]')
            || jsonb_build_array(jsonb_build_object('system', {{ facts }}.system, 'code', {{ facts }}.code))
    end as other_codings,
    {{ facts }}.mapped_code is not null as is_mapped
{%- endmacro %}

{#-
    What stands against a code: 'valid' (ICD-10-CM, and a bill may say it), 'category only' (ICD-10-CM, but a bill needs a longer one),
    'invalid' (says it is ICD-10-CM and is not), 'not checked' (another system, no code, or the code table was never loaded).
    Needs the join `icd10cm` on the code without its point.
-#}
{% macro code_validity(system, code) -%}
    case
        when {{ system }} is distinct from 'http://hl7.org/fhir/sid/icd-10-cm' or {{ code }} is null then 'not checked'
        when not exists (select 1 from {{ source('coding', 'icd10cm') }}) then 'not checked'
        when icd10cm.is_billable then 'valid'
        when icd10cm.code is not null then 'category only'
        else 'invalid'
    end
{%- endmacro %}
