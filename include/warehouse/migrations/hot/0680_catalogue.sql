-- The catalogue's results: what every check counted in a source's delivery, as numbers that can be judged again.
create table quality.check_result (
    night date not null,
    source text not null,
    instance text not null,
    check_name text not null,
    subject text not null,
    data_class text,
    kahn_context text not null check (kahn_context in ('verification', 'validation')),
    kahn_category text not null check (kahn_category in ('conformance', 'completeness', 'plausibility')),
    kahn_subcategory text,
    dimension text not null check (dimension in ('completeness', 'accuracy', 'consistency', 'timeliness', 'validity')),
    status text not null check (status in ('passed', 'failed', 'not_applicable', 'error')),
    tested bigint,
    failed bigint,
    threshold numeric not null,
    error_code text,
    judge text not null check (judge in ('gate', 'engine')),
    judged_at timestamptz not null default clock_timestamp(),
    primary key (night, source, instance),
    check (status = 'error' or (failed between 0 and tested))
);
comment on table quality.check_result is 'One row per check, source and night: how many records were tested and failed, and the verdict under the threshold of then.';

-- Which records failed, as tokens. Only the privacy officer reads them, through quality.evidence, which is on the trail.
create table quality.check_evidence (
    night date not null,
    source text not null,
    instance text not null,
    record_id uuid not null,
    primary key (night, source, instance, record_id)
);
comment on table quality.check_evidence is 'One row per record that failed a check, at most 1,000 a check; record_id is a keyed hash.';

grant select, insert, update, delete on quality.check_result to checker;
grant insert, delete on quality.check_evidence to checker;
grant select (night, source, instance) on quality.check_evidence to checker;
grant select on quality.check_result to publisher, leak_scanner, privacy_officer;

create function quality.evidence(of_night date, of_source text, of_instance text, purpose text)
returns table (record_id uuid, dataset text, tier text, place text, person_token uuid)
language plpgsql security definer set search_path = pg_catalog as $$
begin
    if coalesce(length(purpose), 0) < 8 then
        raise exception 'say the purpose in words: it goes into the audit trail';
    end if;
    perform audit.append('evidence.read', of_instance, jsonb_build_object('night', of_night::text, 'source', of_source),
                         purpose => purpose, actor => session_user::text);
    return query
        select e.record_id, coalesce(r.dataset, q.dataset), coalesce(r.tier, 'quarantine'), q.place, coalesce(r.person_token, q.person_token)
        from quality.check_evidence e
        left join lifecycle.record r on r.record_id = e.record_id
        left join quality.quarantine q on q.record_id = e.record_id
        where (e.night, e.source, e.instance) = (of_night, of_source, of_instance);
end $$;
revoke execute on function quality.evidence from public;
grant execute on function quality.evidence to privacy_officer;

-- People that earlier deliveries of a source brought: births 14 hours early, as everywhere at the gate.
create function quality.known_people(of_source text)
returns table (person_token uuid, born timestamptz, died timestamptz, sex text)
language plpgsql stable security definer set search_path = pg_catalog as $$
begin
    return query
        select distinct on (r.person_token) r.person_token, j.born - interval '14 hours', j.died + interval '1 day', j.gender
        from raw.resource r
        left join lateral json_table(r.body, '$' columns (
            born timestamptz path '$.birthDate', died timestamptz path '$.deceasedDateTime', gender text path '$.gender')) j on true
        where r.source = of_source and r.resource_type = 'Patient' and not r.is_deleted and r.person_token is not null
        order by r.person_token, r.batch_seq desc;
    if to_regclass('mapped.patient') is not null then
        return query execute
            'select distinct on (m.person_token) m.person_token, m.birth_date::timestamptz - interval ''14 hours'',
                    m.death_date::timestamptz + interval ''1 day'', m.sex
             from mapped.patient m where m.source = $1 and not m.is_deleted and m.person_token is not null
             order by m.person_token, m.batch_seq desc' using of_source;
    end if;
end $$;
revoke execute on function quality.known_people from public;
grant execute on function quality.known_people to checker;

-- Of these ids, those that earlier deliveries of the source brought.
create function quality.known_ids(of_source text, of_kind text, ids text[]) returns setof text
language sql stable security definer set search_path = pg_catalog as $$
    select distinct r.resource_id from raw.resource r
    where r.source = of_source and r.resource_type = of_kind and not r.is_deleted and r.resource_id = any(ids)
$$;
revoke execute on function quality.known_ids from public;
grant execute on function quality.known_ids to checker;

-- LOINC's check digit: modulus 10 over the digits before the dash, every second one doubled from the right (LOINC Users' Guide, C).
create function quality.is_loinc(code text) returns boolean language sql immutable strict parallel safe
set search_path = pg_catalog as $$
    select code ~ '^[0-9]{1,7}-[0-9]$' and (
        select (10 - sum(case when at % 2 = 1 then (2 * digit) / 10 + (2 * digit) % 10 else digit end) % 10) % 10
        from (select at, substr(reverse(split_part(code, '-', 1)), at, 1)::int digit
              from generate_series(1, length(split_part(code, '-', 1))) at) d)
        = right(code, 1)::int
$$;

-- SNOMED CT's check digit (Verhoeff's dihedral check), over all digits from the right.
create function quality.is_sctid(code text) returns boolean language plpgsql immutable strict parallel safe
set search_path = pg_catalog as $$
declare
    d constant int[] := array[[0,1,2,3,4,5,6,7,8,9],[1,2,3,4,0,6,7,8,9,5],[2,3,4,0,1,7,8,9,5,6],[3,4,0,1,2,8,9,5,6,7],[4,0,1,2,3,9,5,6,7,8],
                              [5,9,8,7,6,0,4,3,2,1],[6,5,9,8,7,1,0,4,3,2],[7,6,5,9,8,2,1,0,4,3],[8,7,6,5,9,3,2,1,0,4],[9,8,7,6,5,4,3,2,1,0]];
    p constant int[] := array[[0,1,2,3,4,5,6,7,8,9],[1,5,7,6,2,8,3,0,9,4],[5,8,0,3,7,9,6,1,4,2],[8,9,1,6,0,4,3,5,2,7],
                              [9,4,5,3,1,2,6,8,7,0],[4,2,8,6,5,7,3,9,0,1],[2,7,9,3,8,0,6,4,1,5],[7,0,4,6,9,1,3,2,5,8]];
    c int := 0;
    reversed text := reverse(code);
begin
    if code !~ '^[0-9]{6,18}$' then
        return false;
    end if;
    for i in 1 .. length(reversed) loop
        c := d[c + 1][p[(i - 1) % 8 + 1][substr(reversed, i, 1)::int + 1] + 1];
    end loop;
    return c = 0;
end $$;
revoke execute on function quality.is_loinc, quality.is_sctid from public;
grant execute on function quality.is_loinc, quality.is_sctid to checker;
