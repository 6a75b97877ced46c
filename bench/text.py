"""De-identification of text: speed on one core, and recall, precision and what stays, beside figures of other tools.

    python -m bench.text

Reads the notes beside the project (../shared/data/deid_notes); without them, the sample's own notes.
"""

from __future__ import annotations

import time
from datetime import date
from pathlib import Path

from include.privacy.text.deidentify import Finder
from include.privacy.text.known import know
from include.privacy.text.measure import Measure, measure
from include.sample.block import draw_block
from include.sample.notes import note_text
from tests.gold_notes import clinical_notes, queries, sentences

INPUTS = Path(__file__).resolve().parents[2] / "shared" / "data"
# Published for 140 synthetic English notes: recall and precision in characters, million characters a second (one core).
OTHERS = (
    ("philter-lite", 0.924, 0.856, 0.023),
    ("philter-ucsf", 0.853, 0.864, None),
    ("Presidio, small spaCy model", 0.846, 0.807, 0.021),
    ("phileas-redact (patterns only)", 0.417, 0.909, 1.0),
    ("scrubadub", 0.195, 1.0, None),
)
TARGET_RATE = 1.0


def main(arguments: list[str] | None = None) -> int:
    """Print the figures. Returns 1 if a core reads less than a million characters a second."""
    finder = Finder(date(2026, 11, 25))
    rate = _rate(finder)
    print(f"one core: {rate:.2f} M characters a second (target {TARGET_RATE})")
    if INPUTS.is_dir():
        _print_measures(finder)
    print("\nothers, on other notes (140 synthetic ones): recall, precision, M characters a second")
    for name, recall, precision, speed in OTHERS:
        print(f"  {name:32} {recall:.3f}  {precision:.3f}  {speed if speed is not None else '-'}")
    return 0 if rate >= TARGET_RATE else 1


def _rate(finder: Finder) -> float:
    texts = list(clinical_notes(INPUTS)) if INPUTS.is_dir() else _own_notes()
    known = know(
        ["Ottoline Vandersteen", "Fenwick Oyelaran"], ["N00123456", "(617) 555-0142"], ["12 Elm Street"], ["1961-03-14"]
    )
    started = time.process_time()
    for text in texts:
        finder.find(text, known)
    return sum(map(len, texts)) / 1e6 / (time.process_time() - started)


def _own_notes() -> list[str]:
    block = draw_block(1, 0, 1_000, date(2026, 11, 22))
    return [note_text(block, visit) for visit in range(len(block.visits))]


def _print_measures(finder: Finder) -> None:
    for title, texts, names in (
        ("clinical queries", queries(INPUTS), "NAME"),
        ("general sentences", sentences(INPUTS), "PERSON"),
    ):
        for half, word in ((0, "tuned on"), (1, "held out")):
            found: Measure = measure(finder, texts[half::2])
            print(
                f"{title}, {word}: names {found.recall(names):.4f}, all classes {found.recall():.4f}, precision {found.precision:.4f}"
            )
    words = replaced = 0
    for text in clinical_notes(INPUTS):
        words += len(text.split())
        replaced += sum(len(text[span.start : span.end].split()) for span in finder.find(text))
    print(f"clinical notes without names: {replaced / words:.2%} of {words:,} words replaced (target below 2%)")


if __name__ == "__main__":
    raise SystemExit(main())
