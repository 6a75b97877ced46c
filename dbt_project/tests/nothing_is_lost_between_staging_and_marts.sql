-- Two sums that must hold, or records vanished on the way:
-- (1) what staging holds of a person that one source tells of, was never deleted and never marked as an error, is in
--     intermediate (facts of persons that several sources tell of may be told by another source: decisions/0204);
-- (2) a mart has as many rows as the intermediate model it shows.
{% set facts = [
    ('condition', 'conditions', 'verification_status', true),
    ('observation', 'observations', 'status', true),
    ('medication', 'medications', 'status', true),
    ('procedure', 'procedures', 'status', true),
    ('immunization', 'immunizations', 'status', true),
    ('allergy', 'allergies', 'verification_status', true),
    ('report', 'reports', 'status', true),
    ('document', 'documents', 'status', false),
    ('imaging_study', 'imaging_studies', 'status', false),
    ('encounter', 'encounters', 'status', true),
] %}

{% for one, many, error_column, has_tables in facts %}
select '{{ many }} in staging and not in intermediate' as problem, count(*) as records

from (
    select
        staged.{{ one }}_id as record,
        min(staged.person_token::text)::uuid as person_token

    from (
        select {{ one }}_id, person_token, is_deleted, {{ error_column }} as state from {{ ref('stg_fhir__' ~ many) }}
        {% if has_tables -%}
        union all
        select {{ one }}_id, person_token, is_deleted, {{ error_column }} from {{ ref('stg_tables__' ~ many) }}
        {%- endif %}
    ) as staged

    group by staged.{{ one }}_id

    having not bool_or(staged.is_deleted) and not bool_or(coalesce(staged.state, '') = 'entered-in-error')
        and bool_and(staged.person_token is not null)
) as staged
left join {{ source('restricted', 'person_link') }} as person_link using (person_token)
left join {{ source('restricted', 'person') }} as persons using (person_key)

where
    coalesce(persons.source_count, 1) = 1
    and not exists (
        select 1 from {{ ref('int_encounters__matched' if one == 'encounter' else 'int_' ~ many ~ '__current') }} as kept
        where kept.{{ one }}_id = staged.record
    )

having count(*) > 0

union all

select 'rows of the mart {{ many }} more or less than of its intermediate model', shown.rows_shown - kept.rows_kept

from (select count(*) as rows_shown from {{ ref(many) }}) as shown
cross join (select count(*) as rows_kept from {{ ref('int_' ~ many ~ '__current') }}) as kept

where shown.rows_shown <> kept.rows_kept
{{ 'union all' if not loop.last }}
{% endfor %}
