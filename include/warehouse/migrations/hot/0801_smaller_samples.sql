-- A sample of 9,000 rows tells the planner what it needs of tokens, types and batches; 30,000 took a sixth of a promotion.
-- Autovacuum looks again with a full sample.
alter function raw.gather_statistics(text, bigint) set default_statistics_target = 30;
