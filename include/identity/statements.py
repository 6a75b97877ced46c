"""The SQL of include/identity/resolve.py, in the order it runs. All of it runs in one transaction as the transformer."""

NEWEST_BATCH = "select coalesce(max(batch_seq), 0) from lifecycle.batch where state = 'promoted'"

# The newest version of each patient record among the batches not read yet. What carries no time of its own (rows of
# tables, deletions) holds from the newest version that was known when it came.
NEWEST_PATIENTS = """
    create temporary table newest_patient on commit drop as
    with arrived as (
        select person_token, source, match_tokens, body ->> 'birthDate' as birth_date, body ->> 'gender' as sex, is_deleted,
            last_updated, received_at, batch_seq, body -> 'link' as links, version_id, record_id
        from raw.resource
        where resource_type = 'Patient' and batch_seq > %(after)s and batch_seq <= %(until)s and person_token is not null
        union all
        select person_token, source, match_tokens, birth_date::text, sex, is_deleted, last_updated, received_at, batch_seq, null, null, record_id
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
        restricted.born_by(birth_date) as born_by,
        case when lower(left(sex, 1)) in ('f', 'm') then lower(left(sex, 1)) end as sex,
        is_deleted, valid_from, received_at, batch_seq,
        case
            when is_deleted or jsonb_typeof(links) is distinct from 'array' then '{}'
            else array(
                select right(link #>> '{other,reference}', 36)::uuid
                from jsonb_array_elements(links) as link
                where link ->> 'type' = any(%(links)s)
                    and link #>> '{other,reference}' ~ '^Patient/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
            )
        end as same_as
    from dated
    order by person_token, valid_from desc nulls last, batch_seq desc, is_deleted desc,
        case when version_id ~ '^[0-9]{1,9}$' then version_id::integer end desc nulls last, record_id desc
"""

# Later batches win unless the version they carry is older than the one known.
UPDATE_EVIDENCE = """
    update restricted.person_evidence as known
    set source = newest.source, match_tokens = newest.match_tokens, birth_date = newest.birth_date, sex = newest.sex,
        born_by = coalesce(newest.born_by, known.born_by),
        is_deleted = newest.is_deleted, batch_seq = newest.batch_seq, same_as = newest.same_as,
        valid_from = coalesce(newest.valid_from, known.valid_from, newest.received_at)
    from newest_patient as newest
    where known.person_token = newest.person_token
        and coalesce(newest.valid_from, known.valid_from, newest.received_at) >= coalesce(known.valid_from, '-infinity')
"""

ADD_EVIDENCE = """
    insert into restricted.person_evidence
        (person_token, source, match_tokens, birth_date, born_by, sex, is_deleted, valid_from, batch_seq, same_as)
    select person_token, source, match_tokens, birth_date, born_by, sex, is_deleted, coalesce(valid_from, received_at), batch_seq,
        same_as
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
    insert into restricted.resolution (night, batch_seq, policy_digest, decision_no, counts) values (%s, %s, %s, %s, %s)
"""

NEWEST_DECISION = "select coalesce(max(decision_no), 0) from restricted.identity_decision"

# The decisions that hold, by the members' numbers; a record that is gone takes them with it.
DECISIONS = """
    create temporary table decision on commit drop as
    select one.member_no as one_no, other.member_no as other_no, held.verdict
    from (
        select distinct on (one, other) one, other, verdict
        from restricted.identity_decision order by one, other, decision_no desc
    ) as held
    join member as one on one.person_token = held.one
    join member as other on other.person_token = held.other
    where held.verdict <> 'withdraw'
"""

# What sources say of two of their records, and what a person accepted, joins like a token that only the two have.
SAID_JOINS = """
    insert into joining (member_no, token)
    select unnest(array[one_no, other_no]), 'accepted:' || one_no || ':' || other_no from decision where verdict = 'accept'
    union all
    select unnest(array[one.member_no, other.member_no]),
        'linked:' || least(one.member_no, other.member_no) || ':' || greatest(one.member_no, other.member_no)
    from restricted.person_evidence as evidence
    cross join lateral unnest(evidence.same_as) as same (person_token)
    join member as one on one.person_token = evidence.person_token
    join member as other on other.person_token = same.person_token
    where one.member_no <> other.member_no
"""

