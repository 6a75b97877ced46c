-- A delivery is assessed as a whole and once. After a kill some of its batches are judged and the rest wait: assessed again, the
-- rest alone would take the place of the whole.
create table quality.assessed_batch (
    batch_id text primary key references lifecycle.batch,
    assessed_at timestamptz not null default clock_timestamp()
);
comment on table quality.assessed_batch is 'One row per batch that the catalogue of checks has seen as part of its delivery.';
grant select, insert on quality.assessed_batch to checker;
