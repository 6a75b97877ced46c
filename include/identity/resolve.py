"""Who is who across sources: gives every patient record the random key of the person it belongs to.

Records that share a match token are one person, transitively. What a token stands for is not known here: tokens are
keyed hashes made on load. Keys are random, stay from night to night, and the oldest one wins where persons turn out to be
one; where the evidence for that is gone, who was joined later gets a key of their own.
"""

from __future__ import annotations

import json
import os
from datetime import date

import psycopg

from include.identity import statements
from include.identity.policy import IdentityPolicy, load_policy
from include.nights import step
from include.settings import Settings
from include.warehouse.connect import connect


def resolve_persons(
    night: date, settings: Settings | None = None, policy: IdentityPolicy | None = None
) -> dict[str, int]:
    """Bring ``restricted.person_link`` up to date with every promoted batch, in one transaction.

    Every person token ever promoted has a key afterwards, also where no patient record came with it. Returns counts:
    persons, tokens, tokens_without_patient, new_persons, merged_persons, split_tokens, oversized_groups,
    contradictory_groups, unchanged (1 where nothing new had come). Running it twice changes nothing.
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
    read_up_to, digest, last_counts = _last_resolution(hot)
    newest = hot.execute(statements.NEWEST_BATCH).fetchone()[0]
    if (read_up_to, digest) == (newest, policy.digest):
        return {**last_counts, "new_persons": 0, "merged_persons": 0, "split_tokens": 0, "unchanged": 1}
    _read_evidence(hot, read_up_to, newest)
    ignored = _group(hot, policy)
    changes = _give_keys(hot, night)
    totals = hot.execute(statements.TOTALS).fetchone()
    counts = {
        **dict(zip(("persons", "tokens", "tokens_without_patient"), totals, strict=True)),
        **changes,
        **ignored,
        "unchanged": 0,
    }
    hot.execute(statements.WRITE_DOWN, [night, newest, policy.digest, json.dumps(counts)])
    hot.execute("select audit.append('persons.resolved', %s, %s)", [night.isoformat(), json.dumps(counts)])
    return counts


def _last_resolution(hot: psycopg.Connection) -> tuple[int, str, dict[str, int]]:
    row = hot.execute(
        "select batch_seq, policy_digest, counts from restricted.resolution order by resolution_id desc limit 1"
    ).fetchone()
    return row or (0, "", {})


def _read_evidence(hot: psycopg.Connection, read_up_to: int, newest: int) -> None:
    arrived = {"after": read_up_to, "until": newest}
    hot.execute(statements.NEWEST_PATIENTS, arrived)
    hot.execute(statements.UPDATE_EVIDENCE)
    hot.execute(statements.ADD_EVIDENCE)
    hot.execute(statements.ADD_TOKENS_WITHOUT_PATIENT, arrived)
    hot.execute("analyze restricted.person_evidence")


def _group(hot: psycopg.Connection, policy: IdentityPolicy) -> dict[str, int]:
    """Label every token with its group's number (table ``member``), smallest number spreading until nothing changes."""
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
    hot.execute("analyze member")
    while hot.execute(statements.SPREAD_SMALLEST).rowcount:
        pass
    return {"oversized_groups": oversized, "contradictory_groups": contradictory}


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
