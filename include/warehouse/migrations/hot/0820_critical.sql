-- Critical results of live messages: include/decisions/0800-critical-results-in-real-time.md
create schema critical;

-- What a watcher has judged. Its own mark on the inbox, which it cannot otherwise write: a landed message that was not judged
-- yet keeps its bytes until it is, where somebody watches.
alter table intake.live add column judged_at timestamptz;
comment on column intake.live.judged_at is 'When the watcher of critical results had judged the message; null before, or where nobody watches.';
create index live_unjudged on intake.live (live_no) where judged_at is null and sealed is not null;

create table critical.watching (
    only_row boolean primary key default true check (only_row),
    since timestamptz not null default clock_timestamp(),
    seen_at timestamptz not null default clock_timestamp()
);
comment on table critical.watching is 'One row where live messages are watched: since when, and when the watcher last said that it lives.';

create table critical.alert (
    alert_id uuid primary key,            -- a keyed hash of what it is about: judged twice, it is the same
    series_key bytea not null,            -- keyed hash of source and result; the versions of one result share it
    content_key bytea not null,           -- keyed hash of what the result said
    nth integer not null default 1,       -- how often the result said it anew after it had been withdrawn
    source text not null,
    person_token uuid,
    live_no bigint not null,
    rule text not null,                   -- a name of include/policies/critical_results.yml, or 'flagged'
    side text not null check (side in ('low', 'high', 'answer', 'flag')),
    policy_version text not null,
    result_rank smallint not null check (result_rank between 0 and 3),
    route text not null,
    observed_at timestamptz,
    received_at timestamptz not null,
    alerted_at timestamptz not null default clock_timestamp(),
    state text not null default 'new' check (state in ('new', 'sent', 'acknowledged', 'closed', 'withdrawn')),
    escalations integer not null default 0,
    sent_at timestamptz,
    acknowledged_at timestamptz,
    acknowledged_by text,
    closed_at timestamptz,
    closed_by text,
    outcome text check (outcome in ('treated', 'already_known', 'repeat_ordered', 'not_actionable', 'other')),
    withdrawn_at timestamptz,
    withdrawn_because text check (withdrawn_because in ('corrected', 'cancelled', 'replaced')),
    replaces uuid,
    key_id text not null,                 -- whose data key seals it
    sealed bytea not null,                -- the result and whom it is about
    unique (series_key, content_key, nth),
    constraint acknowledged_says_who check ((acknowledged_at is null) = (acknowledged_by is null)),
    constraint closed_says_how check ((closed_at is null) = (outcome is null))
);
create index on critical.alert (series_key, alerted_at);
create index alert_open on critical.alert (alerted_at) where state in ('new', 'sent', 'acknowledged');
create index on critical.alert (person_token);
comment on table critical.alert is 'One row per critical result that somebody is told of: which rule, whose, and who answered when. The result itself is sealed.';

create table critical.notice (
    notice_id uuid primary key default gen_random_uuid(),
    day date not null,
    source text not null,
    unique (day, source)
);
comment on table critical.notice is 'One row per day and source of which people are told that results could not be judged.';

create table critical.delivery (
    delivery_id bigint generated always as identity primary key,
    alert_id uuid references critical.alert on delete cascade,
    notice_id uuid references critical.notice on delete cascade,
    kind text not null check (kind in ('alert', 'escalation', 'correction', 'notice')),
    step integer not null default 0,
    channel text not null,
    made_at timestamptz not null default clock_timestamp(),
    attempts integer not null default 0,
    next_try_at timestamptz not null default clock_timestamp(),
    sent_at timestamptz,
    dropped_at timestamptz,               -- nobody needs it any more: acknowledged, or withdrawn before it left
    unique nulls not distinct (alert_id, notice_id, kind, step),
    check ((alert_id is null) <> (notice_id is null))
);
create index delivery_due on critical.delivery (next_try_at) where sent_at is null and dropped_at is null;
comment on table critical.delivery is 'One row per message to a channel: sent at least once, each try under the same idempotency key.';

create table critical.judged (
    day date not null,
    source text not null,
    what text not null,                   -- messages, results, watched, critical, unjudged, late, ...
    rule text not null default '',
    reason text not null default '',      -- why results could not be judged
    number bigint not null,
    primary key (day, source, what, rule, reason)
);
comment on table critical.judged is 'One row per day, source and what became of messages and results that were judged. Counts only.';

-- Marks messages as judged; what landed before it was judged needs its bytes no longer.
create function critical.mark_judged(numbers bigint[]) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    marked bigint;
begin
    update intake.live set judged_at = clock_timestamp(), sealed = case when landed_sha256 is null then sealed end
    where live_no = any(numbers) and judged_at is null;
    get diagnostics marked = row_count;
    return marked;
end $$;

-- Nobody watches any more: what waited for it only is emptied.
create function critical.stop_watching() returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    emptied bigint;
begin
    delete from critical.watching;
    update intake.live set sealed = null where sealed is not null and landed_sha256 is not null;
    get diagnostics emptied = row_count;
    perform audit.append('critical.unwatched', null, jsonb_build_object('emptied', emptied));
    return emptied;
end $$;

create function critical.waiting(out messages bigint, out oldest timestamptz)
language sql security definer set search_path = pg_catalog, pg_temp as $$
    select count(*), min(received_at) from intake.live where judged_at is null and sealed is not null
