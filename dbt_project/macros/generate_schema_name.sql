{#- The nightly build writes the schemas as dbt_project.yml names them; everyone else gets schemas of their own. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- set name = (custom_schema_name or 'intermediate') | trim -%}
    {%- if target.name == 'nightly' -%}
        {{ name }}
    {%- else -%}
        {{ target.schema | lower | replace('-', '_') | replace('.', '_') }}_{{ name }}
    {%- endif -%}
{%- endmacro %}
