-- What has left Postgres, what may not leave, what is planned, what was moved, and what is gone.
create schema detached;  -- months copied to cold and catalogued, for the moment before they are dropped

create table lifecycle.cold_file (
    file_id bigint generated always as identity primary key,
    object_key text not null unique,
    raw_table text not null,              -- table in schema raw the rows came from
    data_class text not null,
    event_year smallint not null,
    received_month date not null,
    with_person boolean not null default false,  -- resource types that end only with the person's last other record
    sources text[] not null,
    first_event date not null,
    last_event date not null,
    records bigint not null check (records > 0),
    bytes bigint not null,
    sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
    rows_sha256 text not null,            -- over the rows before sealing, in the file's order
    tier text not null default 'staged' check (tier in ('staged', 'abandoned', 'cold', 'archive', 'destroyed')),
    locked_until date,
    legal_hold boolean not null default false,
    bytes_remain_until date,              -- destroyed, but a lock keeps bytes nobody can open until that day
    tiered_night date not null,
    archived_night date,
    destroyed_night date
);
create index on lifecycle.cold_file (tier);
comment on table lifecycle.cold_file is 'One row per Parquet file of sealed rows: what it holds, where it is, until when it is locked.';

create table lifecycle.hold (
    hold_id bigint generated always as identity primary key,
    person_token uuid,
    data_class text,
    source text,
    event_from date,
    event_to date,
    reason text not null check (btrim(reason) <> ''),
    requested_by text not null check (btrim(requested_by) <> ''),
    approved_by text not null check (btrim(approved_by) <> ''),
    set_night date not null,
    set_at timestamptz not null default clock_timestamp(),
    lifted_night date,
    lifted_at timestamptz,
    lift_reason text,
    lift_requested_by text,
    lift_approved_by text,
    constraint names_something check (num_nonnulls(person_token, data_class, source, event_from, event_to) > 0),
    constraint period_in_order check (event_from <= event_to),
    constraint two_names check (lower(btrim(requested_by)) <> lower(btrim(approved_by))),
    constraint lifted_whole check (num_nonnulls(lifted_night, lifted_at, lift_reason, lift_requested_by, lift_approved_by) in (0, 5)),
    constraint two_names_lift check (lower(btrim(lift_requested_by)) <> lower(btrim(lift_approved_by)))
);
comment on table lifecycle.hold is 'One row per legal hold; every criterion given must match. It stops moves, destruction and erasure while not lifted.';

create table lifecycle.plan (
    plan_id bigint generated always as identity primary key,
    night date not null,
    made_at timestamptz not null default clock_timestamp(),
    policy_sha256 text not null
);
create index on lifecycle.plan (night);
comment on table lifecycle.plan is 'One row per plan made for a night; the newest of a night is the one that is applied.';

create table lifecycle.plan_line (
    plan_id bigint not null references lifecycle.plan on delete cascade,
    line_no integer not null,
    unit text not null,                   -- partition, object key, or landing/<source>/<night>
    kind text not null check (kind in ('partition', 'file', 'landing')),
    data_class text not null,             -- several, joined by ' + ', where a partition holds several
    tier text not null,
    due_tier text not null,
    action text not null check (action in ('stay', 'tier_out', 'archive', 'destroy', 'remove_bytes', 'return_loan', 'expire_landing')),
    rule text not null,                   -- why, in words
    age_days integer not null,
    records bigint not null,
    bytes bigint not null,
    stopped_by text,                      -- null, 'hold 3, hold 7' or 'waits for approval'
    outcome text check (outcome in ('done', 'waiting', 'changed', 'failed')),
    outcome_note text,
    primary key (plan_id, line_no)
);
comment on table lifecycle.plan_line is 'One row per partition and file in a plan: what is due, by which rule, what stops it, and what became of it.';

create table lifecycle.move (
    move_id bigint generated always as identity primary key,
    night date not null,
    action text not null check (action in ('tier_out', 'archive', 'destroy', 'remove_bytes', 'return_loan', 'expire_landing', 'rehydrate')),
    subject text not null,
    data_class text not null,
    from_tier text not null,
    to_tier text not null,
    rule text not null,
    records bigint not null default 0,
    bytes bigint not null default 0,
    state text not null default 'copying' check (state in ('copying', 'verified', 'catalogued', 'done', 'given_up')),
    detached_table text,                  -- in schema detached, while it waits to be dropped
    attempts integer not null default 1,
    error_code text,
    started_at timestamptz not null default clock_timestamp(),
    finished_at timestamptz
);
create unique index one_open_move_per_subject on lifecycle.move (subject) where state in ('copying', 'verified', 'catalogued');
create index on lifecycle.move (night);
comment on table lifecycle.move is 'One row per move between tiers. copying and verified: the old place counts; from catalogued on, the new one.';

