-- When a file was last read, for plans and for rules that keep what is read at hand.
alter table lifecycle.cold_file add column last_read date;
comment on column lifecycle.cold_file.last_read is 'Night on which a record of the file was last brought back; null where none ever was.';
grant select on restricted.person_evidence to lifecycle;
