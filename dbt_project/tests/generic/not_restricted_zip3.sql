{#- Rows whose ZIP3 fewer than 20,000 people share, or that are not three digits or 'unknown'. -#}
{% test not_restricted_zip3(model, column_name) %}

select {{ column_name }}

from {{ model }}

where
    {{ column_name }} <> '000'
    and (
        {{ column_name }} in (select zip3 from {{ ref('int_zip3__restricted') }})
        or ({{ column_name }} !~ '^[0-9]{3}$' and {{ column_name }} <> 'unknown')
    )

{% endtest %}
