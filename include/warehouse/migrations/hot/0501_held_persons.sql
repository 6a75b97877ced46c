-- Whose records a hold on a person means: the token it names and every token resolved to the same person since.
create view lifecycle.held_person as
select h.hold_id, h.person_token
from lifecycle.hold h
where h.lifted_at is null and h.person_token is not null
union
select h.hold_id, same.person_token
from lifecycle.hold h
join restricted.person_link named using (person_token)
join restricted.person_link same on same.person_key = named.person_key
where h.lifted_at is null;
comment on view lifecycle.held_person is 'One row per hold in force and person token it covers.';
grant select on lifecycle.held_person to lifecycle, privacy_officer;