create table lifecycle.move_file (
    move_id bigint not null references lifecycle.move,
    file_id bigint not null references lifecycle.cold_file,
    primary key (move_id, file_id)
);

create table lifecycle.approval (
    file_id bigint primary key references lifecycle.cold_file,
    requested_by text not null check (btrim(requested_by) <> ''),
    approved_by text not null check (btrim(approved_by) <> ''),
    reason text not null check (btrim(reason) <> ''),
    night date not null,
    approved_at timestamptz not null default clock_timestamp(),
    constraint two_names check (lower(btrim(requested_by)) <> lower(btrim(approved_by)))
);
comment on table lifecycle.approval is 'One row per file whose destruction two people agreed to.';

create table lifecycle.certificate (
    certificate_id bigint generated always as identity primary key,
    move_id bigint not null unique references lifecycle.move,
    night date not null,
    content jsonb not null,               -- what, when, why, by whom, how; counts and hashes, nobody's data
    sha256 text not null,
    issued_at timestamptz not null default clock_timestamp()
);
comment on table lifecycle.certificate is 'One row per destruction: its certificate in the terms of NIST SP 800-88.';

create table lifecycle.loan (
    raw_table text not null,
    received_month date not null,
    file_id bigint not null references lifecycle.cold_file,
    until date not null,
    purpose text not null,
    actor text not null,
    state text not null default 'coming' check (state in ('coming', 'here')),
    records bigint not null default 0,
    unreadable bigint not null default 0, -- rows whose person's key is gone
    taken_night date not null,
    primary key (file_id)
);
comment on table lifecycle.loan is 'One row per file whose rows are back in hot as a copy; the file stays the place of record.';

alter table lifecycle.landing_object add column removed_night date;
comment on column lifecycle.landing_object.removed_night is 'Night on which the bytes ended by policy; the row stays, so that the same bytes are still known.';

