create table governance.steps (
    step_id bigint primary key, night date not null, attempt integer not null, step text not null, source text,
    state text not null, started_at timestamptz not null, finished_at timestamptz, counts jsonb not null,
    error_code text, memory_peak_mb integer
);
comment on table governance.steps is 'One row per step of a night: how long it took, what it counted, how it ended.';
create table governance.tiers (
    night date not null, data_class text not null, tier text not null, records bigint not null,
    primary key (night, data_class, tier)
);
comment on table governance.tiers is 'One row per night, data class and tier: how many records live there.';
grant select, insert, update, delete on governance.steps, governance.tiers to publisher;
grant select on governance.steps, governance.tiers to analyst, reader, api, privacy_officer;
