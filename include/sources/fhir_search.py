"""FHIR search: every page of every type since the last time, and deletions from the history where asked for.

A type's mark is the newest meta.lastUpdated that came, but never later than the server's own clock when it was first asked: one
resource dated into the future must not hide what follows. The next search begins ``overlap_minutes`` before the mark, since a
server may show late what it dated early; what comes twice is known by its record id.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlencode

import orjson

from include.sources.deletions import is_deletion
from include.sources.fhir_http import FHIR_JSON, FhirServer, follow, server_time
from include.sources.fhir_options import FhirOptions
from include.sources.pulling import Pulled, PullError, PullJob, told_when_full
from include.sources.resource_types import as_type

_MOST_REPEATS = 3  # pages in a row with the same entries: the server goes round in circles


@dataclass(slots=True)
class _Answered:
    """What came of asking for one type."""

    resource_type: str
    asked_at: datetime | None = None
    newest: datetime | None = None
    pages: int = 0
    resources: int = 0
    deletions: int = 0
    outcomes: int = 0
    problem: str | None = None

    def meet(self, resource: dict) -> None:
        moment = read_moment(resource.get("meta"))
        if moment and (self.newest is None or moment > self.newest):
            self.newest = moment


def pull_search(server: FhirServer, job: PullJob) -> Pulled:
    """Ask for every type, several at once. A type that fails keeps what came of it and its old mark."""
    options = server.options
    asked = options.url
    marks = dict(job.books.marks.get("types", {})) if job.books.marks.get("asked") == asked else {}
    with ThreadPoolExecutor(options.downloads) as threads:
        answers = []
        for answer in threads.map(lambda each: _pull_type(server, job.folder, each, marks.get(each)), options.types):
            answers.append(answer)
            job.count(types=len(answers), of=len(options.types), resources=sum(each.resources for each in answers))
    for answer in answers:
        mark = _mark_after(answer)
        if mark:
            marks[answer.resource_type] = mark
    times = [answer.asked_at for answer in answers if answer.asked_at]
    return Pulled(
        marks={"asked": asked, "types": marks},
        reached=bool(times),
        delivered_at=min(times, default=None),
        notes=tuple(note for answer in answers for note in _notes(answer)),
        absent=tuple(answer.resource_type for answer in answers if answer.problem and times),
    )


def _mark_after(answer: _Answered) -> str | None:
    if answer.problem or answer.newest is None:
        return None
    return min(answer.newest, answer.asked_at or datetime.now(UTC)).isoformat()


def _notes(answer: _Answered) -> Iterator[str]:
    if answer.problem:
        yield f"{answer.resource_type} was not read to its end: {answer.problem}"
    if answer.outcomes:
        yield f"the server added {answer.outcomes} warnings to its pages of {answer.resource_type}"


def read_moment(meta: object) -> datetime | None:
    """meta.lastUpdated as a moment in UTC; None where it is absent or unreadable."""
    try:
        moment = datetime.fromisoformat(meta["lastUpdated"])
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (TypeError, LookupError, ValueError, OverflowError):
        return None


def _pull_type(server: FhirServer, folder: Path, resource_type: str, mark: str | None) -> _Answered:
    answer = _Answered(resource_type)
    since = _since(server.options, mark)
    try:
        with told_when_full(f"resources of type {resource_type}"), _Files(folder, resource_type) as files:
            for page in _pages(server, answer, _search_url(server.options, resource_type, since)):
                _write_page(page, answer, files)
            if server.options.deletions and since:
                for page in _pages(server, answer, _history_url(server.options, resource_type, since)):
                    _write_deletions(page, answer, files)
    except PullError as problem:
        answer.problem = f"{problem.found}; {problem.action}"
    return answer


def _since(options: FhirOptions, mark: str | None) -> str | None:
    if mark is None:
        return None
    moment = datetime.fromisoformat(mark) - timedelta(minutes=options.overlap_minutes)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _search_url(options: FhirOptions, resource_type: str, since: str | None) -> str:
    words = {"_count": options.page_size, "_sort": "_lastUpdated", **({"_lastUpdated": f"ge{since}"} if since else {})}
    return f"{options.url}/{resource_type}?{urlencode(words)}"


def _history_url(options: FhirOptions, resource_type: str, since: str) -> str:
    return f"{options.url}/{resource_type}/_history?{urlencode({'_count': options.page_size, '_since': since})}"


def _pages(server: FhirServer, answer: _Answered, url: str | None) -> Iterator[list]:
    """The entries of one page after the other. Raises PullError on links that lead in circles."""
    met: set[bytes] = set()
    before, repeats = b"", 0
    while url:
        mark = hashlib.sha256(url.encode()).digest()[:16]
        if mark in met:
            raise _circle(answer)
        met.add(mark)
        bundle, page_url = _ask_page(server, answer, url)
        entries = bundle.get("entry") if isinstance(bundle.get("entry"), list) else []
        digest = hashlib.sha256(orjson.dumps(entries)).digest() if entries else b""
        repeats = repeats + 1 if entries and digest == before else 0
        before = digest
        if repeats >= _MOST_REPEATS:
            raise _circle(answer)
        yield entries
        url = _next_link(bundle, page_url)


def _ask_page(server: FhirServer, answer: _Answered, url: str) -> tuple[Mapping[str, Any], str]:
    what = f"page {answer.pages + 1} of {answer.resource_type}"
    got = server.ask("GET", url, headers={"Accept": FHIR_JSON}, what=what)
    if got.status != 200:
        raise PullError(
            found=f"{what} is answered with status {got.status}",
            expected="a Bundle",
            action="see that the server has the type and that our scope allows to read it",
        )
    bundle = got.said
    if bundle.get("resourceType") != "Bundle":
        raise PullError(
            found=f"{what} is no Bundle", expected="a Bundle", action="see that the url is a FHIR R4 server's base"
        )
    answer.asked_at = answer.asked_at or server_time(got) or datetime.now(UTC)
    answer.pages += 1
    return bundle, got.url


def _next_link(bundle: Mapping[str, Any], page_url: str) -> str | None:
    links = bundle.get("link")
    for link in links if isinstance(links, list) else []:
        if isinstance(link, dict) and link.get("relation") == "next" and isinstance(link.get("url"), str):
            return follow(page_url, link["url"])
    return None


def _circle(answer: _Answered) -> PullError:
    return PullError(
        found=f"links to the next page that lead in a circle, after {answer.pages} pages",
        expected="a last page without a link to a next one",
        action="report it to the server's people; what came was kept, and the next night asks again",
    )


@dataclass(slots=True)
class _Files:
    """Where the resources of one type go: its own file, one for included types, one for deletions. Made when first needed."""

    folder: Path
    resource_type: str
    open_files: dict[str, BinaryIO] = field(default_factory=dict)

    def __enter__(self) -> _Files:
        return self

    def __exit__(self, *problem: object) -> None:
        try:
            with ExitStack() as closing:
                for file in self.open_files.values():
                    closing.callback(file.close)
        except OSError:  # a full disk takes half a line
            for name in self.open_files:
                _cut_after_last_line(self.folder / name)
            raise

    def write(self, name: str, value: object) -> None:
        """Add one line of JSON."""
        if name not in self.open_files:
            path = self.folder / name
            path.parent.mkdir(exist_ok=True)
            self.open_files[name] = path.open("wb")
        self.open_files[name].write(orjson.dumps(value) + b"\n")


def _cut_after_last_line(path: Path) -> None:
    with path.open("rb+") as file:
        end = file.seek(0, os.SEEK_END)
        while end:
            begin = max(0, end - (1 << 16))
            file.seek(begin)
            place = file.read(end - begin).rfind(b"\n")
            end = begin
            if place >= 0:
                end += place + 1
                break
        file.truncate(end)


def _write_page(entries: list, answer: _Answered, files: _Files) -> None:
    own, included = f"{answer.resource_type}.ndjson", f"included-{answer.resource_type}.ndjson"
    for entry in entries:
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if not isinstance(resource, dict):
            files.write(own, entry)  # the reader refuses it with its reason
            continue
        found = resource.get("resourceType")
        if found == "OperationOutcome" and found != answer.resource_type:
            answer.outcomes += 1
            continue
        is_other = found != answer.resource_type and as_type(found) is not None
        files.write(included if is_other else own, resource)
        answer.resources += 1
        if not is_other:
            answer.meet(resource)


def _write_deletions(entries: list, answer: _Answered, files: _Files) -> None:
    deleted = [entry for entry in entries if isinstance(entry, dict) and is_deletion(entry)]
    if deleted:
        kept = [{word: entry[word] for word in ("request", "response") if word in entry} for entry in deleted]
        files.write(f"deleted/{answer.resource_type}.ndjson", {"resourceType": "Bundle", "entry": kept})
        answer.deletions += len(deleted)
