{{ config(materialized='view') }}
{#- Children who turn 2 in the period and were seen in it. -#}
select period_kind, period, person_key, person_days, is_partly_observed

from {{ ref('int_measures__people') }}

where period_kind = 'calendar year' and has_encounter and age_at_end = 2 and age_at_start = 1
