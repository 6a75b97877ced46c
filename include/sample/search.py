"""Searching everything that a night leaves for every planted identifier: databases, files, Airflow's own tables."""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from include.sample.artefacts import iterate_night
from include.sample.exposure import IdentifierIndex, search_texts
from include.sample.score import read_rows
from include.settings import Settings


def index_of(key_folders: Iterable[Path]) -> IdentifierIndex:
    """Index every identifier that these keys say was planted."""
    rows: Iterable[Mapping[str, Any]] = (
        row for folder in key_folders for row in read_rows(folder / "identifiers.jsonl")
    )
    return IdentifierIndex.of(rows)


def search_night(index: IdentifierIndex, settings: Settings) -> Counter[tuple[str, str]]:
    """Return how often each kind of identifier stands in each place; empty where none is left in clear."""
    return search_texts(iterate_night(settings), index)
