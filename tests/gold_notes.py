"""Texts with gold identifiers that this project did not write (see ../shared/data/README.md), in two halves.

The rules were tuned on the even half; the odd one was only measured.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

Gold = tuple[int, int, str]


def queries(folder: Path) -> list[tuple[str, list[Gold]]]:
    """500 clinical queries of asq_phi, with every place where a gold value stands."""
    text = (folder / "deid_notes" / "asq_phi" / "queries_001_500.txt").read_text()
    return [_query(part) for part in text.split("===QUERY===")[1:]]


def _query(part: str) -> tuple[str, list[Gold]]:
    text, _, tags = part.partition("===PHI_TAGS===")
    text = text.strip("\n")
    told = [json.loads(line) for line in tags.splitlines() if line.strip()]
    return text, [
        (found.start(), found.end(), each["identifier_type"])
        for each in told
        for found in re.finditer(re.escape(each["value"]), text)
    ]


def sentences(folder: Path) -> list[tuple[str, list[Gold]]]:
    """1,500 general sentences of presidio-research, with gold spans of many classes."""
    rows = json.loads((folder / "deid_notes" / "presidio" / "synth_dataset_v2.json").read_text())
    return [
        (
            row["full_text"],
            [(span["start_position"], span["end_position"], span["entity_type"]) for span in row["spans"]],
        )
        for row in rows
    ]


def clinical_notes(folder: Path) -> Iterator[str]:
    """1,186 clinical notes without patients' names."""
    for path in sorted((folder / "deid_notes" / "clinical_notes_no_gold").iterdir()):
        yield path.read_text(errors="replace")
