{{ config(materialized='ephemeral') }}
{#- Adults seen in the 24 months up to the end of the period. -#}
select period_kind, period, person_key, person_days, is_partly_observed

from {{ ref('int_measures__people') }}

where period_kind = 'calendar year' and is_active and age_at_end >= 18
