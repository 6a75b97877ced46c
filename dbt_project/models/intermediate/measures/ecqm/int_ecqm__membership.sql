{#- Who is in which population of CMS122, CMS125, CMS130 and CMS165. -#}
{% for measure in ['cms122', 'cms125', 'cms130', 'cms165'] -%}
{{ measure_population(measure) }}
{{ 'union all' if not loop.last }}
{% endfor %}