$$;

create function critical.acknowledge(of_alert uuid, who text) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if btrim(who) = '' then
        raise exception 'an acknowledgement needs a name' using errcode = 'check_violation';
    end if;
    update critical.alert set state = case when state in ('new', 'sent') then 'acknowledged' else state end,
        acknowledged_at = clock_timestamp(), acknowledged_by = who
    where alert_id = of_alert and acknowledged_at is null and state <> 'closed';
    if not found then
        return false;
    end if;
    update critical.delivery set dropped_at = clock_timestamp()
    where alert_id = of_alert and kind in ('alert', 'escalation') and sent_at is null and dropped_at is null;
    perform audit.append('alert.acknowledged', of_alert::text, '{"read_back": true}', 'critical result', 'success', who);
    return true;
end $$;

create function critical.close(of_alert uuid, who text, how text) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if btrim(who) = '' then
        raise exception 'closing needs a name' using errcode = 'check_violation';
    end if;
    update critical.alert set state = case when state = 'withdrawn' then state else 'closed' end,
        closed_at = clock_timestamp(), closed_by = who, outcome = how
    where alert_id = of_alert and closed_at is null and acknowledged_at is not null;
    if not found then
        return false;
    end if;
    perform audit.append('alert.closed', of_alert::text, jsonb_build_object('outcome', how), 'critical result', 'success', who);
    return true;
end $$;

-- A person's alerts, if and only if an erasure on the books has destroyed their keys. Whoever makes alerts holds the lock shared
-- while it fetches a key and writes, so that none is written afterwards.
create function critical.erase_rows(erasure uuid) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    removed bigint;
begin
    if not exists (select from lifecycle.erasure e where e.erasure_id = erasure and e.state in ('keys_gone', 'hot_done', 'done')) then
        raise exception 'critical.erase_rows: no erasure under way whose keys are gone' using errcode = 'PL001';
    end if;
    perform pg_advisory_xact_lock(hashtext('critical.alert'));
    delete from critical.alert a using lifecycle.erasure_person e where e.erasure_id = erasure and e.person_token = a.person_token;
    get diagnostics removed = row_count;
    return removed;
end $$;

-- Alerts whose class's retention ended, counted from the end of the year. A hold that may mean them keeps them, and so does a
-- record of the same person, class and year that is still kept (a minor's): an alert ends with what it tells of.
create function critical.expire(of_class text, retention_days integer, days_of_sources jsonb, night date) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    removed bigint;
begin
    perform pg_advisory_xact_lock_shared(hashtext('lifecycle.hold'));
    with dated as (
        select a.alert_id, a.source, a.person_token, a.received_at,
               case when a.observed_at between '1900-01-01' and a.received_at + interval '5 years' then a.observed_at
                    else a.received_at end as event_at,
               coalesce((days_of_sources ->> a.source)::integer, retention_days) as days
        from critical.alert a
    )
    delete from critical.alert a using dated d
    where d.alert_id = a.alert_id
      and make_date(extract(year from greatest(d.event_at, d.received_at))::int, 12, 31) + d.days < night
      and not exists (
          select from lifecycle.record r
          where r.person_token = d.person_token and r.data_class = of_class and r.tier not in ('destroyed', 'erased')
            and r.event_year = extract(year from d.event_at)::int)
      and not exists (
          select from lifecycle.hold h
          where h.lifted_at is null
            and (h.person_token is null or exists (select from lifecycle.held_person p
                                                   where p.hold_id = h.hold_id and p.person_token = d.person_token))
            and (h.data_class is null or h.data_class = of_class)
            and (h.source is null or h.source = d.source)
            and (h.event_from is null or d.event_at::date >= h.event_from)
            and (h.event_to is null or d.event_at::date <= h.event_to));
    get diagnostics removed = row_count;
    delete from critical.judged j where j.day + retention_days < night;
    delete from critical.notice n where n.day + retention_days < night;
    if removed > 0 then
        perform audit.append('alert.expired', of_class, jsonb_build_object('alerts', removed));
    end if;
    return removed;
end $$;
revoke execute on all functions in schema critical from public;

-- watcher: judges what is in the inbox and tells. It can take nothing out of the inbox and change nothing in it but its own mark.
grant connect on database hot to watcher, clinician;
grant usage on schema intake, critical, audit to watcher;
grant select (live_no, source, message_type, received_at, bytes, sealed, judged_at) on intake.live to watcher;
grant select, insert, update on critical.alert, critical.delivery, critical.judged, critical.watching to watcher;
grant select, insert on critical.notice to watcher;
grant execute on function critical.mark_judged, critical.stop_watching, critical.waiting, audit.append to watcher;

-- clinician: reads alerts and answers for them; the result opens with the person's key only, and the trail tells of it first.
grant usage on schema critical, audit to clinician;
grant select on critical.alert, critical.delivery, critical.judged, critical.watching to clinician;
grant execute on function critical.acknowledge, critical.close, critical.waiting, audit.append to clinician;

grant usage on schema critical to loader, lifecycle, publisher;
grant select on critical.watching to loader;
grant select (judged_at) on intake.live to loader;
grant select on critical.judged to publisher;
grant execute on function critical.erase_rows, critical.expire to lifecycle;
