-- Append-only, hash-chained. Nobody but the owner's functions writes here, and nobody changes what is written.
create table audit.entry (
    entry_no bigint primary key,
    at timestamptz not null,
    actor text not null,                  -- database role and, where known, the person or task behind it
    action text not null,                 -- batch.promoted, record.read, partition.moved, hold.set, marts.published, ...
    subject text,                         -- batch, table, object or record token; never a value
    purpose text,
    outcome text not null default 'success',
    detail jsonb not null default '{}',   -- counts and names, no values
    previous_hash bytea not null,
    hash bytea not null
);
comment on table audit.entry is 'One row per audited act; each row''s hash covers the row before it.';

create function audit.entry_hash(
    entry_no bigint, at timestamptz, actor text, action text, subject text, purpose text, outcome text, detail jsonb,
    previous_hash bytea
) returns bytea language sql immutable set search_path = pg_catalog as $$
    select sha256(previous_hash || convert_to(
        jsonb_build_array(entry_no, to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'),
                          actor, action, subject, purpose, outcome, detail)::text, 'UTF8'))
$$;

create function audit.append(
    action text, subject text default null, detail jsonb default '{}', purpose text default null,
    outcome text default 'success', actor text default null
) returns bigint language plpgsql security definer set search_path = pg_catalog as $$
declare
    last_no bigint;
    last_hash bytea;
    now_at timestamptz := clock_timestamp();
    who text := session_user || coalesce(' ' || actor, '');
begin
    -- Serialises writers until they commit, so that the chain has one order.
    perform pg_advisory_xact_lock(hashtext('audit.append'));
    select e.entry_no, e.hash into last_no, last_hash from audit.entry e order by e.entry_no desc limit 1;
    last_no := coalesce(last_no, 0) + 1;
    last_hash := coalesce(last_hash, '\x'::bytea);
    insert into audit.entry values (
        last_no, now_at, who, action, subject, purpose, outcome, detail, last_hash,
        audit.entry_hash(last_no, now_at, who, action, subject, purpose, outcome, detail, last_hash));
    return last_no;
end $$;

create function audit.refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'audit.entry is append-only: % refused', tg_op;
end $$;
create trigger no_change before update or delete on audit.entry for each row execute function audit.refuse_change();
create trigger no_truncate before truncate on audit.entry for each statement execute function audit.refuse_change();
