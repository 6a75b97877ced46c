"""What corrections, merges, cancellations and late or repeated messages left in the marts' tables, compared with the key."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import psycopg

from include.privacy.tokens import Tokeniser
from include.sample.clock import TIMEZONE
from include.sample.ward_messages import AUTHORITY
from include.sources.hl7v2.context import make_id

_STAYS = """
    select encounter_id::text, status, ended_at from intermediate.int_encounters__matched where encounter_id = any(%s::uuid[])
"""
_RESULTS = """
    select link.person_token::text, facts.code, facts.event_at, facts.value_number
    from intermediate.int_observations__current as facts
    inner join restricted.person_link as link using (person_key)
    where facts.source = %s and link.person_token = any(%s::uuid[])
"""


@dataclass(frozen=True, slots=True)
class OutcomeScore:
    """Of one kind of outcome: how many the key tells, and how many stand as they should."""

    of: str
    planted: int
    right: int


def score_outcomes(
    books: psycopg.Connection, rows: Iterable[Mapping[str, Any]], tokeniser: Tokeniser
) -> list[OutcomeScore]:
    """Compare the key's outcomes with what the night built. Reads the models as the owner."""
    grouped: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        grouped[row["of"]].append(row)
    judges = {"stay": _right_stays, "result": _right_results}
    return [OutcomeScore(of, len(told), judges[of](books, told, tokeniser)) for of, told in sorted(grouped.items())]


def patient_id(number: str) -> str:
    """The id that the reader of messages makes of a patient's number."""
    return make_id("Patient", (number, AUTHORITY))


def _right_stays(books: psycopg.Connection, rows: list[Mapping[str, Any]], tokeniser: Tokeniser) -> int:
    of_token = {}
    for row in rows:
        id = make_id("Encounter", ("visit", row["number"], AUTHORITY))
        of_token[tokeniser.id_token(row["source"], "Encounter", id)] = row
    found = {id: (status, ended) for id, status, ended in books.execute(_STAYS, [list(of_token)])}
    return sum(found.get(token) == (row["status"], _instant(row["end"])) for token, row in of_token.items())


def _right_results(books: psycopg.Connection, rows: list[Mapping[str, Any]], tokeniser: Tokeniser) -> int:
    expected: dict[tuple, set[float]] = defaultdict(set)
    for row in rows:
        token = tokeniser.id_token(row["source"], "Patient", patient_id(row["patient"]))
        expected[token, row["code"], _instant(row["at"])].add(row["value"])
    tokens = sorted({token for token, *_ in expected})
    found: dict[tuple, set[float]] = defaultdict(set)
    for token, code, at, value in books.execute(_RESULTS, [rows[0]["source"], tokens]):
        found[token, code, at].add(float(value))
    return sum(found.get(place) == values for place, values in expected.items())


def _instant(local: str | None) -> datetime | None:
    return datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(TIMEZONE)) if local else None
