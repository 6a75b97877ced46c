-- Facts whose person or encounter is not in the marts. One query for all tables: a test a table costs more than it finds.
{% set facts = ['encounters', 'conditions', 'observations', 'medications', 'procedures', 'immunizations', 'allergies', 'reports', 'documents', 'imaging_studies'] %}

{% for fact in facts %}
select '{{ fact }} without their person' as problem, count(*) as facts

from {{ ref(fact) }} as facts

where not exists (select 1 from {{ ref('persons') }} as persons where persons.person_key = facts.person_key)

having count(*) > 0
{% if fact != 'encounters' %}
union all

select '{{ fact }} without their encounter', count(*)

from {{ ref(fact) }} as facts

where
    facts.encounter_key is not null
    and not exists (select 1 from {{ ref('encounters') }} as encounters where encounters.encounter_key = facts.encounter_key)

having count(*) > 0
{% endif %}
{{ 'union all' if not loop.last }}
{% endfor %}
