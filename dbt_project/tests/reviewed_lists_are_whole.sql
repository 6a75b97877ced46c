-- Lists that people edit by hand: no line lacks what it needs, says a kind that nothing reads, or comes twice.
{% set needed = {
    'local_code_map': ['source', 'kind', 'local_code', 'system', 'code', 'reviewed_by'],
    'restricted_zip3': ['zip3', 'reason'],
} %}

{% for list, columns in needed.items() %}
{% for column in columns %}
select '{{ list }}: lines without {{ column }}' as problem, count(*) as records
from {{ ref(list) }}
where {{ column }} is null
having count(*) > 0

union all
{% endfor %}
{% endfor %}

select 'local_code_map: lines of another kind than condition, observation or procedure', count(*)
from {{ ref('local_code_map') }}
where kind not in ('condition', 'observation', 'procedure')
having count(*) > 0

union all

select 'restricted_zip3: a prefix twice', count(*) - count(distinct zip3)
from {{ ref('restricted_zip3') }}
having count(*) > count(distinct zip3)
