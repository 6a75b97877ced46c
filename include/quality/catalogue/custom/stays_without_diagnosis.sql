-- check: staysWithDiagnosis
-- subject: encounter
-- owner: coding lead
-- asks: How many finished inpatient stays have no diagnosis?
-- kahn: [validation, completeness, null]
-- dimension: completeness
-- threshold: 0.3
-- action: ask coding for the missing diagnoses
select count(*), count(*) filter (where not exists (select from condition c where c.encounter_ref = e.resource_id))
from encounter e where e.status = 'finished' and e.class_code = 'IMP'
