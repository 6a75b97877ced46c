{#- Keeps what was promoted since this model last ran. Batches get their number under a lock, so none can slip in behind. -#}
{% macro newer_batches(column) -%}
    {{ column }} > {{ newest_batch_seen() if is_incremental() else '0' }}
{%- endmacro %}

{#- The newest batch in this model's table. An empty table has seen none, and reads everything that hot holds. -#}
{% macro newest_batch_seen() -%}
    (select coalesce(max(batch_seq), 0) from {{ this }})
{%- endmacro %}

{#- What a model's rows were shaped by: its SQL and, for tables, the contracts' maps. Kept as the comment of its table. -#}
{% macro shape_of(query) -%}
    {%- set parts = [query | replace(newest_batch_seen(), '0')] -%}
    {%- if 'tables' in model.fqn and execute -%}
        {%- set contracts = run_query("select md5(string_agg(fingerprint, ',' order by raw_table)) from " ~ source('lifecycle', 'declared_table')) -%}
        {%- do parts.append(contracts.columns[0].values()[0] or '') -%}
    {%- endif -%}
    {{ return('shape ' ~ local_md5(parts | join('\n'))) }}
{%- endmacro %}

{#- The shape that a table was made with; none where it bears no such comment. -#}
{% macro shape_of_table(relation) -%}
    {%- set said = run_query("select obj_description('" ~ relation ~ "'::regclass)") -%}
    {{ return(said.columns[0].values()[0] if execute else none) }}
{%- endmacro %}

{#- True where records of this database lie in cold storage, so that hot alone cannot make staging anew. -#}
{% macro some_records_left_hot() -%}
    {%- set said = run_query("select exists (select 1 from " ~ source('lifecycle', 'record') ~ " where file_id is not null and tier in ('cold', 'archive'))") -%}
    {{ return(said.columns[0].values()[0] if execute else false) }}
{%- endmacro %}

{#- The statement before staging appends: what was destroyed or erased leaves staging too. -#}
{% macro forget_what_is_gone() -%}
    delete from {{ this }} as kept
    using {{ source('lifecycle', 'record') }} as gone
    where gone.record_id = kept.record_id and gone.tier in ('destroyed', 'erased');
{%- endmacro %}
