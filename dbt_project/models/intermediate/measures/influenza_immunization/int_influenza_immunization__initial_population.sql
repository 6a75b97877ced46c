{#- People at least six months old on 1 August with an encounter from 1 October to 31 March. -#}
select period_kind, period, person_key, person_days, is_partly_observed

from {{ ref('int_measures__people') }}

where period_kind = 'influenza season' and has_encounter_in_last_six_months and is_six_months_at_start
