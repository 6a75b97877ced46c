-- Wrapped data keys, one per person token (or batch). A database of its own, outside hot's backups:
-- a restored backup must not bring an erased person back.
create schema keys;
create table keys.data_key (
    key_id text primary key,              -- 'person:<uuid>' or 'batch:<batch_id>'
    kek_version integer not null,
    wrapped bytea,                        -- null once destroyed
    created_at timestamptz not null default clock_timestamp(),
    destroyed_at timestamptz,
    constraint destroyed_has_no_key check ((destroyed_at is null) = (wrapped is not null))
);
comment on table keys.data_key is 'One row per data key ever made; a destroyed key keeps its row, so that it is never made again.';
revoke all on database keys from public;
revoke all on schema public from public;
grant connect on database keys to sealer;
grant usage on schema keys to sealer;
grant select, insert, update on keys.data_key to sealer;
