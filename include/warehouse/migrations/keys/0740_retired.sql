-- Versions of the key-encryption key that are gone. A process that still wraps under one would make a key nobody can open.
create table keys.retired_version (
    kek_version integer primary key,
    retired_at timestamptz not null default clock_timestamp()
);
comment on table keys.retired_version is 'One row per version of the key-encryption key that was retired; no data key may be wrapped under it again.';
create function keys.refuse_retired() returns trigger language plpgsql security definer set search_path = pg_catalog as $$
begin
    if new.wrapped is not null and exists (select from keys.retired_version r where r.kek_version = new.kek_version) then
        raise exception 'keys.data_key: key-encryption key version % is retired', new.kek_version using errcode = 'PL003';
    end if;
    return new;
end $$;
create trigger not_under_a_retired_version before insert or update on keys.data_key
    for each row execute function keys.refuse_retired();
create index data_key_by_version on keys.data_key (kek_version) where wrapped is not null;
grant select, insert on keys.retired_version to sealer;
