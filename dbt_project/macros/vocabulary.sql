{#- True for systems whose codes and displays mean the same everywhere, by include/policies/classification_codes.yml. -#}
{% macro is_public_system(column) -%}
    (
        {{ column }} = any(array[{% for system in var('public_code_systems') %}'{{ system }}'{{ ', ' if not loop.last }}{% endfor %}]::text[])
        {% for prefix in var('public_code_prefixes') -%}
        or starts_with({{ column }}, '{{ prefix }}')
        {% endfor -%}
    )
{%- endmacro %}

{#-
    Who pays, from a payer's name or a coverage type's code (Source of Payment Typology, HL7 v3 ActCode), in the words of
    measures and equity. Both of Medicare and Medicaid are 'dual'. What is there but not recognised is 'other'.
-#}
{% macro payer_category(name, code) -%}
    case
        when lower({{ name }}) like '%dual%' or (lower({{ name }}) like '%medicare%' and lower({{ name }}) like '%medicaid%')
            or {{ code }} in ('14', '141', '142') then 'dual'
        when lower({{ name }}) like '%medicaid%' or lower({{ name }}) like '%chip%' or {{ code }} ~ '^2[0-9]{0,4}$'
            or {{ code }} in ('SUBSIDIZ', 'SUBSIDMC') then 'medicaid'
        when lower({{ name }}) like '%medicare%' or {{ code }} ~ '^1[0-9]{0,4}$' or {{ code }} in ('MCPOL', 'RETIRE') then 'medicare'
        when lower({{ name }}) ~ 'uninsured|no_insurance|no insurance|self.?pay|^none$|^no$|charity' or {{ code }} ~ '^8[0-9]{0,4}$'
            or {{ code }} = 'pay' then 'self pay'
        when lower({{ name }}) ~ 'tricare|veteran|champva|military|indian health|government|federal|public|workers' or {{ code }} ~ '^[349][0-9]{0,4}$'
            or {{ code }} in ('PUBLICPOL', 'MILITARY', 'VET', 'WCBPOL') then 'other public'
        when lower({{ name }}) in ('unknown', '') then 'unknown'
        when lower({{ name }}) ~ 'private|commercial|employer|group|individual|marketplace|exchange|blue|anthem|aetna|cigna|humana|united|kaiser|hmo|ppo|epo|hdhp'
            or {{ code }} ~ '^[56][0-9]{0,4}$' or {{ code }} in ('EHCPOL', 'HSAPOL', 'HIP', 'POS', 'HMO', 'PPO') then 'private'
        when coalesce({{ name }}, {{ code }}) is not null then 'other'
        else 'unknown'
    end
{%- endmacro %}

{#- OMB 2024 category of a CDC race and ethnicity code; the detailed codes of a category lie between its own and the next. -#}
{% macro cdc_race_category(value) -%}
    case
        when {{ value }} !~ '^[0-9]{4}-[0-9]$' then null
        when left({{ value }}, 4)::integer between 1002 and 2027 then 'American Indian or Alaska Native'
        when left({{ value }}, 4)::integer between 2028 and 2053 then 'Asian'
        when left({{ value }}, 4)::integer between 2054 and 2075 then 'Black or African American'
        when left({{ value }}, 4)::integer between 2076 and 2105 then 'Native Hawaiian or Pacific Islander'
        when left({{ value }}, 4)::integer = 2500 then 'Native Hawaiian or Pacific Islander'
        when left({{ value }}, 4)::integer between 2106 and 2117 then 'White'
        when left({{ value }}, 4)::integer between 2118 and 2130 then 'Middle Eastern or North African'
        when left({{ value }}, 4)::integer = 2131 then 'other'
        when left({{ value }}, 4)::integer between 2135 and 2185 then 'Hispanic or Latino'
        when left({{ value }}, 4)::integer = 2186 then 'not hispanic'
    end
{%- endmacro %}

{#- What is known, else 'declined' where somebody would not say, else 'unknown'. -#}
{% macro known_or(known, is_declined) -%}
    case when {{ known }} is not null then {{ known }} when {{ is_declined }} then 'declined' else 'unknown' end
{%- endmacro %}

{#- True for the words by which sources say that somebody would not answer. -#}
{% macro is_declined_word(column) -%}
    lower({{ column }}) in ('declined', 'asked-declined', 'asku', 'refused', 'patient declined', 'declined to answer', 'prefer not to say', 'prefer not to answer', 'choose not to disclose')
{%- endmacro %}

{% macro sex_word(column) -%}
    case
        when lower({{ column }}) in ('f', 'female', 'woman', '248152002') then 'female'
        when lower({{ column }}) in ('m', 'male', 'man', '248153007') then 'male'
        when lower({{ column }}) in ('o', 'oth', 'other', 'x', 'i', 'intersex', 'ambiguous', 'a') then 'other'
        when {{ is_declined_word(column) }} then 'declined'
        else 'unknown'
    end
{%- endmacro %}

{#- By the SNOMED CT codes of US Core's value set and the words people use. -#}
{% macro gender_identity_word(column) -%}
    case
        when lower({{ column }}) in ('446151000124109', 'male', 'man', 'm', 'identifies as male gender') then 'male'
        when lower({{ column }}) in ('446141000124107', 'female', 'woman', 'f', 'identifies as female gender') then 'female'
        when lower({{ column }}) in ('407376001', 'transgender female', 'transgender woman', 'trans woman', 'male-to-female transsexual') then 'transgender woman'
        when lower({{ column }}) in ('407377005', 'transgender male', 'transgender man', 'trans man', 'female-to-male transsexual') then 'transgender man'
        when lower({{ column }}) in ('446131000124102', '33791000087105', 'non-binary', 'nonbinary', 'genderqueer', 'non-binary gender') then 'non-binary'
        when lower({{ column }}) in ('oth', 'other', 'additional gender category or other') then 'other'
        when {{ is_declined_word(column) }} or lower({{ column }}) = '74964007' then 'declined'
        else 'unknown'
    end
{%- endmacro %}

{#- The first part of a BCP 47 tag ('en' of 'en-US'), or the tag of a language's name. -#}
{% macro language_tag(column, tag_of_name) -%}
    case
        when {{ tag_of_name }} is not null then {{ tag_of_name }}
        when {{ is_declined_word(column) }} then 'declined'
        when lower({{ column }}) ~ '^[a-z]{2}(-|$)' then left(lower({{ column }}), 2)
        when lower({{ column }}) ~ '^[a-z]{3}(-|$)' and lower({{ column }}) not in ('unk', 'und', 'oth', 'mis', 'zxx') then left(lower({{ column }}), 3)
        else 'unknown'
    end
{%- endmacro %}

{#- Of several records of a person: the newest answer that is known, else 'declined' if anywhere, else 'unknown'. -#}
{% macro newest_known(column) -%}
    coalesce(
        (array_agg({{ column }} order by newness) filter (where {{ column }} not in ('unknown', 'declined')))[1],
        max({{ column }}) filter (where {{ column }} = 'declined'),
        'unknown'
    )
{%- endmacro %}

{#- One address for a code system that goes by several (HCPCS; Terminology.hl7.org and CMS name it differently). -#}
{% macro code_system(column) -%}
    case
        when {{ column }} in ('http://www.nlm.nih.gov/research/umls/hcpcs', 'urn:oid:2.16.840.1.113883.6.285', 'https://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets')
            then 'http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets'
        when {{ column }} = 'urn:oid:2.16.840.1.113883.6.12' then 'http://www.ama-assn.org/go/cpt'
        when {{ column }} = 'urn:oid:2.16.840.1.113883.6.90' then 'http://hl7.org/fhir/sid/icd-10-cm'
        else {{ column }}
    end
{%- endmacro %}
