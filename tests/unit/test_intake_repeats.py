"""What comes twice in a batch is told of, also where rows came in several pieces."""

from __future__ import annotations

from include.intake import repeats
from include.intake.repeats import Repeats


def test_records_and_resources_are_told_apart() -> None:
    met = Repeats()
    met.add([b"r1", b"r2"], [b"a", b"b"])
    assert (met.of_records, met.of_resources) == (False, False)
    met.add([b"r3"], [b"a"])
    assert (met.of_records, met.of_resources) == (False, True), "another version of the same resource"
    met.add([b"r1"], [b"a"])
    assert (met.of_records, met.of_resources) == (True, True)


def test_what_is_too_large_to_note_may_repeat(monkeypatch) -> None:
    monkeypatch.setattr(repeats, "_MOST", 3)
    met = Repeats()
    for number in range(5):
        met.add([b"%d" % number], [b"%d" % number])
    assert met.of_records and met.of_resources
    assert len(met._records) == 4, "nothing more is kept than is needed to know"
