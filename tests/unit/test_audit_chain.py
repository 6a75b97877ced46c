"""The chain's check, on chains bent by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from include.audit.chain import Entry, check_entries


def chain(length: int) -> list[Entry]:
    entries, last = [], b""
    for number in range(1, length + 1):
        entry = Entry(
            number,
            f"2026-01-01T00:00:00.{number:06d}",
            "lifecycle",
            "x.done",
            f"thing {number}",
            None,
            "success",
            "{}",
            last,
            b"",
        )
        entries.append(replace(entry, hash=entry.own_hash()))
        last = entries[-1].hash
    return entries


def rehashed(entry: Entry, **changes) -> Entry:
    bent = replace(entry, **changes)
    return replace(bent, hash=bent.own_hash())


def first_break(entries, anchors=None):
    found = check_entries(entries, anchors).first_break
    return (found.kind, found.entry_no) if found else None


def test_a_straight_chain_holds_and_names_its_newest_entry():
    entries = chain(5)
    verdict = check_entries(entries, {5: entries[4].hash.hex()})
    assert verdict.holds
    assert (verdict.entries, verdict.last_hash) == (5, entries[-1].hash.hex())
    assert check_entries([]).holds


@pytest.mark.parametrize("word", ["at", "actor", "action", "subject", "purpose", "outcome", "detail"])
def test_any_word_altered_is_found_in_its_entry(word):
    entries = chain(5)
    entries[2] = replace(entries[2], **{word: "bent"})
    assert first_break(entries) == ("altered", 3)


def test_an_entry_missing_in_the_middle_or_at_the_start_is_named():
    assert first_break(chain(5)[:2] + chain(5)[3:]) == ("missing", 3)
    assert first_break(chain(5)[1:]) == ("missing", 1)


def test_an_entry_put_in_is_found_where_the_chain_does_not_follow():
    entries = chain(5)
    twin = rehashed(entries[2], subject="forged")
    assert first_break([*entries[:3], twin, *entries[3:]]) == ("inserted", 3)
    appended = rehashed(entries[4], entry_no=6, previous_hash=b"guess")
    assert first_break([*entries, appended]) == ("inserted", 6)


def test_an_entry_rewritten_with_its_hash_breaks_the_link_after_it():
    entries = chain(5)
    entries[2] = rehashed(entries[2], subject="rewritten")
    assert first_break(entries) == ("inserted", 4)
    assert "3 was rewritten or 4 inserted" in check_entries(entries).first_break.says


def test_a_tail_cut_off_shows_against_an_anchor():
    entries = chain(5)
    anchors = {4: entries[3].hash.hex()}
    assert first_break(entries[:3]) is None
    assert first_break(entries[:3], anchors) == ("cut", 4)


def test_a_chain_rewritten_as_a_whole_shows_against_an_anchor():
    true = chain(5)
    forged, last = [], b""
    for entry in true:
        forged.append(rehashed(entry, subject="forged", previous_hash=last))
        last = forged[-1].hash
    assert first_break(forged) is None
    assert first_break(forged, {2: true[1].hash.hex()}) == ("altered", 2)
