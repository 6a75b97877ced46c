"""Who is who across sources: gives every patient record the random key of the person it belongs to.

Records that share a match token are one person, transitively; so are records that a source or a reviewer calls the same, and
records that are very likely the same (include/identity/likeness.py). Whatever contradicts itself on the way is not joined
but put to review. What a token stands for is not known here: tokens are keyed hashes made on load. Keys are random, stay from night to night, and the oldest one wins where persons turn out to be
one; where the evidence for that is gone, who was joined later gets a key of their own.
"""

from __future__ import annotations

import json
import os
from datetime import date

import psycopg

from include.identity import statements
from include.identity.clusters import Join, part
from include.identity.likeness import compare_records
from include.identity.policy import IdentityPolicy, Matching, load_policy
from include.nights import step
from include.settings import Settings
from include.warehouse.connect import connect


def resolve_persons(
    night: date, settings: Settings | None = None, policy: IdentityPolicy | None = None
) -> dict[str, int]:
    """Bring ``restricted.person_link`` up to date with every promoted batch, in one transaction.

    Every person token ever promoted has a key afterwards, also where no patient record came with it. Returns counts:
    persons, tokens, tokens_without_patient, new_persons, merged_persons, split_tokens, oversized_groups,
    contradictory_groups, compared_pairs, oversized_blocks, joined_by_likeness, contradicting_clusters, reviews,
    unchanged (1 where nothing new had come). Running it twice changes nothing.
    """
    settings = settings or Settings.from_environment(os.environ)
    policy = policy or load_policy()
    with step(night, "resolve", role="transformer", settings=settings) as running:
        with connect("transformer", "hot", settings) as hot:
            counts = _resolve(hot, night, policy)
        running.count(**counts)
        return counts


def _resolve(hot: psycopg.Connection, night: date, policy: IdentityPolicy) -> dict[str, int]:
    hot.execute("select pg_advisory_xact_lock(hashtext('include.identity.resolve'))")
    read_up_to, last_inputs, last_counts = _last_resolution(hot)
    newest = hot.execute(statements.NEWEST_BATCH).fetchone()[0]
    decided = hot.execute(statements.NEWEST_DECISION).fetchone()[0]
    if last_inputs == (newest, policy.digest, decided):
        return {**last_counts, "new_persons": 0, "merged_persons": 0, "split_tokens": 0, "unchanged": 1}
    _read_evidence(hot, read_up_to, newest, policy)
    grouped = _group(hot, policy, night)
    changes = _give_keys(hot, night)
    totals = hot.execute(statements.TOTALS).fetchone()
    counts = {
        **dict(zip(("persons", "tokens", "tokens_without_patient"), totals, strict=True)),
        **changes,
        **grouped,
        "unchanged": 0,
    }
    hot.execute(statements.WRITE_DOWN, [night, newest, policy.digest, decided, json.dumps(counts)])
    hot.execute("select audit.append('persons.resolved', %s, %s)", [night.isoformat(), json.dumps(counts)])
    return counts


def _last_resolution(hot: psycopg.Connection) -> tuple[int, tuple, dict[str, int]]:
    """Up to which batch evidence was read, everything the last resolution depended on, and its counts."""
    row = hot.execute(
        """select batch_seq, policy_digest, decision_no, counts from restricted.resolution order by resolution_id desc limit 1"""
    ).fetchone()
    return (row[0], row[:3], row[3]) if row else (0, (), {})


def _read_evidence(hot: psycopg.Connection, read_up_to: int, newest: int, policy: IdentityPolicy) -> None:
    arrived = {"after": read_up_to, "until": newest}
    hot.execute(statements.NEWEST_PATIENTS, {**arrived, "links": list(policy.links_join)})
    hot.execute(statements.UPDATE_EVIDENCE)
    hot.execute(statements.ADD_EVIDENCE)
    hot.execute(statements.ADD_TOKENS_WITHOUT_PATIENT, arrived)
    hot.execute("analyze restricted.person_evidence")


