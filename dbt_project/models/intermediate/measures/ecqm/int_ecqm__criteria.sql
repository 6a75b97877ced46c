{#-
    What the CMS measures share: who was in hospice or palliative care in the period, who shows frailty, advanced illness or
    dementia medication, who lives in a nursing home (CQL libraries Hospice, PalliativeCare, AdvancedIllnessandFrailty). Ages
    are added by each measure. One branch an `exists` of the library.
-#}
{%- set key = 'people.period_kind, people.period, people.person_key' -%}
with

people as (

    select * from {{ ref('int_ecqm__people') }}

),

encounters as (

    select * from {{ ref('int_ecqm__encounters') }}

),

conditions as (

    select * from {{ ref('int_ecqm__conditions') }}

),

observations as (

    select * from {{ ref('int_ecqm__observations') }}

),

procedures as (

    select * from {{ ref('int_ecqm__procedures') }}

),

requests as (

    select * from {{ ref('int_ecqm__requests') }}

),

medication_days as (

    select * from {{ ref('int_ecqm__medication_days') }}

),

hospice as (

    select {{ key }} from people inner join encounters using (person_key)
    where
        encounters.value_set = 'encounter_inpatient'
        and encounters.is_discharged_to_hospice
        and {{ ends_in_days('encounters', 'people.starts_on', 'people.ends_on') }}

    union all
    select {{ key }} from people inner join encounters using (person_key)
    where encounters.value_set = 'hospice_encounter' and {{ overlaps_days('encounters', 'people.starts_on', 'people.ends_on') }}

    union all
    select {{ key }} from people inner join observations using (person_key)
    where
        observations.value_set = 'hospice_care_mds'
        and observations.is_final and observations.is_assessment and observations.is_yes
        and {{ overlaps_days('observations', 'people.starts_on', 'people.ends_on') }}

    union all
    select {{ key }} from people inner join requests using (person_key)
    where
        requests.value_set = 'hospice_care_ambulatory' and requests.kind = 'service'
        and {{ within_days('requests', 'people.starts_on', 'people.ends_on') }}

    union all
    select {{ key }} from people inner join procedures using (person_key)
    where procedures.value_set = 'hospice_care_ambulatory' and {{ overlaps_days('procedures', 'people.starts_on', 'people.ends_on') }}

    union all
    select {{ key }} from people inner join conditions using (person_key)
    where conditions.value_set = 'hospice_diagnosis' and {{ overlaps_days('conditions', 'people.starts_on', 'people.ends_on') }}

),

palliative_care as (

    select {{ key }} from people inner join observations using (person_key)
    where
        observations.value_set = 'facit_pal' and observations.is_final and observations.is_assessment
        and {{ overlaps_days('observations', 'people.starts_on', 'people.ends_on') }}

    union all
    select {{ key }} from people inner join conditions using (person_key)
    where conditions.value_set = 'palliative_care_diagnosis' and {{ overlaps_days('conditions', 'people.starts_on', 'people.ends_on') }}

    union all
    select {{ key }} from people inner join encounters using (person_key)
    where encounters.value_set = 'palliative_care_encounter' and {{ overlaps_days('encounters', 'people.starts_on', 'people.ends_on') }}

    union all
    select {{ key }} from people inner join procedures using (person_key)
    where procedures.value_set = 'palliative_care_intervention' and {{ overlaps_days('procedures', 'people.starts_on', 'people.ends_on') }}

),

frailty as (

    select {{ key }} from people inner join requests using (person_key)
    where
        requests.value_set = 'frailty_device' and requests.kind = 'device'
        and {{ within_days('requests', 'people.starts_on', 'people.ends_on') }}

    union all
    select {{ key }} from people inner join observations using (person_key)
    where
        observations.value_set = 'medical_equipment_used'
        and observations.is_final and observations.is_assessment and observations.is_frailty_device
        and {{ ends_in_days('observations', 'people.starts_on', 'people.ends_on') }}

    union all
    select {{ key }} from people inner join conditions using (person_key)
    where conditions.value_set = 'frailty_diagnosis' and {{ overlaps_days('conditions', 'people.starts_on', 'people.ends_on') }}

    union all
    select {{ key }} from people inner join encounters using (person_key)
    where encounters.value_set = 'frailty_encounter' and {{ overlaps_days('encounters', 'people.starts_on', 'people.ends_on') }}

    union all
    select {{ key }} from people inner join observations using (person_key)
    where observations.value_set = 'frailty_symptom' and {{ overlaps_days('observations', 'people.starts_on', 'people.ends_on') }}

),

-- Beginning in the year before the period or in the period.
advanced_illness as (

    select {{ key }} from people inner join conditions using (person_key)
    where
        conditions.value_set = 'advanced_illness'
        and {{ begins_in_days('conditions', "(people.starts_on - interval '1 year')::date", 'people.ends_on') }}

),

dementia_medication as (

    select {{ key }} from people inner join medication_days using (person_key)
    where
        medication_days.starts_on <= people.ends_on
        and medication_days.ends_on >= (people.starts_on - interval '1 year')::date

),

last_housing as (

    select distinct on ({{ key }})
        {{ key }},
        observations.is_nursing_home

    from people inner join observations using (person_key)
    where
        observations.value_set = 'housing_status' and observations.is_final and observations.is_assessment
        and {{ by_day('observations.ends', 'people.ends_on') }}

    order by {{ key }}, observations.ends_to desc, observations.is_nursing_home desc

),

nursing_home as (

    select period_kind, period, person_key from last_housing where is_nursing_home

)

{% for criterion in ['hospice', 'palliative_care', 'frailty', 'advanced_illness', 'dementia_medication', 'nursing_home'] -%}
select distinct period_kind, period, person_key, '{{ criterion | replace("_", " ") }}' as criterion from {{ criterion }}
{{ 'union all' if not loop.last }}
{% endfor %}
