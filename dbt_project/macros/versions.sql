{#-
    From which moment a version of a record holds. What says when it was last updated is believed; what does not (rows of
    tables, deletions without a time) holds from the newest version known when it arrived, or else from its arrival.
-#}
{% macro valid_from(id_column) -%}
    coalesce(
        last_updated,
        max(last_updated) over (
            partition by {{ id_column }} order by batch_seq range between unbounded preceding and current row
        ),
        received_at
    )
{%- endmacro %}

{#- 1 for the rows of the newest version of a record; several rows where one version makes several (components). -#}
{% macro newness(id_column) -%}
    dense_rank() over (
        partition by {{ id_column }}
        order by
            valid_from desc,
            batch_seq desc,
            is_deleted desc,
            case when version_id ~ '^[0-9]{1,9}$' then version_id::integer end desc nulls last,
            record_id desc
    )
{%- endmacro %}

{#-
    The ids of which more than one version is known: only they have to be put in order. `records` counts the versions of an id
    where a version is several rows.
-#}
{% macro ids_with_several_versions(versions, id_column, records='count(*)') -%}
    select {{ id_column }} from {{ versions }} group by {{ id_column }} having {{ records }} > 1
{%- endmacro %}

{#- The newest version of every id: of those with several (CTE `contested`) the first in order, of the others the only one. -#}
{% macro newest_versions(versions, id_column) -%}
    select *

    from {{ versions }}

    where {{ id_column }} not in (select {{ id_column }} from contested)

    union all

    select {{ versions }}.*

    from {{ versions }}
    join (
        select distinct {{ id_column }}, record_id

        from (
            select {{ id_column }}, record_id, {{ newness(id_column) }} as newness

            from (
                select
                    {{ id_column }}, record_id, batch_seq, is_deleted, version_id,
                    {{ valid_from(id_column) }} as valid_from

                from {{ versions }}

                where {{ id_column }} in (select {{ id_column }} from contested)
            ) as dated
        ) as ranked

        where newness = 1
    ) as first_in_order using ({{ id_column }}, record_id)
{%- endmacro %}

{#-
    Of facts that several sources tell of the same person, the rows of the sources that do not get the word: it goes to the
    richer shape, then to the first by name. A source's own repeats are kept: they are its statement. What has no code is
    never taken for the same. See decisions/0204.
-#}
{% macro told_by_another_source(facts, row_columns, fact_columns, identifying_column) -%}
    select {{ row_columns | join(', ') }}

    from (
        select
            {{ row_columns | join(', ') }},
            dense_rank() over (
                partition by person_key, {{ fact_columns | join(', ') }}
                order by shape_order, source
            ) as source_rank

        from {{ facts }}

        where source_count > 1 and {{ identifying_column }} is not null
    ) as ranked

    where source_rank > 1
{%- endmacro %}

{#-
    A key for public use: unique, the same every night, and not to be derived from anything outside schema restricted,
    because it is made with the person's own random value. See decisions/0203.
-#}
{% macro public_key(salt_column, id_column, part='0') -%}
    encode(substring(sha256(uuid_send({{ salt_column }}) || uuid_send({{ id_column }}) || int4send({{ part }}::integer)) for 16), 'hex')::uuid
{%- endmacro %}
