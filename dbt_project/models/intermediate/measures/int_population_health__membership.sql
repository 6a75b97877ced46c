{#- Who is in which population of the measures that look at a whole population: prevalence, use of hospitals, needs. -#}
{% for measure in [
    'hypertension_prevalence',
    'asthma_prevalence',
    'depression_prevalence',
    'obesity_prevalence',
    'childhood_immunization',
    'hospital_admissions',
    'avoidable_admissions',
    'readmission',
    'prenatal_care',
    'social_need',
    'housing_need',
    'food_need',
    'transport_need',
    'utility_need',
    'safety_need',
] -%}
{{ measure_population(measure, has_exclusions=false) }}
{{ 'union all' if not loop.last }}
{% endfor %}
