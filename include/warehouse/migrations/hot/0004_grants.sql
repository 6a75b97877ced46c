-- Each role can do its own step and nothing else. tests/integration/test_roles.py tries the rest.
revoke all on database hot from public;
revoke all on schema public from public;
grant connect, temporary on database hot to loader, checker, transformer, leak_scanner, publisher, lifecycle;
grant connect on database hot to privacy_officer, api;
revoke execute on all functions in schema audit, raw from public;
grant usage on schema audit to loader, checker, transformer, leak_scanner, publisher, lifecycle, api, privacy_officer;
grant execute on function audit.append to loader, checker, transformer, leak_scanner, publisher, lifecycle, api, privacy_officer;

-- Every step reports itself.
grant usage on schema lifecycle to loader, checker, transformer, leak_scanner, publisher, lifecycle, privacy_officer;
grant select, insert, update on lifecycle.night, lifecycle.step
    to loader, checker, transformer, leak_scanner, publisher, lifecycle;

-- loader: lands, loads, promotes. Appends to raw, cannot change or remove what is there.
grant usage, create on schema intake to loader;
grant usage on schema raw, quality, mapped to loader;
grant execute on function raw.ensure_partitions to loader;
grant insert, select (record_id, source, batch_id, batch_seq, data_class, resource_type, resource_id, person_token, received_at)
    on raw.resource to loader;
grant select, insert, update on lifecycle.landing_object, lifecycle.source_state, lifecycle.batch, lifecycle.batch_object to loader;
grant delete on lifecycle.batch_object to loader;
grant select, insert on lifecycle.record to loader;
grant usage on sequence lifecycle.batch_seq to loader;
grant select, insert, update, delete on quality.quarantine to loader;
grant delete on quality.gate_result to loader;
grant select on quality.gate_result to loader;

-- checker: judges a batch, moves failing rows to quarantine. Sees intake (grants made per table by the loader) and keys of raw.
grant usage on schema intake, raw, quality to checker;
grant select (record_id, source, resource_type, resource_id, person_token, is_deleted, batch_seq) on raw.resource to checker;
grant select on lifecycle.landing_object, lifecycle.source_state, lifecycle.batch, lifecycle.batch_object, lifecycle.record to checker;
grant update on lifecycle.batch, lifecycle.batch_object, lifecycle.source_state to checker;
grant select, insert, update on quality.quarantine, quality.gate_result, quality.score to checker;
grant delete on quality.gate_result, quality.score to checker;

-- transformer: dbt and identity. Never sealed columns, never keys.
grant usage on schema raw, mapped to transformer;
grant select (record_id, source, batch_id, batch_seq, data_class, resource_type, resource_id, version_id, last_updated, is_deleted,
              person_token, event_at, received_at, content_sha256, match_tokens, body) on raw.resource to transformer;
grant usage, create on schema restricted, staging, intermediate, candidate_clinical, candidate_measures, candidate_equity to transformer;
grant select, insert, update, delete on restricted.person_link to transformer;
grant create on database hot to transformer;  -- dev_<user> schemas of data teams
grant select on lifecycle.batch, lifecycle.record to transformer;
grant usage on schema quality to transformer;
grant select, insert, update, delete on quality.build_result to transformer;

-- leak scanner: reads every candidate row, writes findings only.
grant usage on schema candidate_clinical, candidate_measures, candidate_equity, quality, restricted, raw, mapped to leak_scanner;
alter default privileges for role transformer in schema candidate_clinical, candidate_measures, candidate_equity
    grant select on tables to leak_scanner, publisher;
grant select on restricted.person_link, lifecycle.batch, lifecycle.batch_object, lifecycle.record, lifecycle.source_state,
    lifecycle.landing_object to leak_scanner;
grant select (record_id, source, batch_id, batch_seq, resource_type, resource_id, is_deleted, person_token, sealed) on raw.resource to leak_scanner;
grant select on quality.build_result, quality.quarantine, quality.gate_result to leak_scanner;
grant select, insert, delete on quality.audit_finding to leak_scanner;

-- publisher: copies candidates and the night's books to warm.
grant usage on schema candidate_clinical, candidate_measures, candidate_equity, quality to publisher;
grant select on all tables in schema lifecycle, quality to publisher;

-- lifecycle: tiers, archives, destroys. What needs ownership goes through functions of the owner.
grant usage on schema raw, quality, mapped to lifecycle;
grant select on raw.resource to lifecycle;
grant select, insert, update on lifecycle.record to lifecycle;
grant select on lifecycle.batch, lifecycle.batch_object, lifecycle.landing_object, lifecycle.source_state to lifecycle;
grant select on quality.quarantine to lifecycle;

-- privacy officer: reads the trail and quarantine; unsealing goes through include/privacy, which audits it.
grant select on audit.entry to privacy_officer, lifecycle;
grant execute on function audit.entry_hash to privacy_officer, lifecycle;
grant usage on schema quality, raw, restricted to privacy_officer;
grant select on quality.quarantine, lifecycle.record, lifecycle.batch, lifecycle.batch_object, lifecycle.landing_object,
    restricted.person_link, raw.resource to privacy_officer;
