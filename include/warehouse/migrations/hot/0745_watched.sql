-- What the trail has already told of policies and grants, so that the next look tells what changed.
create table audit.policy_seen (
    name text primary key,
    sha256 text not null,
    seen_at timestamptz not null default clock_timestamp()
);
comment on table audit.policy_seen is 'One row per policy file as the trail last told of it.';
create table audit.grant_seen (
    database text not null,
    role text not null,
    relation text not null,
    privilege text not null,
    primary key (database, role, relation, privilege)
);
comment on table audit.grant_seen is 'One row per privilege of a role as the trail last told of it.';
grant select, insert, update, delete on audit.policy_seen, audit.grant_seen to privacy_officer;
grant select on quality.score to privacy_officer;