-- Which tables of raw are months of which class; what a plan starts from.
create view lifecycle.hot_partition as
select coalesce(root.relname, parent.relname)::text as raw_table,
       leaf.relname::text as leaf,
       substring(pg_get_expr(parent.relpartbound, parent.oid) from $$FOR VALUES IN \('([a-z0-9_]+)'\)$$)::text as data_class,
       substring(pg_get_expr(leaf.relpartbound, leaf.oid) from $$FROM \('(\d{4}-\d\d-\d\d)$$)::date as received_month,
       leaf.oid as leaf_oid
from pg_class leaf
join pg_namespace n on n.oid = leaf.relnamespace and n.nspname = 'raw'
join pg_inherits i on i.inhrelid = leaf.oid
join pg_class parent on parent.oid = i.inhparent
left join pg_inherits above on above.inhrelid = parent.oid
left join pg_class root on root.oid = above.inhparent
where leaf.relkind = 'r' and leaf.relispartition;
comment on view lifecycle.hot_partition is 'One row per month partition in schema raw. data_class is null where the table holds one class by contract.';

-- Blocks writers of one month, not readers, until the transaction ends.
create function raw.freeze_partition(leaf text) returns void
language plpgsql security definer set search_path = pg_catalog as $$
begin
    execute format('lock table only raw.%I in share mode', leaf);
end $$;

-- Takes a month out of raw, if and only if every row in it is catalogued elsewhere by a verified move of this month.
-- The caller sets lock_timeout. Returns the table's name in schema detached.
create function raw.detach_partition(leaf text) returns text
language plpgsql security definer set search_path = pg_catalog as $$
declare
    move record;
    parent regclass;
    gone text;
    homeless bigint;
begin
    select m.move_id, m.action into move from lifecycle.move m
    where m.subject = detach_partition.leaf and m.action in ('tier_out', 'return_loan') and m.state in ('verified', 'catalogued');
    if not found then
        raise exception 'raw.detach_partition: no verified move of this month' using errcode = 'PL001';
    end if;
    select i.inhparent::regclass into parent from pg_inherits i where i.inhrelid = format('raw.%I', leaf)::regclass;
    if parent is null then
        raise exception 'raw.detach_partition: not a partition' using errcode = 'PL001';
    end if;
    execute format('lock table only raw.%I in share mode', leaf);
    execute format('select count(*) from raw.%I p left join lifecycle.record r using (record_id)
                    where r.record_id is null or r.tier = ''hot''', leaf) into homeless;
    if homeless > 0 then
        raise exception 'raw.detach_partition: % row(s) are catalogued nowhere else', homeless using errcode = 'PL002';
    end if;
    gone := left(leaf, 50) || '__' || move.move_id;
    execute format('alter table %s detach partition raw.%I', parent, leaf);
    execute format('alter table raw.%I rename to %I', leaf, gone);
    execute format('alter table raw.%I set schema detached', gone);
    return gone;
end $$;

create function raw.drop_detached(gone text) returns boolean
language plpgsql security definer set search_path = pg_catalog as $$
begin
    if not exists (select from lifecycle.move m where m.detached_table = gone and m.state = 'catalogued') then
        raise exception 'raw.drop_detached: no catalogued move names this table' using errcode = 'PL001';
    end if;
    if to_regclass(format('detached.%I', gone)) is null then
        return false;
    end if;
    execute format('drop table detached.%I', gone);
    return true;
end $$;

-- Puts rows of a cold file back as a copy. Rows the catalogue does not place in that file are refused.
create function raw.lend_rows(parent_table text, lent_file bigint, rows_json text[]) returns bigint
language plpgsql security definer set search_path = pg_catalog as $$
declare
    lent bigint;
    stray bigint;
begin
    if not exists (select from lifecycle.loan l where l.file_id = lent_file and l.raw_table = parent_table and l.state = 'coming') then
        raise exception 'raw.lend_rows: no loan of this file is under way' using errcode = 'PL001';
    end if;
    select count(*) into stray from unnest(rows_json) j
    left join lifecycle.record r on r.record_id = (j::json ->> 'record_id')::uuid and r.file_id = lent_file
    where r.record_id is null;
    if stray > 0 then
        raise exception 'raw.lend_rows: % row(s) are not of this file', stray using errcode = 'PL002';
    end if;
    execute format('insert into raw.%I select p.* from unnest($1) j, json_populate_record(null::raw.%I, j::json) p',
                   parent_table, parent_table) using rows_json;
    get diagnostics lent = row_count;
    return lent;
end $$;

-- Takes lent rows away again; only rows whose place of record is that file.
create function raw.return_rows(parent_table text, leaf text, lent_file bigint) returns bigint
language plpgsql security definer set search_path = pg_catalog as $$
declare
    returned bigint;
begin
    if not exists (select from lifecycle.loan l where l.file_id = lent_file and l.raw_table = parent_table) then
        raise exception 'raw.return_rows: no loan of this file' using errcode = 'PL001';
    end if;
    if to_regclass(format('raw.%I', leaf)) is null then
        return 0;
    end if;
    execute format('delete from raw.%I p using lifecycle.record r
                    where r.record_id = p.record_id and r.file_id = $1 and r.tier <> ''hot''', leaf) using lent_file;
    get diagnostics returned = row_count;
    return returned;
end $$;

revoke execute on all functions in schema raw from public;
grant execute on function raw.freeze_partition, raw.detach_partition, raw.drop_detached, raw.lend_rows, raw.return_rows,
    raw.ensure_partitions to lifecycle;

grant select, insert, update on lifecycle.cold_file, lifecycle.move, lifecycle.loan to lifecycle;
grant delete on lifecycle.loan to lifecycle;
grant select, insert on lifecycle.move_file, lifecycle.certificate, lifecycle.plan to lifecycle;
grant select, insert, update on lifecycle.plan_line to lifecycle;
grant select on lifecycle.hold, lifecycle.approval, lifecycle.hot_partition to lifecycle;
grant select, insert, update on lifecycle.hold to privacy_officer;
grant select, insert on lifecycle.approval to privacy_officer;
grant select on lifecycle.cold_file, lifecycle.plan, lifecycle.plan_line, lifecycle.move, lifecycle.certificate,
    lifecycle.loan, lifecycle.hot_partition to privacy_officer;
grant select on lifecycle.cold_file, lifecycle.plan, lifecycle.plan_line, lifecycle.move, lifecycle.hold, lifecycle.loan,
    lifecycle.certificate, lifecycle.hot_partition to publisher;
grant update (removed_night) on lifecycle.landing_object to lifecycle;
grant usage on schema restricted to lifecycle;
grant select on restricted.person_link to lifecycle;
