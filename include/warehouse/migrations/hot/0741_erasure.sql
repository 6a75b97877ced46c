-- Erasing a person: what was asked, how far it is, and the receipt that says nothing about the person.
create table lifecycle.erasure (
    erasure_id uuid primary key,
    night date not null,
    reason text not null check (btrim(reason) <> ''),
    requested_by text not null check (btrim(requested_by) <> ''),
    approved_by text not null check (btrim(approved_by) <> ''),
    state text not null default 'begun' check (state in ('begun', 'landing_done', 'keys_gone', 'hot_done', 'done')),
    counts jsonb not null default '{}',   -- numbers only
    begun_at timestamptz not null default clock_timestamp(),
    done_at timestamptz,
    final_on date,                        -- the first day on which no backup of keys made before it exists
    receipt jsonb,
    receipt_sha256 text,
    constraint two_names check (lower(btrim(requested_by)) <> lower(btrim(approved_by))),
    constraint done_has_receipt check ((state = 'done') = (receipt is not null and final_on is not null))
);
comment on table lifecycle.erasure is 'One row per erasure of a person: who asked, how far it is, its receipt. Nothing here names the person.';

create table lifecycle.erasure_person (
    erasure_id uuid not null references lifecycle.erasure,
    person_token uuid not null,           -- keyed hashes; needed so that what a backup brings back is erased again
    person_key uuid,
    primary key (erasure_id, person_token)
);
comment on table lifecycle.erasure_person is 'One row per erasure and person token that it covers: the tombstone by which later arrivals and old backups are known.';

-- An object of landing may be rewritten without a person; its row keeps the hash of what was received, so that the same bytes
-- sent again are still known.
alter table lifecycle.landing_object add column rewritten_sha256 text check (rewritten_sha256 ~ '^[0-9a-f]{64}$');
comment on column lifecycle.landing_object.rewritten_sha256 is 'Hash of what the object holds now, where a person was taken out of it; null as received.';

-- Removes a person's rows from every raw table, if and only if an erasure on the books has destroyed their keys.
create function raw.erase_rows(erasure uuid) returns bigint
language plpgsql security definer set search_path = pg_catalog as $$
declare
    parent record;
    removed bigint := 0;
    of_table bigint;
begin
    if not exists (select from lifecycle.erasure e where e.erasure_id = erasure and e.state in ('keys_gone', 'hot_done', 'done')) then
        raise exception 'raw.erase_rows: no erasure under way whose keys are gone' using errcode = 'PL001';
    end if;
    for parent in
        select c.oid::regclass as name from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'person_token'
        where c.relnamespace = 'raw'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition and not a.attisdropped
    loop
        execute format('delete from %s p using lifecycle.erasure_person e where e.erasure_id = $1 and e.person_token = p.person_token',
                       parent.name) using erasure;
        get diagnostics of_table = row_count;
        removed := removed + of_table;
    end loop;
    return removed;
end $$;
revoke execute on function raw.erase_rows from public;
grant execute on function raw.erase_rows to lifecycle;

grant select, insert, update on lifecycle.erasure to lifecycle;
grant select, insert on lifecycle.erasure_person to lifecycle;
grant select on lifecycle.erasure to privacy_officer, publisher;
grant update (object_key, rewritten_sha256, bytes_stored, name_sealed) on lifecycle.landing_object to lifecycle;
grant update (state, state_changed_at) on quality.quarantine to lifecycle;
grant select on restricted.person to lifecycle;
