-- Fresh tables have no statistics until autovacuum comes by; who fills them may gather them.
grant maintain on restricted.person_link, restricted.person, restricted.person_evidence to transformer;
-- Records are appended batch by batch, so a few pages of index find what came after a batch.
create index record_by_batch on lifecycle.record using brin (batch_seq) with (autosummarize = on);
