{#-
    Staging only ever appends batches: new rows go straight in by column name, with no temporary table and no merge.

    A table remembers the shape it was made with (the model's SQL and, for tables, the contracts' maps). Where that has
    changed, the rows it holds are no longer what the model says: they are all made anew. Once months have left hot this
    would lose them, so then it stops and a person decides: borrow the months and build with --full-refresh, or keep the rows
    as they are with --vars '{keep_staged: true}'. See include/decisions/0202.
-#}
{% materialization incremental, adapter='postgres' %}

    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set shape = shape_of(sql) -%}
    {%- set has_new_shape = is_incremental() and shape_of_table(this) != shape -%}
    {%- if has_new_shape and some_records_left_hot() and not var('keep_staged', false) -%}
        {{ exceptions.raise_compiler_error(
            this ~ " was made by another model or contract than today's, and months it was made from have left hot; expected the same, or every month in hot; borrow the months and build with --full-refresh, or keep its rows with --vars '{keep_staged: true}'"
        ) }}
    {%- endif -%}
    {%- set appends = is_incremental() and (not has_new_shape or var('keep_staged', false)) -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {% if appends -%}
        {%- set listed = columns_of_query(sql) | map('tojson') | join(', ') -%}
    {%- endif %}

    {% call statement('main') -%}
        {%- if appends -%}
            {{ forget_what_is_gone() }}
            insert into {{ target_relation }} ({{ listed }})
            select {{ listed }} from ({{ sql }}) as newer
        {%- else -%}
            {{ drop_what_stands(this) }}
            {{ get_create_table_as_sql(False, target_relation, sql | replace(newest_batch_seen(), '0')) }}
        {%- endif -%}
    {%- endcall %}

    {%- if not appends or has_new_shape -%}
        {% call statement('remember_shape') -%}
            comment on table {{ target_relation }} is '{{ shape }}'
        {%- endcall %}
    {%- endif -%}
    {%- if not appends -%}
        {% do create_indexes(target_relation) %}
    {%- endif -%}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({'relations': [target_relation]}) }}

{% endmaterialization %}

{#- Names of a query's columns, asked of the database without running it. -#}
{% macro columns_of_query(query) -%}
    {{ return(adapter.get_column_schema_from_query('select * from (' ~ query ~ ') as asked limit 0') | map(attribute='name') | list) }}
{%- endmacro %}
