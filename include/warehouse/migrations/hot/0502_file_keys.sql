-- The data key whose end ends a file, wherever its bytes still lie.
alter table lifecycle.cold_file add column key_id text not null check (key_id ~ '^file:[0-9a-f-]{36}$');
