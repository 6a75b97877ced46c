-- The last day on which somebody can have been born, as their patient records say it: a year or a month alone is no birth date to
-- tell people apart by, but whether a record is a minor's must not hang on a birthday that nobody wrote down.
alter table restricted.person_evidence add column born_by date;
comment on column restricted.person_evidence.born_by is
    'Last day that the birth date as written can mean (a year: its 31 December); what an earlier record said where the newest says none.';

create function restricted.born_by(written text) returns date language sql immutable parallel safe
set search_path = pg_catalog, pg_temp as $$
    select case
        when written like '____-__-__' and pg_input_is_valid(written, 'date') then written::date
        when written like '____-__' and pg_input_is_valid(written || '-01', 'date')
            then ((written || '-01')::date + interval '1 month - 1 day')::date
        when written like '____' and pg_input_is_valid(written || '-12-31', 'date') then (written || '-12-31')::date
    end
$$;
comment on function restricted.born_by is 'Last day that a FHIR date can mean; null where it is none.';
grant execute on function restricted.born_by to transformer;

update restricted.person_evidence set born_by = restricted.born_by(birth_date) where birth_date is not null;
update restricted.person_evidence e set born_by = restricted.born_by(told.birth_date)
from (
    select distinct on (person_token) person_token, body ->> 'birthDate' as birth_date from raw.resource
    where resource_type = 'Patient' and body ? 'birthDate' order by person_token, batch_seq desc
) told
where e.person_token = told.person_token and e.born_by is null;
