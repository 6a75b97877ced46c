"""``python -m include.privacy.text.score DECK``: recall and precision by class on notes whose identifiers are marked.

Recall is of all characters that the annotators marked, 'whole' counts marks of which no letter or digit was left. Some annotators mark
'Patient ID: AB-1234' where others mark 'AB-1234': 'in clear' counts letters and digits left that identify, which words such as 'Patient ID',
'Mrs.' or 'DDS' do not. A word is let off by these closed lists only; whatever else was left of a mark counts.
Prints no text. With ``--misses FILE`` it writes where marked identifiers were left, as ids, offsets and classes.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

from include.errors import PlumblineError
from include.privacy.text.annotated import Annotated, read_deck
from include.privacy.text.deidentify import Finder
from include.privacy.text.engines import load_engines
from include.privacy.text.lexicon import CREDENTIAL, NAMES, TITLE, load_lexicon
from include.privacy.text.measure import Measure
from include.privacy.text.policy import TextPolicy
from include.privacy.text.spans import Span
from include.privacy.text.vocabulary import FUNCTION_WORDS, words

# Groups of classes by the words that annotators use; the first that fits. What fits none is no identifier of the rule.
GROUPS = (
    ("contacts", re.compile(r"phone|fax|e-?mail|url|ip_?addr|^ip$|domain|contact|website", re.I)),
    ("other", re.compile(r"state|country|nrp|title|profession|^gpe$|organi[sz]ation|religion|nationality", re.I)),
    ("dates and ages", re.compile(r"date|^age|time|birth", re.I)),
    ("places", re.compile(r"geo|loc|street|city|zip|hospital|address|facility|county", re.I)),
    (
        "numbers",
        re.compile(
            r"ssn|social|mrn|record|account|licen|plan|device|vehicle|credit|iban|bank|passport|serial|bio|(?:^|_)id|identifier|number|plate|vin",
            re.I,
        ),
    ),
    ("names", re.compile(r"name|person|patient|doctor|provider|relative", re.I)),
)
# Words that say of what kind an identifier is, inside the marks of some annotators.
_LABEL_WORDS = words(
    "patient pt client member subscriber site study subject record medical chart account acct id ids mrn ssn no num number nr policy plan"
    " license licence phone tel fax email cell mobile"
)
_WORD = re.compile(r"[^\W_]+")
TARGETS = {"names": 0.99, "numbers": 0.99, "contacts": 0.99}


def group_of(label: str) -> str:
    """The group of a class; 'other' for what Safe Harbor does not list, such as countries."""
    return next((name for name, pattern in GROUPS if pattern.search(label)), "other")


def characters_in_clear(text: str, start: int, end: int, found: set[int]) -> int:
    """Letters and digits of a mark that were left and may identify: all but those of label words, titles, credentials, 'of' and 'the'."""
    words = [each for each in _WORD.finditer(text, start, end) if not found.issuperset(range(*each.span()))]
    return sum(place not in found for each in words if not _says_only_kind(each[0]) for place in range(*each.span()))


def _says_only_kind(word: str) -> bool:
    low = word.lower()
    if low in _LABEL_WORDS or low in FUNCTION_WORDS:
        return True
    kind = load_lexicon()[word]
    return bool(kind & (TITLE | CREDENTIAL)) and not kind & NAMES


@dataclass(slots=True)
class Score:
    """What a deck showed. ``whole`` and ``marks`` count marks found to their last letter or digit, by class, ``clear`` characters."""

    measure: Measure = field(default_factory=Measure)
    whole: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    marks: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    clear: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    notes: int = 0
    unmarked: int = 0
    words: int = 0
    replaced_words: int = 0
    characters: int = 0
    seconds: float = 0.0
    misses: list[dict] = field(default_factory=list)

    def add(self, note: Annotated, spans: list[Span]) -> None:
        """Count one note."""
        self.notes += 1
        self.characters += len(note.text)
        if note.gold is None:
            self.unmarked += 1
            self.words += len(note.text.split())
            self.replaced_words += sum(len(note.text[span.start : span.end].split()) for span in spans)
            return
        self.measure.add(len(note.text), note.gold, spans)
        found = {place for span in spans for place in range(span.start, span.end)}
        for start, end, label in note.gold:
            self.marks[label] += 1
            left = [place for place in range(start, end) if place not in found and note.text[place].isalnum()]
            self.whole[label] += not left
            self.clear[label] += characters_in_clear(note.text, start, end, found) if left else 0
            if left:
                self.misses.append({"id": note.id, "start": left[0], "end": left[-1] + 1, "class": label})

    def lines(self) -> list[str]:
        """The table."""
        rate = self.characters / 1e6 / max(self.seconds, 1e-9)
        told = [f"{self.notes:,} notes, {self.characters / 1e6:.2f} M characters, {rate:.2f} M a second"]
        if self.marks:
            told.append(f"{'class':34} {'recall':>8} {'whole':>13} {'in clear':>9}")
        for group in sorted({group_of(label) for label in self.marks}, key=[name for name, _ in GROUPS].index):
            labels = sorted(label for label in self.marks if group_of(label) == group)
            told.append(self._line(group.upper(), labels, TARGETS.get(group)))
            told += [self._line(f"  {label}", [label]) for label in labels]
        if self.marks:
            told.append(f"precision {self.measure.precision:.4f} (of the characters replaced; target 0.95)")
        if self.words:
            share = self.replaced_words / self.words
            told.append(
                f"{self.unmarked:,} notes without marks: {share:.4f} of {self.words:,} words replaced (target under 0.02)"
            )
        return told

    def _line(self, name: str, labels: list[str], target: float | None = None) -> str:
        recall = self.measure.recall(*labels)
        whole, marks = sum(self.whole[label] for label in labels), sum(self.marks[label] for label in labels)
        clear = sum(self.clear[label] for label in labels)
        said = "" if target is None else f"  recall's target {target}{'' if recall >= target else ', missed'}"
        return f"{name:34} {recall:8.4f} {whole:6,}/{marks:<6,} {clear:9,}{said}"


def score_deck(path: Path, finder: Finder) -> Score:
    """Find in every note of a deck and compare. Raises DeckError."""
    score = Score()
    for note in read_deck(path):
        started = time.process_time()
        spans = finder.find(note.text)
        score.seconds += time.process_time() - started
        score.add(note, spans)
    return score


def main(arguments: list[str] | None = None) -> int:
    """Print the table. Returns 2 if the deck cannot be read."""
    parser = argparse.ArgumentParser(prog="python -m include.privacy.text.score", description=__doc__)
    parser.add_argument("deck", type=Path, help="a file or folder of annotated notes")
    parser.add_argument("--misses", type=Path, help="file to write what was left to: id, offsets, class")
    parser.add_argument("--today", type=date.fromisoformat, help="day that ages over 89 count to (default: today)")
    given = parser.parse_args(arguments)
    try:
        today = given.today or datetime.now().astimezone().date()
        score = score_deck(given.deck, Finder(today, load_engines(TextPolicy.load().engines)))
    except PlumblineError as error:
        print(f"deidentify-score: {error}", file=sys.stderr)
        return 2
    print("\n".join(score.lines()))
    if given.misses:
        descriptor = os.open(given.misses, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as out:
            out.writelines(json.dumps(miss) + "\n" for miss in score.misses)
        print(f"{len(score.misses):,} marks not found whole: {given.misses}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
