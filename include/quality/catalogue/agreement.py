"""Accuracy as agreement: what other sources say of the same person, counted once the records of a person are joined.

dbt has compared them (intermediate.int_sources__agreement: counts, no person); here the counts become results of each
source, beside terminology and arithmetic the third thing that accuracy is measured against. A trait that no other source
tells is not applicable, and a source that shares nobody with another has no accuracy of this kind.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import psycopg

from include.lifecycle.policy import load_retention
from include.quality.catalogue.check_types import FOLDER, Instance, is_share, read_check_types, refuse
from include.quality.catalogue.results import RESOLVED, Problem, Result, error_of, result
from include.quality.suites import read_yaml

FILE = FOLDER / "agreement.yml"
CHECK = "agreesWithOtherSources"
_WORDS = {"of", "threshold", "why"}


@lru_cache(maxsize=2)
def read_traits(file: Path = FILE) -> Mapping[str, Instance]:
    """Trait -> its check. Raises SuiteError with everything that is wrong."""
    problems: list[str] = []
    said = read_yaml(file, problems)
    problems += [] if said.get("owner") else [f"{file.name} does not say its owner"]
    traits = said.get("traits") or {}
    problems += [problem for trait, words in traits.items() for problem in _problems(trait, words)]
    refuse(problems, file.name)
    return {trait: _instance(trait, words) for trait, words in traits.items()}


def _problems(trait: str, words: Any) -> Iterator[str]:
    if not isinstance(words, dict) or set(words) != _WORDS:
        yield f"{trait} needs exactly {', '.join(sorted(_WORDS))}"
    elif not is_share(words["threshold"]):
        yield f"{trait}: threshold is a share from 0 to 1"


def _instance(trait: str, words: Mapping[str, Any]) -> Instance:
    subject = words["of"]
    name = f"{subject}.{CHECK}.{trait}"
    return Instance(name, read_check_types()[CHECK], subject, trait, float(words["threshold"]))


def count(hot: psycopg.Connection) -> Mapping[str, list[Result]]:
    """Results by source, of every trait, from what the last build compared. ``hot``: as the transformer, whose tables they are."""
    rows = hot.execute("select source, trait, tested, failed from intermediate.int_sources__agreement").fetchall()
    counts = {(source, trait): (tested, failed) for source, trait, tested, failed in rows}
    return {
        source: [_result(instance, *counts.get((source, trait), (0, 0))) for trait, instance in read_traits().items()]
        for source in sorted({source for source, _ in counts})
    }


def in_error(problem: psycopg.Error) -> list[Result]:
    """Every trait as an error: it could not be compared."""
    return [_result(instance, None, None, error_of(problem)) for instance in read_traits().values()]


def _result(instance: Instance, tested: int | None, failed: int | None, error: Problem | None = None) -> Result:
    data_class = load_retention().class_of(instance.subject)
    return replace(result(instance, tested, failed, error=error, data_class=data_class), stage=RESOLVED)
