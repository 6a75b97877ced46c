"""Evaluates decks with the night's own models: every case a person of its own, all in one scratch database, one dbt run.

Resources go through the same allow-list as a night's documents, so that what the measures see is what they see at night.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid5

import psycopg

from include.errors import PlumblineError
from include.measures.deck import POPULATIONS, Case
from include.privacy.classification import load_classification
from include.privacy.documents import DocumentSplitter
from include.privacy.tokens import Tokeniser
from include.settings import Settings
from include.terminology.load import replace_codes
from include.terminology.value_sets import ValueSet
from include.warehouse.build import DBT, PROJECT, dbt_environment
from include.warehouse.connect import OWNER, connect
from include.warehouse.dbt_variables import dbt_variables
from include.warehouse.migrate import scratch_database

_SPACE = UUID("3c7e5a8e-4d0f-4f57-9a3c-0a3f0d6a5b11")
_RECEIVED = datetime(2026, 1, 1, tzinfo=UTC)
_MODELS = ("+int_ecqm__membership", "+int_ecqm__readiness")


class EvaluationError(PlumblineError):
    """The models could not be run over the deck."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the models said: counts by case (its place in the list) and population, and value sets missing by measure."""

    counts: Mapping[int, Mapping[str, int]]
    missing: Mapping[str, str]
    stand_ins: Mapping[str, str]
    not_computable: frozenset[str]


def evaluate(cases: Sequence[Case], value_sets: Iterable[ValueSet], settings: Settings) -> Outcome:
    """Run the measure models once over all cases. Cases with a problem are left out; one found on the way is told in it."""
    with scratch_database(settings) as name:
        with connect(OWNER, name, settings) as scratch:
            replace_codes(scratch, value_sets)
            _load(scratch, cases)
        good = [case for case in cases if case.problem is None]
        if good:
            _run_models(name, good, settings)
        with connect("transformer", name, settings) as scratch:
            return _read(scratch, cases) if good else Outcome({}, {}, {}, frozenset())


def _load(scratch: psycopg.Connection, cases: Sequence[Case]) -> None:
    scratch.execute("select raw.ensure_partitions('resource', 'patient_data', %s)", [_RECEIVED.date()])
    tokeniser = Tokeniser(secrets.token_bytes(32))  # of this run: nothing is kept
    columns = (
        "record_id, source, batch_id, batch_seq, data_class, resource_type, resource_id, person_token, received_at, "
        "content_sha256, body"
    )
    with scratch.cursor() as cursor, cursor.copy(f"copy raw.resource ({columns}) from stdin") as copy:
        for index, case in enumerate(cases):
            if case.problem is None:
                rows = list(_rows(index, case, tokeniser))
                for row in rows if case.problem is None else ():
                    copy.write_row(row)
    persons = [(_person(index),) for index, case in enumerate(cases) if case.problem is None]
    with scratch.cursor() as cursor:
        cursor.executemany("insert into restricted.person (person_key, first_night) values (%s, '2026-01-01')", persons)
        cursor.executemany(
            "insert into restricted.person_link (person_token, person_key) values (%s, %s)",
            [(person, person) for (person,) in persons],
        )


def _rows(index: int, case: Case, tokeniser: Tokeniser) -> Iterator[tuple]:
    """A case is a source of its own: no id of it can be another case's, and all its records are its one person's."""
    source = f"case_{index}"
    groups, unreadable = DocumentSplitter(load_classification(), tokeniser, source).split(case.resources)
    if unreadable:
        case.problem = f"{len(unreadable)} of its resources have no type of R4 or no id"
    for group in groups:
        for token, body in zip(group.tokens, group.bodies, strict=True):
            yield (
                uuid5(_SPACE, f"{source}|{group.resource_type}|{token.decode()}"), source, source, 1, "patient_data",
                group.resource_type, token.decode(), _person(index), _RECEIVED, hashlib.sha256(body).digest(), body.decode(),
            )  # fmt: skip


def _person(index: int) -> UUID:
    return uuid5(_SPACE, f"person|{index}")


def _run_models(database: str, cases: Sequence[Case], settings: Settings) -> None:
    periods = sorted({(str(case.first_day), str(case.last_day)) for case in cases})
    night = max(case.last_day for case in cases) + timedelta(days=1)
    said = {
        **dbt_variables(night),
        "measure_periods": [list(each) for each in periods],
        "measure_readings": "all told",  # a deck is evaluated with all that it holds
    }
    folder = settings.home / "dbt" / "measures"
    environment = {
        **dbt_environment(settings),
        "PLUMBLINE_DBT_DATABASE": database,
        "DBT_TARGET_PATH": str(folder),
    }
    ended = subprocess.run(
        [*DBT, "--quiet", "--no-use-colors", "build", "--select", *_MODELS,
         "--resource-type", "model", "--resource-type", "seed", "--project-dir", str(PROJECT),
         "--profiles-dir", str(PROJECT), "--target", "nightly", "--vars", json.dumps(said)],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip
    if ended.returncode:
        raise EvaluationError(
            found=f"dbt ended with code {ended.returncode} over the deck: {_failed(folder)}",
            expected="every measure model to run",
            action="run the same models with 'make dbt ARGS=\"build -s +int_ecqm__membership\"' to see the error",
        )


def _failed(folder: Path) -> str:
    try:
        results = json.loads((folder / "run_results.json").read_text())["results"]
    except (OSError, ValueError):
        return "before it ran a model"
    names = [each["unique_id"].split(".")[-1] for each in results if each["status"] == "error"]
    return ", ".join(names[:5]) or "no model failed"


def _read(scratch: psycopg.Connection, cases: Sequence[Case]) -> Outcome:
    rows = scratch.execute(
        """select person_key, period, measure_id, exclusion_reason is not null, is_numerator
           from intermediate.int_ecqm__membership"""
    ).fetchall()
    members = {(person, period, measure): (excluded, counted) for person, period, measure, excluded, counted in rows}
    counts = {}
    for index, case in enumerate(cases):
        if case.problem is None:
            found = members.get((_person(index), case.period, case.measure))
            is_in, excluded, counted = found is not None, bool(found and found[0]), bool(found and found[1])
            counts[index] = dict(zip(POPULATIONS, map(int, (is_in, is_in, excluded, False, counted)), strict=True))
    said = scratch.execute(
        """select measure_id, missing_value_sets, stand_in_value_sets, missing_indispensable
           from intermediate.int_ecqm__readiness"""
    ).fetchall()
    return Outcome(
        counts=counts,
        missing={measure: missing for measure, missing, _, _ in said if missing},
        stand_ins={measure: standing for measure, _, standing, _ in said if standing},
        not_computable=frozenset(measure for measure, _, _, lacking in said if lacking),
    )
