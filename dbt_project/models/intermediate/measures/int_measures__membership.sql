{#- Who is in which population of which measure, all measures together. -#}
{{ measure_population('diabetes_prevalence', has_exclusions=false) }}
union all
{{ measure_population('hba1c_poor_control') }}
union all
{{ measure_population('hypertension_control') }}
union all
{{ measure_population('influenza_immunization') }}
union all
{{ measure_population('emergency_visits', has_exclusions=false) }}
union all
{{ measure_population('sdoh_screening', has_exclusions=false) }}
union all
select * from {{ ref('int_ecqm__membership') }}
union all
select * from {{ ref('int_population_health__membership') }}
