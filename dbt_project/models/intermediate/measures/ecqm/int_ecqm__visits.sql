{{ config(post_hook="analyze {{ this }}") }}
{#-
    Who had a qualifying encounter within the period, by the measure's list: `adult outpatient` (CQL: AdultOutpatientEncounters,
    of CMS125, CMS130 and CMS165) or `diabetes` (CMS122: with nutrition services, without virtual encounters).
-#}
with

visits as (

    select * from {{ ref('int_ecqm__encounters') }}

    where value_set in (
        'office_visit', 'annual_wellness_visit', 'preventive_care_services_established_office_visit_18_and_up',
        'preventive_care_services_initial_office_visit_18_and_up', 'home_healthcare_services', 'telephone_visits',
        'virtual_encounter', 'nutrition_services'
    )

)

select distinct
    people.period_kind,
    people.period,
    people.person_key,
    visit_list

from {{ ref('int_ecqm__people') }} as people
inner join visits using (person_key)
cross join lateral unnest(
    case visits.value_set
        when 'virtual_encounter' then array['adult outpatient']
        when 'nutrition_services' then array['diabetes']
        else array['adult outpatient', 'diabetes']
    end
) as visit_list

where {{ within_days('visits', 'people.starts_on', 'people.ends_on') }}
