-- A store may finish an upload after the run that sent it was killed and its copy thrown away. Abandoned files are looked
-- for until they stay gone.
alter table lifecycle.cold_file add column abandoned_at timestamptz;
alter table lifecycle.cold_file add column stays_gone boolean not null default false;
comment on column lifecycle.cold_file.abandoned_at is 'When a copy that was never catalogued was thrown away; hot kept its rows.';
comment on column lifecycle.cold_file.stays_gone is 'True once an abandoned object was found absent longer after than an upload can last.';
update lifecycle.cold_file set abandoned_at = clock_timestamp() where tier = 'abandoned';
alter table lifecycle.cold_file add constraint abandoned_says_when check ((tier = 'abandoned') = (abandoned_at is not null));
create index cold_file_abandoned on lifecycle.cold_file (file_id) where tier = 'abandoned' and not stays_gone;
