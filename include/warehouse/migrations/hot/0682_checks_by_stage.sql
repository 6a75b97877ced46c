-- Checks look at three places: what a source delivered, its persons once they are resolved, and the marts before publication.
alter table quality.check_result add column stage text not null default 'delivery'
    check (stage in ('delivery', 'resolved', 'mart'));
comment on column quality.check_result.stage is 'Where the check looked: delivery (what came), resolved (persons of several sources), mart (candidates before publication; source is then marts).';
alter table quality.check_result drop constraint check_result_pkey;
alter table quality.check_result add primary key (night, stage, source, instance);

-- The checker reads the candidates, which hold no identifier, and writes nothing there. dbt makes its tables anew each night.
grant usage on schema candidate_clinical, candidate_measures to checker;
grant select on all tables in schema candidate_clinical, candidate_measures to checker;
alter default privileges for role transformer in schema candidate_clinical, candidate_measures grant select on tables to checker;
