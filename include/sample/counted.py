"""Defects that are let in and counted: what a check of the catalogue failed, against how many records were planted for it.

A check says how many failed and not which, so that what it counts beyond the planted is a false alarm. Sources are compared
over everything that is known of a person, so that what earlier nights planted there is planted still.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import psycopg

from include.sample.answer_key import LOADED
from include.sample.contradictions import AGREEMENT, kind_of
from include.sample.fhir_defects import COUNTED
from include.sample.score import KindScore, read_rows

Checks = Mapping[tuple[str, str], int]


def fetch_failed(books: psycopg.Connection, night: date) -> Checks:
    """Return how many records of the night's deliveries, and persons or results of several sources, failed each check, by source
    and check."""
    rows = books.execute(
        """select source, instance, coalesce(failed, 0) from quality.check_result
           where night = %s and stage in ('delivery', 'resolved')""",
        (night,),
    ).fetchall()
    return {(source, instance): failed for source, instance, failed in rows}


def score_counted(planted: Iterable[Mapping[str, Any]], failed: Checks) -> list[KindScore]:
    """Return a score per kind of counted defect, and per trait told otherwise; empty where no check ran at all."""
    of_kind: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    for row in planted:
        if row["handling"] == LOADED and row["family"] == COUNTED:
            of_kind[row["kind"]][row["source"], row["reason_codes"][0]] += 1
    for (source, check), count in failed.items():
        if f".{AGREEMENT}." in check and count:
            of_kind[kind_of(check.rpartition(".")[2])][source, check] += (
                0  # so that a trait that nobody planted is a false alarm
            )
    return [_score(kind, places, failed) for kind, places in sorted(of_kind.items())] if failed else []


def _score(kind: str, places: Mapping[tuple[str, str], int], failed: Checks) -> KindScore:
    found = sum(min(count, failed.get(place, 0)) for place, count in places.items())
    beyond = sum(max(0, failed.get(place, 0) - count) for place, count in places.items())
    return KindScore(kind, COUNTED, sum(places.values()), found, found, beyond)


def still_planted(folders: Iterable[Path]) -> list[Mapping[str, Any]]:
    """What the keys of earlier deliveries say is told otherwise."""
    rows = (row for folder in folders for row in read_rows(folder / "defects.jsonl"))
    return [row for row in rows if any(f".{AGREEMENT}." in code for code in row["reason_codes"])]


def recall_and_precision(scores: Iterable[KindScore]) -> tuple[float, float] | None:
    """Return both over all kinds; None where nothing was planted."""
    scores = list(scores)
    planted, found, beyond = (
        sum(getattr(each, name) for each in scores) for name in ("planted", "found", "false_alarms")
    )
    return (found / planted, found / (found + beyond) if found else 0.0) if planted else None
