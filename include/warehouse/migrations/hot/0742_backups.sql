-- What was saved where, until when, and whether it was proven.
create table lifecycle.backup (
    backup_id uuid primary key,
    kind text not null check (kind in ('hot', 'warm', 'keys')),
    night date not null,
    object_key text not null,
    bytes bigint not null,
    sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),  -- of what was saved, before it was encrypted
    classes text[] not null,              -- data classes whose frequency asked for it
    made_at timestamptz not null default clock_timestamp(),
    verified_at timestamptz,
    expires_on date not null,
    removed_at timestamptz
);
create index on lifecycle.backup (kind, night);
comment on table lifecycle.backup is 'One row per backup of a database or of the keys: where it is, until when, when it was proven readable.';

create table lifecycle.restore_drill (
    drill_id uuid primary key,
    night date not null,
    passed boolean not null,
    seconds numeric not null,             -- time to recover
    nights_lost integer not null,         -- finished nights that the backups do not hold
    checks jsonb not null,
    made_at timestamptz not null default clock_timestamp()
);
comment on table lifecycle.restore_drill is 'One row per restore drill: did everything come back, how long it took, what would have been lost.';
grant select, insert, update on lifecycle.backup, lifecycle.restore_drill to lifecycle;
grant select on lifecycle.backup, lifecycle.restore_drill to privacy_officer, publisher;
grant connect on database hot to backup;
