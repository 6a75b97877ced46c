-- Results of checks say where they looked: delivery, resolved persons, marts.
alter table governance.check_results add column stage text not null default 'delivery';
comment on column governance.check_results.stage is 'Where the check looked: delivery (what a source brought), resolved (persons of several sources), mart (tables before publication; source is then marts).';
alter table governance.check_results drop constraint check_results_pkey;
alter table governance.check_results add primary key (night, stage, source, instance);
