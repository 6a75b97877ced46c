-- Grants are told by the trail as they are made, and refused logins once a day.
create table audit.log_seen (
    log text primary key,
    position bigint not null,
    seen_at timestamptz not null default clock_timestamp()
);
comment on table audit.log_seen is 'One row per server log: up to which byte the trail has told of refused logins.';
grant select, insert, update on audit.log_seen to privacy_officer;

-- Called by an event trigger that the superuser makes (include/warehouse/migrate.py). The owner and the roles of the night's own steps
-- grant on what our code makes; anybody else's grant is somebody's doing. The statement names roles and objects, never a value.
create function audit.note_grant() returns event_trigger
language plpgsql security definer set search_path = pg_catalog as $$
declare
    statement text := current_query();
begin
    if session_user in ('plumbline_owner', 'loader', 'checker', 'transformer', 'leak_scanner', 'publisher', 'lifecycle') then
        return;
    end if;
    if statement !~* '^\s*(grant|revoke|alter default privileges)\M' or length(statement) > 500 then
        statement := null;
    end if;
    perform audit.append('grant.changed', current_database(), jsonb_build_object('tag', tg_tag, 'statement', statement));
end $$;
revoke execute on function audit.note_grant from public;