LIKE_JOINS = """
    insert into joining (member_no, token)
    select unnest(array[one_no, other_no]), 'like:' || one_no || ':' || other_no
    from scored
    where chance >= %(join_from)s and objection is null
        and not exists (
            select 1 from decision
            where (decision.one_no, decision.other_no) in ((scored.one_no, scored.other_no), (scored.other_no, scored.one_no))
                and verdict = 'reject'
        )
"""

# Groups with two records that were rejected, or with different numbers of which a person has one.
CONTRADICTING_GROUPS = """
    create temporary table contradicting on commit drop as
    select one.group_no
    from decision join member as one on one.member_no = one_no join member as other on other.member_no = other_no
    where verdict = 'reject' and one.group_no = other.group_no
    union
    select member.group_no
    from restricted.person_evidence as evidence
    join member using (person_token)
    cross join lateral unnest(evidence.match_tokens) as told (token)
    where told.token like 'on:%'
    group by member.group_no, substr(told.token, 4, 16)
    having count(distinct told.token) > 1 and count(distinct member.member_no) > 1
"""

# Every reason that joins two of their records: what a person said first, then what sources say, then shared tokens, then likeness.
JOINS_WITHIN = """
    select distinct
        case split_part(one.token, ':', 1) when 'accepted' then 0 when 'linked' then 1 when 'id' then 2 when 'demo' then 3 else 4 end,
        coalesce(scored.weight, 0), one.member_no, other.member_no
    from contradicting
    join member using (group_no)
    join joining as one using (member_no)
    join joining as other on other.token = one.token and one.member_no < other.member_no
    left join scored on one.token like 'like:%' and (scored.one_no, scored.other_no) = (one.member_no, other.member_no)
"""

NUMBERS_WITHIN = """
    select member.member_no, substr(told.token, 4, 16), substr(told.token, 20)
    from contradicting
    join member using (group_no)
    join restricted.person_evidence as evidence using (person_token)
    cross join lateral unnest(evidence.match_tokens) as told (token)
    where told.token like 'on:%'
"""

MEMBERS_WITHIN = "select member_no from contradicting join member using (group_no)"

REJECTED_WITHIN = """
    select one_no, other_no
    from decision join member on member.member_no = one_no join contradicting using (group_no)
    where verdict = 'reject'
"""

# What a person should look at: likely pairs that were not joined, and joins that would have contradicted.
REVIEWS = """
    create temporary table review on commit drop as
    with waiting as (
        select one_no, other_no, chance, levels, coalesce(objection, 'the chance lies between the thresholds') as why from scored
        where objection is not null or chance < %(join_from)s
        union all
        select refused.one_no, refused.other_no, coalesce(scored.chance, 1), coalesce(scored.levels, '{}'), refused.why
        from refused left join scored using (one_no, other_no)
    )
    select distinct on (least(one.person_token, other.person_token), greatest(one.person_token, other.person_token))
        least(one.person_token, other.person_token) as one, greatest(one.person_token, other.person_token) as other,
        waiting.chance, waiting.levels, waiting.why
    from waiting
    join member as one on one.member_no = one_no
    join member as other on other.member_no = other_no
    where one.group_no <> other.group_no
        and not exists (
            select 1 from decision
            where (decision.one_no, decision.other_no) in ((waiting.one_no, waiting.other_no), (waiting.other_no, waiting.one_no))
        )
    order by 1, 2, waiting.why desc
"""

FORGET_REVIEWS = """
    delete from restricted.identity_review as known
    where not exists (select 1 from review where (review.one, review.other) = (known.one, known.other))
"""

KEEP_REVIEWS = """
    insert into restricted.identity_review as known (one, other, chance, levels, why, first_night, night)
    select one, other, chance, levels, why, %(night)s, %(night)s from review order by one, other
    on conflict (one, other) do update
    set chance = excluded.chance, levels = excluded.levels, why = excluded.why, night = excluded.night
"""
