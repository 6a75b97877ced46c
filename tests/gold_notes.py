"""Texts with gold identifiers that this project did not write (see ../shared/data/README.md), in two halves.

The rules were tuned on the even half; the odd one was only measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from include.privacy.text.annotated import Gold, read_deck


def queries(folder: Path) -> list[tuple[str, list[Gold]]]:
    """500 clinical queries of asq_phi, with every place where a gold value stands."""
    return [(note.text, note.gold or []) for note in read_deck(folder / "deid_notes" / "asq_phi")]


def sentences(folder: Path) -> list[tuple[str, list[Gold]]]:
    """1,500 general sentences of presidio-research, with gold spans of many classes."""
    return [(note.text, note.gold or []) for note in read_deck(folder / "deid_notes" / "presidio")]


def clinical_notes(folder: Path) -> Iterator[str]:
    """1,186 clinical notes without patients' names."""
    return (note.text for note in read_deck(folder / "deid_notes" / "clinical_notes_no_gold"))
