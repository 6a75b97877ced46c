"""How well the planted notes were read: what was replaced is found back from the text that the night made, and compared with the key."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from include.privacy.text.measure import Measure
from include.privacy.text.spans import CLASSES, Span

_TAG = re.compile(rf"\[({'|'.join(sorted(CLASSES, key=len, reverse=True))})(?: (?:\d{{4}}|90\+))?\]")
# Which class of the rules a planted identifier should get; what else it gets is found all the same.
LABELS = {
    "NAME": ("patient name", "relative's name", "clinician's name"),
    "PHONE": ("telephone",),
    "MRN": ("record number",),
    "SSN": ("social security number",),
    "EMAIL": ("mail address",),
    "LOCATION": ("address",),
    "DATE": ("date",),
    "AGE": ("age over 89",),
}


@dataclass
class NoteScore:
    """Characters and whole identifiers of each planted class that went, and of each class of the rules how much was planted."""

    measure: Measure = field(default_factory=Measure)
    planted: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    whole: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    replaced: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    rightly: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    notes: int = 0
    missing: int = 0

    def add(self, text: str, gold: Iterable[tuple[int, int, str]], spans: list[Span]) -> None:
        """Count one note."""
        gold = [tuple(each) for each in gold]
        self.notes += 1
        self.measure.add(len(text), gold, spans)
        gone, meant = _marks(len(text), spans), _marks(len(text), gold)
        for start, end, kind in gold:
            self.planted[kind] += 1
            self.whole[kind] += all(gone[start:end])
        for span in spans:
            self.replaced[span.label] += span.end - span.start
            self.rightly[span.label] += sum(meant[span.start : span.end])

    def rows(self) -> list[tuple[str, int, int, float, float | None]]:
        """Per planted class: how many, how many of them whole, recall, and precision of the rules' class for it (both in
        characters)."""
        label_of = {kind: label for label, kinds in LABELS.items() for kind in kinds}
        return [
            (kind, count, self.whole[kind], self.measure.recall(kind), self._precision(label_of.get(kind, "")))
            for kind, count in sorted(self.planted.items())
        ]

    def _precision(self, label: str) -> float | None:
        return self.rightly[label] / self.replaced[label] if self.replaced.get(label) else None


def _marks(length: int, spans: Iterable[tuple]) -> bytearray:
    marks = bytearray(length)
    for start, end, *_ in spans:
        marks[start:end] = b"\1" * (end - start)
    return marks


def score_notes(planted: Iterable[Mapping[str, Any]], made: Mapping[str, str]) -> NoteScore:
    """Compare notes of the key with the texts made of them, by document. A note without a text counts as missing."""
    score = NoteScore()
    for row in planted:
        spans = find_replaced(row["text"], made[row["document"]]) if row["document"] in made else None
        if spans is None:
            score.missing += 1
        else:
            score.add(row["text"], row["spans"], spans)
    return score


def find_replaced(text: str, made: str) -> list[Span] | None:
    """The spans of `text` that `made` has tags for; None where `made` cannot have come of it. Blanks at the end do not count."""
    text = text.rstrip()
    pieces = _TAG.split(made.rstrip())
    literals, labels = pieces[::2], pieces[1::2]
    if not text.startswith(literals[0]):
        return None
    place, spans = len(literals[0]), []
    for label, literal, is_last in zip(labels, literals[1:], [*([False] * (len(labels) - 1)), True], strict=False):
        start = place
        place = (len(text) - len(literal)) if is_last else text.find(literal, start + 1)
        if place < start or not text.startswith(literal, place):
            return None
        spans.append(Span(start, place, label))
        place += len(literal)
    return spans
