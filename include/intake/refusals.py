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
        self._file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY, mode="w+")  # noqa: SIM115 - lives as long as the batch
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

    def forget_unasked(self, sha256: str, asked: Container[tuple[str, str]]) -> int:
        """Forget refusals of an object in places nobody asked for again (none if all of it was). Returns how many records."""
        if (sha256, "file") in asked:
            return 0
        self._file.seek(0)
        lines = [(line, json.loads(line)) for line in self._file]
        gone = [said for _, said in lines if said[0] == sha256 and (said[0], said[1]) not in asked]
        self._file.seek(0)
        self._file.truncate()
        self._file.writelines(line for line, said in lines if said[0] != sha256 or (said[0], said[1]) in asked)
        records = sum(said[3] for said in gone)
        self.counts[sha256] -= records
        return records

    def store(self, books: psycopg.Connection, batch_id: str, night: date, source: str, dataset: str) -> int:
        """Write everything to quarantine; returns how many records that is."""
        self._file.seek(0)
        while lines := list(islice(self._file, _AT_ONCE)):
            rows = [_row(batch_id, night, source, dataset, json.loads(line)) for line in lines]
            with books.cursor() as cursor:
                cursor.executemany(_INSERT, rows)
        self._file.close()
        return sum(self.counts.values())


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
