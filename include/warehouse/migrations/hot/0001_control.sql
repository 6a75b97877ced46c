-- The night's own books: what arrived, in which batch, where each record lives now.
create schema intake;
create schema raw;
create schema mapped;
create schema restricted;
create schema staging;
create schema intermediate;
create schema candidate_clinical;
create schema candidate_measures;
create schema candidate_equity;
create schema lifecycle;
create schema quality;
create schema audit;

create table lifecycle.night (
    night date primary key,
    attempt integer not null default 1,
    started_at timestamptz not null default clock_timestamp(),
    finished_at timestamptz,
    verdict text check (verdict in ('green', 'amber', 'red')),
    reasons jsonb not null default '[]',  -- [{level, promise, text}], value-free
    published boolean not null default false,
    report_path text
);
comment on table lifecycle.night is 'One row per night (a simulated or real day), with the verdict of its last attempt.';

create table lifecycle.step (
    step_id bigint generated always as identity primary key,
    night date not null,
    attempt integer not null,
    step text not null,                   -- land, load, check, promote, resolve, build, audit, publish, tier, report, ...
    source text,
    state text not null default 'running' check (state in ('running', 'done', 'failed')),
    started_at timestamptz not null default clock_timestamp(),
    finished_at timestamptz,
    counts jsonb not null default '{}',   -- numbers only
    error_code text,                      -- class name of the exception, never its text
    memory_peak_mb integer
);
create index on lifecycle.step (night, attempt);
comment on table lifecycle.step is 'One row per step of a night that was started: what the terminal shows while it runs and the report afterwards.';

create table lifecycle.landing_object (
    source text not null,
    sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
    object_key text not null,
    file_type text not null,              -- extension as received, for example .ndjson.gz
    hint jsonb not null default '{}',     -- what the reader needs and is not personal: resource type, table, manifest role
    name_sealed bytea not null,           -- the file's name as received may itself name a patient
    bytes_received bigint not null,
    bytes_stored bigint not null,
    delivered_at timestamptz,             -- when the source says it made the file
    first_night date not null,
    landed_at timestamptz not null default clock_timestamp(),
    primary key (source, sha256)
);
comment on table lifecycle.landing_object is 'One row per distinct content received from a source; the bytes are in the landing bucket, encrypted.';

create table lifecycle.source_state (
    night date not null,
    source text not null,
    kind text not null,
    required boolean not null,
    missing boolean not null default false,
    stale boolean not null default false,
    delivered_at timestamptz,
    age_days integer,
    max_age_days integer,
    files_new integer not null default 0,
    files_known integer not null default 0,
    drift jsonb not null default '[]',    -- [{table, kind: undeclared_column|missing_optional_column, columns, count}]
    notes jsonb not null default '[]',
    primary key (night, source)
);
comment on table lifecycle.source_state is 'One row per source and night: was it there, how old was it, did its shape drift.';

create sequence lifecycle.batch_seq;
create table lifecycle.batch (
    batch_id text primary key,
    batch_seq bigint unique,
    source text not null,
    dataset text not null,
    shape text not null check (shape in ('documents', 'table')),
    night date not null,
    state text not null default 'landed' check (state in ('landed', 'loaded', 'checked', 'promoted', 'held_back')),
    intake_table text,                    -- name in schema intake while it exists
    received bigint not null default 0,
    loaded bigint not null default 0,     -- rows that are (or wait to become) raw rows
    duplicate bigint not null default 0,
    quarantined bigint not null default 0,
    quality_share numeric,                -- share of checked rows that pass every critical rule
    held_reason text,
    opened_at timestamptz not null default clock_timestamp(),
    loaded_at timestamptz,
    checked_at timestamptz,
    promoted_at timestamptz,
    constraint counts_add_up check (state = 'landed' or received = loaded + duplicate + quarantined)
);
create index on lifecycle.batch (night, source);
comment on table lifecycle.batch is 'One row per batch: all new objects of one source and dataset in one night. received = loaded + duplicate + quarantined.';

