{#-
    Reading FHIR R4 through JSON_TABLE without trusting it. What has the wrong type is null, never an error: the gate judges
    values, staging only has to survive them.
-#}

{#- Two columns of a JSON_TABLE for one FHIR date, dateTime or instant: as written, and as a moment where it is whole. -#}
{% macro moment_columns(name, path) -%}
    {{ name }}_text text path '{{ path }}' null on error,
    {{ name }}_whole timestamptz path '{{ path }}' null on error
{%- endmacro %}

{#-
    The moment of those two columns, in UTC. A year or a month stands for its first instant, a day for its midnight in UTC.
    The shape is checked because Postgres would also read 'now', 'tomorrow' and 'infinity' as moments.
-#}
{% macro moment(name) -%}
    case
        when {{ name }}_text like '____-__-__%' then {{ name }}_whole
        when {{ name }}_text like '____-__' and pg_input_is_valid({{ name }}_text || '-01', 'date')
            then ({{ name }}_text || '-01T00:00:00Z')::timestamptz
        when {{ name }}_text like '____' and pg_input_is_valid({{ name }}_text || '-01-01', 'date')
            then ({{ name }}_text || '-01-01T00:00:00Z')::timestamptz
    end
{%- endmacro %}

{#- How exact it was as written: year, month, day or time; null where moment() is null. -#}
{% macro moment_precision(name) -%}
    case
        when {{ name }}_text like '____-__-__T%' and {{ name }}_whole is not null then 'time'
        when {{ name }}_text like '____-__-__' and {{ name }}_whole is not null then 'day'
        when {{ name }}_text like '____-__' and pg_input_is_valid({{ name }}_text || '-01', 'date') then 'month'
        when {{ name }}_text like '____' and pg_input_is_valid({{ name }}_text || '-01-01', 'date') then 'year'
    end
{%- endmacro %}

{#- Four columns of a JSON_TABLE for a CodeableConcept: its first coding, and the whole array where it has several
    (strict, since lax mode would unwrap the array before its size is asked). -#}
{% macro concept_columns(name, path) -%}
    {{ name }}_system text path '{{ path }}.coding[0].system' null on error,
    {{ name }}_code text path '{{ path }}.coding[0].code' null on error,
    {{ name }}_display text path '{{ path }}.coding[0].display' null on error,
    {{ name }}_codings jsonb path 'strict {{ path }}.coding ? (@.size() > 1)' null on empty null on error
{%- endmacro %}

{#- One part (system, code or display) of a concept: of the coding in the preferred system where it has several, else of the first. -#}
{% macro concept(name, part, preferred_system) -%}
    case
        when {{ name }}_codings is null then {{ name }}_{{ part }}
        when {{ name }}_codings @? '$[*] ? (@.system == "{{ preferred_system }}")'
            then jsonb_path_query_first({{ name }}_codings, '$[*] ? (@.system == "{{ preferred_system }}")') ->> '{{ part }}'
        else {{ name }}_{{ part }}
    end
{%- endmacro %}

{#- The token at the end of "Type/<uuid>"; null for anything else (contained and unresolved references). -#}
{% macro reference_token(column) -%}
    case when pg_input_is_valid(right({{ column }}, 36), 'uuid') then right({{ column }}, 36)::uuid end
{%- endmacro %}

{#- The columns every staging model begins with, from raw.resource under the name `resource`. -#}
{% macro record_columns() -%}
    resource.record_id,
    resource.source,
    resource.batch_seq,
    resource.is_deleted,
    resource.person_token,
    resource.version_id,
    resource.last_updated,
    resource.received_at
{%- endmacro %}
