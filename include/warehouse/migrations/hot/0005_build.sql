-- What the candidate marts were built from, so that a night with nothing new need not build them again.
create table quality.build_state (
    only_row boolean primary key default true check (only_row),
    fingerprint text not null,
    night date not null,
    attempt integer not null,             -- whose quality.build_result rows are valid
    batch_seq bigint not null,            -- the newest batch in the marts
    built_at timestamptz not null default clock_timestamp()
);
comment on table quality.build_state is 'One row at most: the inputs of the candidate marts as they stand.';
grant select, insert, update, delete on quality.build_state to transformer;
grant select on quality.build_state, quality.build_result to leak_scanner, publisher, loader, checker;
grant select on quality.audit_finding, quality.gate_result, quality.quarantine, quality.score to loader, publisher;