def _group(hot: psycopg.Connection, policy: IdentityPolicy, night: date) -> dict[str, int]:
    """Label every token with its group's number (table ``member``): first by what joins for sure, then by likeness."""
    limits = {
        "kinds": list(policy.joins_on),
        "largest": policy.largest_group,
        "by_birth": "birth_date" in policy.contradiction,
        "by_sex": "sex" in policy.contradiction,
    }
    hot.execute(statements.MEMBERS)
    hot.execute(statements.SHARED_TOKENS, limits)
    oversized, contradictory = hot.execute(statements.IGNORED_GROUPS).fetchone()
    hot.execute(statements.JOINS)
    hot.execute(statements.DECISIONS)
    hot.execute(statements.SAID_JOINS)
    _spread(hot)
    likely = _join_the_like(hot, policy.matching)
    parted = _part_contradictions(hot)
    return {
        "oversized_groups": oversized,
        "contradictory_groups": contradictory,
        **likely,
        "contradicting_clusters": parted,
        "reviews": _write_reviews(hot, policy.matching, night),
    }


def _spread(hot: psycopg.Connection) -> None:
    """Everybody takes the smallest number of a group that they are joined to, until nothing changes."""
    hot.execute("analyze member, joining")
    while hot.execute(statements.SPREAD_SMALLEST).rowcount:
        pass


def _join_the_like(hot: psycopg.Connection, matching: Matching | None) -> dict[str, int]:
    if matching is None:
        hot.execute(_NOTHING_SCORED)
        return {"compared_pairs": 0, "oversized_blocks": 0, "joined_by_likeness": 0}
    counts = compare_records(hot, matching)
    rows = hot.execute(statements.LIKE_JOINS, {"join_from": matching.join_from}).rowcount
    if rows:
        _spread(hot)
    return {**counts, "joined_by_likeness": rows // 2}


_NOTHING_SCORED = """
    create temporary table scored (
        one_no bigint, other_no bigint, one uuid, other uuid, weight float8, chance float8, levels jsonb, objection text
    ) on commit drop
"""


def _part_contradictions(hot: psycopg.Connection) -> int:
    """Join the records of groups that contradict themselves anew, as far as nothing contradicts. Returns how many groups.

    Such groups are few and small, so this is the one place where records are looked at one by one.
    """
    hot.execute(statements.CONTRADICTING_GROUPS)
    groups = hot.execute("select count(*) from contradicting").fetchone()[0]
    hot.execute("create temporary table refused (one_no bigint, other_no bigint, why text) on commit drop")
    if not groups:
        return 0
    numbers: dict[int, set[tuple[str, str]]] = {}
    for member, system, number in hot.execute(statements.NUMBERS_WITHIN):
        numbers.setdefault(member, set()).add((system, number))
    rejected = hot.execute(statements.REJECTED_WITHIN).fetchall()
    joins = [Join(*row) for row in hot.execute(statements.JOINS_WITHIN)]
    labels, refused = part(joins, {member: frozenset(found) for member, found in numbers.items()}, rejected)
    alone = {member: member for (member,) in hot.execute(statements.MEMBERS_WITHIN)}
    with hot.cursor() as cursor:
        cursor.executemany(
            "update member set group_no = %s where member_no = %s",
            [(label, member) for member, label in (alone | labels).items()],
        )
        cursor.executemany(
            "insert into refused values (%s, %s, 'joining them would contradict what else is known')",
            [(join.one, join.other) for join in refused],
        )
    return groups


def _write_reviews(hot: psycopg.Connection, matching: Matching | None, night: date) -> int:
    hot.execute(statements.REVIEWS, {"join_from": matching.join_from if matching else 1.0})
    hot.execute(statements.FORGET_REVIEWS)
    hot.execute(statements.KEEP_REVIEWS, {"night": night})
    return hot.execute("select count(*) from restricted.identity_review").fetchone()[0]


def _give_keys(hot: psycopg.Connection, night: date) -> dict[str, int]:
    hot.execute(statements.KEYS_OF_GROUPS)
    new_persons = hot.execute(statements.ADD_PERSONS, {"night": night}).rowcount
    split = hot.execute(statements.COUNT_SPLITS).fetchone()[0]
    hot.execute(statements.RELINK)
    hot.execute(statements.LINK_NEW)
    merged = hot.execute(statements.REMOVE_MERGED).rowcount
    hot.execute(statements.COUNT_SOURCES)
    hot.execute("analyze restricted.person_link, restricted.person")
    return {"new_persons": new_persons, "merged_persons": merged, "split_tokens": split}