create table lifecycle.batch_object (
    batch_id text not null references lifecycle.batch,
    object_no integer not null,           -- 1-based; order of loading
    source text not null,
    sha256 text not null,
    received bigint, loaded bigint, duplicate bigint, quarantined bigint,
    primary key (batch_id, object_no),
    foreign key (source, sha256) references lifecycle.landing_object
);
create index on lifecycle.batch_object (source, sha256);

create table lifecycle.record (
    record_id uuid not null,
    source text not null,
    dataset text not null,                -- resource type for documents, table name for tables
    data_class text not null,
    person_token uuid,
    event_year smallint,
    received_month date not null,
    batch_seq bigint not null,
    tier text not null default 'hot' check (tier in ('hot', 'cold', 'archive', 'destroyed', 'erased')),
    file_id bigint,                       -- lifecycle.cold_file when not hot
    primary key (record_id)
);
create index on lifecycle.record (person_token);
create index on lifecycle.record (file_id) where file_id is not null;
comment on table lifecycle.record is 'One row per record ever promoted: which tier holds it. A known record_id makes a later arrival a duplicate.';

create table quality.quarantine (
    quarantine_id uuid primary key,       -- deterministic: the same refusal twice is one row
    batch_id text not null references lifecycle.batch,
    night date not null,
    source text not null,
    dataset text not null,
    object_sha256 text,
    place text,                           -- where in the object: 'line 17', 'entry 3', 'file', 'batch'
    scope text not null check (scope in ('record', 'file', 'batch')),
    records bigint not null default 1,
    record_id uuid,
    resource_type text,
    reason_code text not null,
    found text not null,
    expected text not null,
    action text not null,
    stage text not null check (stage in ('load', 'gate')),
    state text not null default 'open' check (state in ('open', 'replayed', 'dismissed')),
    state_changed_at timestamptz,
    created_at timestamptz not null default clock_timestamp()
);
create index on quality.quarantine (batch_id);
comment on table quality.quarantine is 'One row per refused record, file or batch, with what was found, what was expected and what to do; no values.';

create table quality.gate_result (
    batch_id text not null references lifecycle.batch,
    rule text not null,
    resource_type text,
    suite text not null,
    column_name text,
    severity text not null check (severity in ('critical', 'warning')),
    dimension text not null,
    status text not null check (status in ('passed', 'failed', 'not applicable', 'error')),
    tested bigint,
    failed bigint,
    threshold numeric,
    error_code text,
    judged_at timestamptz not null default clock_timestamp(),
    primary key (batch_id, suite, rule)
);
comment on table quality.gate_result is 'One row per rule and batch: Great Expectations'' verdict as counts.';

create table quality.score (
    night date not null,
    source text not null,
    data_class text not null,
    completeness numeric, accuracy numeric, consistency numeric, timeliness numeric, validity numeric,
    overall numeric,
    level text check (level in ('excellent', 'good', 'acceptable', 'poor')),
    formula text not null,
    primary key (night, source, data_class)
);
comment on table quality.score is 'One row per night, source and data class: quality dimensions between 0 and 1; null where nothing was assessed.';

create table quality.build_result (
    night date not null,
    attempt integer not null,
    node text not null,
    kind text not null,
    layer text,
    status text not null,
    rows bigint,
    failures bigint,
    seconds numeric,
    primary key (night, attempt, node)
);
comment on table quality.build_result is 'One row per dbt node of a night''s build, from run_results.json.';

create table quality.audit_finding (
    night date not null,
    attempt integer not null,
    finding text not null,                -- leak, counts, missing_table, stale_table, empty_table, failed_test, tier_places
    subject text not null,                -- table.column or batch or node; never a value
    failures bigint not null,
    promise text not null,                -- which of the four promises broke
    primary key (night, attempt, finding, subject)
);
comment on table quality.audit_finding is 'One row per broken promise found before publication.';
