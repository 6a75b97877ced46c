{#-
    Tables are made anew in one transaction: drop and create, commit. Nobody reads candidates while they are built (analysts
    read the published copies), so dbt's own way of building beside and renaming twice buys nothing here and costs six more
    statements a model. A failure rolls back to the table as it was. See include/decisions/0201.
-#}
{% materialization table, adapter='postgres' %}

    {%- set target_relation = this.incorporate(type='table') -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {% call statement('main') -%}
        {{ drop_what_stands(this) }}
        {{ get_create_table_as_sql(False, target_relation, sql) }}
    {%- endcall %}

    {% do create_indexes(target_relation) %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {% do persist_docs(target_relation, model) %}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({'relations': [target_relation]}) }}

{% endmaterialization %}

{#- The statement that makes room for a new table, where something stands in its place. -#}
{% macro drop_what_stands(relation) -%}
    {%- set existing = load_cached_relation(relation) -%}
    {%- if existing is not none -%}
        drop {{ existing.type }} if exists {{ existing }} cascade;
    {%- endif -%}
{%- endmacro %}
