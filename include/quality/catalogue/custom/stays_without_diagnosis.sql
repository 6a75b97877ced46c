-- check: staysWithDiagnosis
-- subject: encounter
-- owner: coding lead
-- asks: How many finished inpatient stays have no diagnosis?
-- kahn: [validation, completeness, null]
-- dimension: completeness
-- threshold: 0.3
-- action: ask coding for the missing diagnoses
select count(*), count(*) filter (where c.encounter_ref is null)
from encounter e left join (select distinct encounter_ref from condition) c on c.encounter_ref = e.resource_id
where e.status = 'finished' and e.class_code = 'IMP'
