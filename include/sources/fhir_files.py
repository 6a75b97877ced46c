"""Fetching one large file over HTTP: streamed to disk, gone on with from the byte it reached, never taken for whole before it is."""

from __future__ import annotations

import os
import re
import shutil
import time
from contextlib import suppress
from pathlib import Path

import orjson

from include.sources.byte_stream import read_blocks
from include.sources.fhir_http import FhirServer, PassingError
from include.sources.items import BrokenContainerError
from include.sources.pulling import PullError, no_room, told_when_full

_BLOCK_BYTES = 1 << 18
_RESERVE_BYTES = 256 << 20  # left free, because the databases may be on the same disk
_LOOK_EVERY_BYTES = 16 << 20
_RANGE = re.compile(r"bytes (\d+)-\d*/(\d+|\*)")


class GoneError(Exception):
    """The server no longer has it."""


def fetch_file(server: FhirServer, url: str, target: Path, *, with_token: bool) -> int:
    """Fetch ``url`` into ``target`` and return its bytes; a target that is there is whole.

    What was fetched before a break stays beside it and is gone on with, if the server says it is the same file. Gives up
    after as many failures in a row without progress as ``tries`` says, at once where the disk is (nearly) full, and without
    keeping any of it where it is larger than ``max_file_mb``. Raises PullError, GoneError.
    """
    if target.exists():
        return target.stat().st_size
    part = _Part(target, server.options.max_file_mb << 20)
    options, failures, furthest, wait = server.options, 0, part.size(), server.options.wait_seconds
    while True:
        try:
            with told_when_full("a file of the export"):
                part.fetch(server, url, with_token)
                return part.finish()
        except PassingError as problem:
            has_grown = part.size() > furthest
            furthest = max(furthest, part.size())
            failures = 0 if has_grown else failures + 1
            wait = options.wait_seconds if has_grown else wait * 2
            asked = wait if problem.wait_seconds is None else problem.wait_seconds
            if failures >= options.tries or asked > options.longest_wait_seconds:
                raise PullError(
                    found=f"a file that failed {failures} times in a row, last with {problem.why}",
                    expected="the whole file",
                    action="see that the server is up; the next night goes on from where it stopped",
                ) from None
            time.sleep(min(asked, options.longest_wait_seconds))


def lines_of(path: Path) -> int | None:
    """How many lines that are not empty an NDJSON file has, packed or not; None where it cannot be unpacked."""
    lines, ends_in_line = 0, True
    try:
        with path.open("rb") as stream:
            for block in read_blocks(stream, is_named_gzip=False):
                lines += block.count(b"\n")
                ends_in_line = block.endswith(b"\n")
    except BrokenContainerError:
        return None
    return lines + (not ends_in_line)


class _Part:
    """What is there of a file: its bytes so far, and what the server said of it (validator, length, encoding)."""

    def __init__(self, target: Path, most_bytes: int) -> None:
        self.target, self.most_bytes = target, most_bytes
        self.bytes_path = target.with_name(target.name + ".part")
        self.said_path = target.with_name(target.name + ".said.part")

    def size(self) -> int:
        return self.bytes_path.stat().st_size if self.bytes_path.exists() else 0

    def fetch(self, server: FhirServer, url: str, with_token: bool) -> None:
        """One try, from where the last one stopped. Raises PassingError, GoneError or PullError."""
        said, offset = self._said(), self.size()
        if offset and said is None:
            offset = 0
        headers = {"Accept": "application/fhir+ndjson", "Accept-Encoding": "identity"}
        if offset:
            headers["Range"] = f"bytes={offset}-"
            if said["validator"]:
                headers["If-Range"] = said["validator"]
        with server.open(url, headers=headers, with_token=with_token) as response:
            if response.status_code in (404, 410):
                raise GoneError
            if response.status_code == 416:
                self._drop()
                raise PassingError("a range that the server does not have")
            if response.status_code not in (200, 206):
                raise PullError(
                    found=f"a file that is answered with status {response.status_code}",
                    expected="the file",
                    action="see that our scope allows to read what the export holds",
                )
            is_rest = response.status_code == 206 and self._is_rest(response, said, offset)
            if response.status_code == 206 and not is_rest:
                self._drop()
                raise PassingError("another part of the file than was asked for")
            if not is_rest:
                said = self._keep(response)
            self._write(response, offset if is_rest else 0, said["length"])
        if said["length"] is not None and self.size() != said["length"]:
            if self.size() > said["length"]:
                self._drop()
            raise PassingError("another number of bytes than the server announced")

    def _write(self, response, size: int, announced: int | None) -> None:
        """The body, behind the ``size`` bytes that are there. Raises PullError where it is too large for its limit or the disk."""
        self._refuse_over(size if announced is None else announced)
        self._refuse_full(0 if announced is None else announced - size)
        looked_at = size
        with self.bytes_path.open("ab" if size else "wb", buffering=_BLOCK_BYTES) as file:
            for block in response.iter_raw():  # as it comes: blocks of a fixed size would be lost with the connection
                file.write(block)
                size += len(block)
                self._refuse_over(size)
                if size - looked_at >= _LOOK_EVERY_BYTES:
                    looked_at = size
                    self._refuse_full(0)

    def _refuse_over(self, size: int) -> None:
        if size > self.most_bytes:
            self._drop()
            raise PullError(
                found=f"a file of more than {self.most_bytes >> 20:,} MiB",
                expected="files up to max_file_mb",
                action="ask for fewer types at once, or allow more with max_file_mb in sources.yml",
            )

    def _refuse_full(self, needed: int) -> None:
        if shutil.disk_usage(self.target.parent).free < needed + _RESERVE_BYTES:
            raise no_room("a file of the export")

    def finish(self) -> int:
        """Make it durable under its own name."""
        size = self.size()
        with self.bytes_path.open("rb+") as file:
            os.fsync(file.fileno())
        self.bytes_path.rename(self.target)
        self.said_path.unlink(missing_ok=True)
        return size

    def _is_rest(self, response, said: dict | None, offset: int) -> bool:
        found = _RANGE.fullmatch(response.headers.get("content-range", ""))
        if not found or said is None or int(found[1]) != offset:
            return False
        is_same_length = "*" in (found[2],) or said["length"] is None or int(found[2]) == said["length"]
        return is_same_length and response.headers.get("content-encoding") == said["encoding"]

    def _keep(self, response) -> dict:
        """Write down what a whole answer says of the file, before its first byte."""
        tag = response.headers.get("etag", "")
        length = response.headers.get("content-length", "")
        said = {
            "validator": tag if tag and not tag.startswith("W/") else response.headers.get("last-modified"),
            "length": int(length) if length.isdigit() else None,
            "encoding": response.headers.get("content-encoding"),
        }
        self.bytes_path.unlink(missing_ok=True)
        self.said_path.write_bytes(orjson.dumps(said))
        return said

    def _said(self) -> dict | None:
        with suppress(OSError, orjson.JSONDecodeError):
            return orjson.loads(self.said_path.read_bytes())
        return None

    def _drop(self) -> None:
        self.bytes_path.unlink(missing_ok=True)
        self.said_path.unlink(missing_ok=True)
