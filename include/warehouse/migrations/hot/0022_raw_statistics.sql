-- What was just promoted has no statistics until autovacuum comes by, and the steps after it plan as if raw were empty: at 20,000
-- people the search for notes took two minutes instead of one second. Only columns that joins and filters use: bodies are long.
create function raw.gather_statistics(leaf text, rows_added bigint) returns boolean
language plpgsql security definer set search_path = pg_catalog as $$
declare
    rows_known real;
    listed text;
begin
    select c.reltuples into rows_known from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'raw' and c.relname = leaf and c.relkind = 'r';
    if not found then
        raise exception 'raw.gather_statistics: not a partition of raw';
    end if;
    if rows_added < 0.1 * greatest(rows_known, 0) then  -- autovacuum's own share
        return false;
    end if;
    select string_agg(quote_ident(attname), ', ' order by attnum) into listed from pg_attribute
    where attrelid = format('raw.%I', leaf)::regclass and attnum > 0 and not attisdropped
        and attname = any(array['record_id', 'source', 'batch_seq', 'resource_type', 'resource_id', 'version_id', 'is_deleted',
                                'last_updated', 'person_token', 'event_at']);
    execute format('analyze raw.%I (%s)', leaf, listed);
    return true;
end $$;
comment on function raw.gather_statistics is 'Gathers statistics of a partition of raw after a promotion that added a tenth or more. Returns whether it did.';
revoke execute on function raw.gather_statistics from public;
grant execute on function raw.gather_statistics to loader;
grant maintain on lifecycle.record to loader;
