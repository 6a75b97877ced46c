-- Up to which moment a backup has everything: a night that was finished later is not in it, whatever its date.
alter table lifecycle.backup add column as_of timestamptz;
update lifecycle.backup set as_of = made_at;
alter table lifecycle.backup alter column as_of set not null;
comment on column lifecycle.backup.as_of is 'When its snapshot was taken; for backups made before this was noted, when they were finished.';
