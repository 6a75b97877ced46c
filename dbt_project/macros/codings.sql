{#-
    One row per record and coding: a record coded in two systems is found by the code of either.
    `columns` are carried along; without columns, one row per distinct coding.
-#}
{% macro every_coding(relation, columns, system='system', code='code', others='other_codings') -%}
    {%- set carried = (columns | join(', ')) ~ (', ' if columns else '') -%}
    select {{ 'distinct' if not columns }} {{ carried }}{{ system }} as system, {{ code }} as code
    from {{ relation }}
    where {{ code }} is not null
    {%- if others %}
    union {{ 'all' if columns }}
    select {{ carried }}coding ->> 'system', coding ->> 'code'
    from {{ relation }}
    cross join lateral jsonb_array_elements({{ others }}) as coding
    where
        {{ others }} is not null
        and (coding ->> 'system', coding ->> 'code') is distinct from ({{ system }}, {{ code }})
    {%- endif %}
{%- endmacro %}
