-- Which request asks for a quarantined record again: only the places that were asked for are taken in, not the whole object.
alter table quality.quarantine add column replay_no bigint references quality.replay_request;
create index on quality.quarantine (replay_no) where replay_no is not null;
comment on column quality.quarantine.replay_no is 'The request that asked for this record to be read again, if one did.';
