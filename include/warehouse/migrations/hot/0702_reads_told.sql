-- Whoever reads raw or restricted tables and is not one of the night's own roles is told by the trail: include/decisions/0256-reads-in-psql-are-told.md
create function audit.seen(relation text) returns boolean
language plpgsql volatile parallel restricted set search_path = pg_catalog as $$
declare
    -- One blank at most between words: the server's log has two before its message, which no purpose can then imitate.
    why text := nullif(btrim(regexp_replace(left(current_setting('plumbline.purpose', true), 200), '\s+', ' ', 'g')), '');
    told jsonb := jsonb_build_object('of', relation, 'as', current_user, 'purpose', why,
                                     'program', regexp_replace(left(current_setting('application_name'), 100), '\s+', ' ', 'g'),
                                     'from', host(inet_client_addr()));
begin
    -- To the server's log and not into the trail itself: a caller's ROLLBACK does not undo it, a read-only transaction allows it.
    raise log 'plumbline read %', told;
    if why is null then
        raise exception 'reading % needs a purpose', relation
            using errcode = 'insufficient_privilege', hint = 'say why, which the audit trail keeps: set plumbline.purpose = ''request 12 of 2026''; then read again';
    end if;
    return true;
end $$;
comment on function audit.seen is 'True for a caller who said why; has the server''s log tell of the read, from where the trail takes it up.';
grant execute on function audit.seen to public;

-- Row security with one policy that lets every row pass once the read was told. The owner and the night's roles bypass it
-- (include/warehouse/migrate.py) and pay nothing. Run after every migration and for every new raw table.
create function audit.tell_reads() returns integer
language plpgsql set search_path = pg_catalog as $$
declare
    bare record;
    made integer := 0;
begin
    for bare in
        select c.oid::regclass as name, format('%s.%s', c.relnamespace::regnamespace, c.relname) as said from pg_class c
        where c.relnamespace in ('raw'::regnamespace, 'restricted'::regnamespace) and c.relkind in ('r', 'p')
          and not c.relispartition and not c.relrowsecurity and c.relowner = current_user::regrole
    loop
        execute format('drop policy if exists told on %s', bare.name);
        execute format('create policy told on %s using ((select audit.seen(%L))) with check (true)', bare.name, bare.said);
        execute format('alter table %s enable row level security', bare.name);
        made := made + 1;
    end loop;
    return made;
end $$;
revoke execute on function audit.tell_reads from public;

-- Called at every login in hot by an event trigger that the superuser makes (include/warehouse/migrate.py). The platform's own
-- programs name themselves; any other session, of whatever role, is somebody's.
create function audit.note_session() returns event_trigger
language plpgsql set search_path = pg_catalog as $$
declare
    program text := regexp_replace(left(current_setting('application_name'), 100), '\s+', ' ', 'g');
begin
    if program !~ '^plumbline ' then
        raise log 'plumbline session %', jsonb_build_object('program', program, 'from', host(inet_client_addr()));
    end if;
exception when others then
    null;  -- what tells of logins must never be why nobody can log in
end $$;
