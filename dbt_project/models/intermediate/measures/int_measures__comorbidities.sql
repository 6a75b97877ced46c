{#-
    Comorbidities of each person by Charlson and by Elixhauser (ICD-10 codes: Quan et al. 2005), as known on the night: diagnosed
    by then, not refuted, and not over for more than two years. One row a person, index and category.
-#}
with

conditions as (

    {{ every_coding(ref('int_conditions__current'), ['person_key', 'verification_status', 'event_at', 'abated_at']) }}

),

diagnoses as (

    select distinct person_key, replace(code, '.', '') as code

    from conditions

    where
        system in ('http://hl7.org/fhir/sid/icd-10-cm', 'http://hl7.org/fhir/sid/icd-10')
        and coalesce(verification_status, 'confirmed') not in ('refuted', 'entered-in-error')
        and coalesce({{ utc_day('event_at') }} <= {{ night() }}, true)
        and coalesce({{ utc_day('abated_at') }} >= ({{ night() }} - interval '24 months')::date, true)

),

-- Matched once per code, not once per record.
named as (

    select
        codes.comorbidity_index,
        codes.category,
        seen.code

    from (select distinct code from diagnoses) as seen
    inner join {{ ref('comorbidity_codes') }} as codes
        on starts_with(seen.code, replace(codes.icd10_prefix, '.', ''))

)

select distinct
    diagnoses.person_key,
    named.comorbidity_index,
    named.category

from diagnoses
inner join named using (code)
