"""The audit trail: appending to it, and finding the first entry that somebody bent.

Entries are written by the database function ``audit.append`` alone. Checking does not trust the database: every hash is
computed here, anew, from what the entry says.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

ROWS_A_FETCH = 5_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry as stored. ``detail`` is its JSON text, ``at`` as it is hashed: UTC to the microsecond."""

    entry_no: int
    at: str
    actor: str
    action: str
    subject: str | None
    purpose: str | None
    outcome: str
    detail: str
    previous_hash: bytes
    hash: bytes

    def own_hash(self) -> bytes:
        """What the hash must be for this content, in the same text that the database hashes."""
        texts = (self.at, self.actor, self.action, self.subject, self.purpose, self.outcome)
        said = ", ".join(json.dumps(text, ensure_ascii=False) for text in texts)
        return hashlib.sha256(self.previous_hash + f"[{self.entry_no}, {said}, {self.detail}]".encode()).digest()


@dataclass(frozen=True, slots=True)
class Break:
    """The first place where the chain does not hold. ``kind`` is altered, missing, inserted, cut or unguarded."""

    kind: str
    entry_no: int
    says: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check found: how many entries hold, the newest of them, and the first break if there is one."""

    entries: int
    last_hash: str
    first_break: Break | None

    @property
    def holds(self) -> bool:
        """True where nothing was altered, removed or put in."""
        return self.first_break is None


def append(
    connection, action: str, subject: str | None, detail: Mapping[str, object], *, purpose: str | None = None,
    outcome: str = "success", actor: str | None = None,
) -> int:  # fmt: skip
    """Append an entry in the caller's transaction and return its number.

    ``detail`` holds names and counts, never a value of a patient. The entry is there if and only if the caller's act is.
    """
    return connection.execute(
        "select audit.append(%s, %s, %s, %s, %s, %s)", [action, subject, json.dumps(detail), purpose, outcome, actor]
    ).fetchone()[0]


def check_entries(entries: Iterable[Entry], anchors: Mapping[int, str] | None = None) -> Verdict:
    """Walk a chain from its first entry. Pure. ``anchors`` are hex hashes by entry number that were sealed elsewhere.

    Names the first entry altered, missing, inserted, or cut off the end. Without an anchor, a chain that a superuser
    rewrote from some entry on, hashes and all, cannot be told from a true one.
    """
    anchors = dict(anchors or {})
    last_no, last_hash = 0, b""
    for entry in entries:
        found = _break_at(entry, last_no, last_hash, anchors)
        if found:
            return Verdict(last_no, last_hash.hex(), found)
        last_no, last_hash = entry.entry_no, entry.hash
    cut = sorted(number for number in anchors if number > last_no)
    if cut:
        says = f"entries {last_no + 1} to at least {cut[-1]} were there when the trail was anchored and are gone"
        return Verdict(last_no, last_hash.hex(), Break("cut", last_no + 1, says))
    return Verdict(last_no, last_hash.hex(), None)


def _break_at(entry: Entry, last_no: int, last_hash: bytes, anchors: Mapping[int, str]) -> Break | None:
    number = entry.entry_no
    if number > last_no + 1:
        upto = f" to {number - 1}" if number > last_no + 2 else ""
        return Break("missing", last_no + 1, f"entry {last_no + 1}{upto} is missing")
    if number <= last_no:
        return Break("inserted", number, f"entry {number} was inserted after entry {last_no}")
    if entry.own_hash() != entry.hash:
        return Break("altered", number, f"entry {number} does not say what it said when it was written")
    if entry.previous_hash != last_hash:
        says = f"entry {number} was not written after entry {last_no} as it stands: {last_no} was rewritten or {number} inserted"
        return Break("inserted", number, says)
    if number in anchors and anchors[number] != entry.hash.hex():
        return Break(
            "altered", number, f"entry {number}, or one before it, was rewritten after the trail was anchored there"
        )
    return None


def verify(connection, anchors: Mapping[int, str] | None = None) -> Verdict:
    """Check the whole trail in the database. ``connection`` may read ``audit.entry``; rows are streamed, in order.

    Also reports where the triggers that refuse changes are gone or switched off, which only a superuser can do.
    """
    verdict = check_entries(read_entries(connection), anchors)
    if verdict.holds and not _is_guarded(connection):
        says = "the triggers that refuse to change or remove entries are missing or switched off"
        return Verdict(verdict.entries, verdict.last_hash, Break("unguarded", verdict.entries, says))
    return verdict


def read_entries(connection) -> Iterator[Entry]:
    """Every entry in order of its number."""
    with connection.transaction(), connection.cursor(name="audit_entries") as cursor:
        cursor.itersize = ROWS_A_FETCH
        cursor.execute(
            """select entry_no, to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), actor, action, subject, purpose,
                      outcome, detail::text, previous_hash, hash from audit.entry order by entry_no, hash"""
        )
        for row in cursor:
            yield Entry(*row[:8], bytes(row[8]), bytes(row[9]))


def _is_guarded(connection) -> bool:
    return (
        connection.execute(
            """select count(*) from pg_trigger where tgrelid = 'audit.entry'::regclass
               and tgname in ('no_change', 'no_truncate') and tgenabled in ('O', 'A')"""
        ).fetchone()[0]
        == 2
    )
