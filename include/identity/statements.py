"""The SQL of include/identity/resolve.py, in the order it runs. All of it runs in one transaction as the transformer."""

NEWEST_BATCH = "select coalesce(max(batch_seq), 0) from lifecycle.batch where state = 'promoted'"

# The newest version of each patient record among the batches not read yet. What carries no time of its own (rows of
# tables, deletions) holds from the newest version that was known when it came.
NEWEST_PATIENTS = """
    create temporary table newest_patient on commit drop as
    with arrived as (
        select person_token, source, match_tokens, body ->> 'birthDate' as birth_date, body ->> 'gender' as sex, is_deleted,
            last_updated, received_at, batch_seq
        from raw.resource
        where resource_type = 'Patient' and batch_seq > %(after)s and batch_seq <= %(until)s and person_token is not null
        union all
        select person_token, source, match_tokens, birth_date::text, sex, is_deleted, last_updated, received_at, batch_seq
        from mapped.patient
        where batch_seq > %(after)s and batch_seq <= %(until)s and person_token is not null
    ),
    dated as (
        select *, coalesce(last_updated, max(last_updated) over (
            partition by person_token order by batch_seq range between unbounded preceding and current row)) as valid_from
        from arrived
    )
    select distinct on (person_token)
        person_token, source,
        case when is_deleted then '{}' else coalesce(match_tokens, '{}') end as match_tokens,
        case when birth_date like '____-__-__' then birth_date end as birth_date,
        case when lower(left(sex, 1)) in ('f', 'm') then lower(left(sex, 1)) end as sex,
        is_deleted, valid_from, received_at, batch_seq
    from dated
    order by person_token, valid_from desc nulls last, batch_seq desc, is_deleted desc
"""

# Later batches win unless the version they carry is older than the one known.
UPDATE_EVIDENCE = """
    update restricted.person_evidence as known
    set source = newest.source, match_tokens = newest.match_tokens, birth_date = newest.birth_date, sex = newest.sex,
        is_deleted = newest.is_deleted, batch_seq = newest.batch_seq,
        valid_from = coalesce(newest.valid_from, known.valid_from, newest.received_at)
    from newest_patient as newest
    where known.person_token = newest.person_token
        and coalesce(newest.valid_from, known.valid_from, newest.received_at) >= coalesce(known.valid_from, '-infinity')
"""

ADD_EVIDENCE = """
    insert into restricted.person_evidence
        (person_token, source, match_tokens, birth_date, sex, is_deleted, valid_from, batch_seq)
    select person_token, source, match_tokens, birth_date, sex, is_deleted, coalesce(valid_from, received_at), batch_seq
    from newest_patient
    on conflict do nothing
"""

# Whoever any record names is a person, so that their care does not vanish with a missing patient record.
ADD_TOKENS_WITHOUT_PATIENT = """
    insert into restricted.person_evidence (person_token, source, batch_seq)
    select person_token, min(source), min(batch_seq)
    from lifecycle.record
    where batch_seq > %(after)s and batch_seq <= %(until)s and person_token is not null
    group by person_token
    on conflict do nothing
"""

MEMBERS = """
    create temporary table member on commit drop as
    select person_token, row_number() over (order by person_token) as member_no,
        row_number() over (order by person_token) as group_no
    from restricted.person_evidence
"""

SHARED_TOKENS = """
    create temporary table shared_token on commit drop as
    select token, count(*) > %(largest)s as is_oversized,
        (%(by_birth)s or %(by_sex)s)
            and (not %(by_birth)s or count(distinct birth_date) > 1)
            and (not %(by_sex)s or count(distinct sex) > 1) as is_contradictory
    from (
        select distinct person_token, token, birth_date, sex
        from restricted.person_evidence cross join lateral unnest(match_tokens) as token
        where split_part(token, ':', 1) = any(%(kinds)s)
    ) as told
    group by token
    having count(*) > 1
"""

IGNORED_GROUPS = """
    select count(*) filter (where is_oversized), count(*) filter (where is_contradictory and not is_oversized)
    from shared_token
"""

JOINS = """
    create temporary table joining on commit drop as
    select distinct member.member_no, shared_token.token
    from restricted.person_evidence as evidence
    join member using (person_token)
    cross join lateral unnest(evidence.match_tokens) as told (token)
    join shared_token on shared_token.token = told.token
    where not shared_token.is_oversized and not shared_token.is_contradictory
"""

SPREAD_SMALLEST = """
    with smallest_of_token as (
        select joining.token, min(member.group_no) as group_no
        from joining join member using (member_no)
        group by joining.token
    ),
    smallest_of_member as (
        select joining.member_no, min(smallest_of_token.group_no) as group_no
        from joining join smallest_of_token using (token)
        group by joining.member_no
    )
    update member
    set group_no = smallest.group_no
    from smallest_of_member as smallest
    where smallest.member_no = member.member_no and smallest.group_no < member.group_no
"""

# A key belongs to the group that has its oldest token; a group that several keys belong to takes the oldest of them.
KEYS_OF_GROUPS = """
    create temporary table group_key on commit drop as
    with anchors as (
        select distinct on (link.person_key) link.person_key, member.group_no
        from restricted.person_link as link join member using (person_token)
        order by link.person_key, link.linked_at, link.person_token
    ),
    kept as (
        select distinct on (anchors.group_no) anchors.group_no, anchors.person_key
        from anchors join restricted.person using (person_key)
        order by anchors.group_no, person.first_night, anchors.person_key
    ),
    groups as (select distinct group_no from member)
    select groups.group_no, coalesce(kept.person_key, gen_random_uuid()) as person_key, kept.person_key is null as is_new
    from groups left join kept using (group_no)
"""

ADD_PERSONS = """
    insert into restricted.person (person_key, first_night)
    select person_key, %(night)s from group_key where is_new
"""

COUNT_SPLITS = """
    select count(*)
    from restricted.person_link as link join member using (person_token) join group_key using (group_no)
    where group_key.is_new
"""

RELINK = """
    update restricted.person_link as link
    set person_key = group_key.person_key, linked_at = now()
    from member join group_key using (group_no)
    where member.person_token = link.person_token and link.person_key <> group_key.person_key
"""

LINK_NEW = """
    insert into restricted.person_link (person_token, person_key)
    select member.person_token, group_key.person_key
    from member join group_key using (group_no)
    on conflict do nothing
"""

REMOVE_MERGED = """
    delete from restricted.person
    where not exists (select 1 from restricted.person_link as link where link.person_key = person.person_key)
"""

COUNT_SOURCES = """
    update restricted.person
    set source_count = told.sources
    from (
        select link.person_key, count(distinct evidence.source)::smallint as sources
        from restricted.person_link as link join restricted.person_evidence as evidence using (person_token)
        group by link.person_key
    ) as told
    where told.person_key = person.person_key and told.sources <> person.source_count
"""

TOTALS = """
    select (select count(*) from restricted.person), count(*), count(*) filter (where valid_from is null)
    from restricted.person_evidence
"""

WRITE_DOWN = """
    insert into restricted.resolution (night, batch_seq, policy_digest, counts) values (%s, %s, %s, %s)
"""
