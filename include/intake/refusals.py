"""Refused records and files: kept on disk while a batch is read, written to quarantine with it. Never a value."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections import Counter
from collections.abc import Container
from datetime import date
from itertools import islice
from uuid import UUID

import psycopg

from include.landing.catalogue import LandedObject
from include.sources.items import BrokenContainerError, Reject

_IN_MEMORY = 8 << 20
_AT_ONCE = 5_000


def refuse_erased(place: int, resource_type: str | None) -> Reject:
    """The reject of a record about a person whose data key was destroyed."""
    return Reject(
        place=place,
        reason_code="erased_person",
        found="a record about a person who was erased",
        expected="records of persons who may be kept",
        action="have the privacy officer ask the source to stop sending this person, or lift the erasure with a new consent",
        content_sha256="",
        resource_type=resource_type,
    )


class Refusals:
    """What a batch refused so far, by object. A million refusals do not fill the memory."""

    def __init__(self) -> None:
        self._file = _empty_file()
        self.counts: Counter[str] = Counter()
        self._mark = 0
        self._marked: Counter[str] = Counter()

    def add(self, landed: LandedObject, word: str, reject: Reject) -> None:
        """Note a refused record; ``word`` is what its place counts."""
        self._write(landed.sha256, f"{word} {reject.place}", "record", 1, reject.resource_type, reject)

    def begin_object(self) -> None:
        """From here on ``refuse_object`` can take everything back."""
        self._file.seek(0, 2)
        self._mark, self._marked = self._file.tell(), self.counts.copy()

    def refuse_object(self, landed: LandedObject, problem: BrokenContainerError) -> int:
        """Refuse the object as a whole, in place of what was refused of it. Returns how many records that counts as: one.

        How many records stood before the break depends on how much is read at once; the file is what was received.
        """
        self._file.seek(self._mark)
        self._file.truncate()
        self.counts = self._marked.copy()
        records = 1
        reject = Reject(problem.place, problem.reason_code, problem.found, problem.expected, problem.action, "")
        self._write(landed.sha256, "file", "file", records, landed.file.resource_type, reject)
        return records

    def _write(
        self, sha256: str, place: str, scope: str, records: int, resource_type: str | None, reject: Reject
    ) -> None:
        line = [
            sha256,
            place,
            scope,
            records,
            resource_type,
            reject.reason_code,
            reject.found,
            reject.expected,
            reject.action,
        ]
        self._file.write(json.dumps(line) + "\n")
        self.counts[sha256] += records

    def forget_unasked(self, asked: Container[tuple[str, str]]) -> Counter[str]:
        """Forget refusals in places nobody asked for again; an object asked for whole keeps all. Returns records by object."""
        kept, forgotten = _empty_file(), Counter()
        self._file.seek(0)
        for line in self._file:
            sha256, place, _, records, *_ = json.loads(line)
            if (sha256, place) in asked or (sha256, "file") in asked:
                kept.write(line)
            else:
                forgotten[sha256] += records
        self._file.close()
        self._file = kept
        self.counts.subtract(forgotten)
        return forgotten

    def store(self, books: psycopg.Connection, batch_id: str, night: date, source: str, dataset: str) -> int:
        """Write everything to quarantine; returns how many records that is."""
        self._file.seek(0)
        while lines := list(islice(self._file, _AT_ONCE)):
            rows = [_row(batch_id, night, source, dataset, json.loads(line)) for line in lines]
            with books.cursor() as cursor:
                cursor.executemany(_INSERT, rows)
        self._file.close()
        return sum(self.counts.values())


def _empty_file():
    """Lives as long as the batch, in memory while it is small."""
    return tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY, mode="w+")


_INSERT = """insert into quality.quarantine
    (quarantine_id, batch_id, night, source, dataset, object_sha256, place, scope, records, resource_type,
     reason_code, found, expected, action, stage)
    values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 'load')
    on conflict (quarantine_id) do nothing"""


def quarantine_id(batch_id: str, sha256: str, place: str, reason_code: str) -> UUID:
    """The same refusal has the same id in every try."""
    return UUID(bytes=hashlib.sha256("|".join((batch_id, sha256, place, reason_code, "load")).encode()).digest()[:16])


def _row(batch_id: str, night: date, source: str, dataset: str, line: list) -> tuple:
    sha256, place, scope, records, resource_type, reason_code, found, expected, action = line
    key = quarantine_id(batch_id, sha256, place, reason_code)
    return (
        key,
        batch_id,
        night,
        source,
        dataset,
        sha256,
        place,
        scope,
        records,
        resource_type,
        reason_code,
        found,
        expected,
        action,
    )
