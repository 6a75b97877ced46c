"""Bulk Data export: asked for, waited for, fetched in parallel, and gone on with after a kill.

As https://hl7.org/fhir/uv/bulkdata/export.html has it. What a later try needs (the status URL, the files with what is
fetched of them) is saved as soon as it is known; a file goes on from the byte it reached, if the server still has the same one.
The next export's ``_since`` is this one's transactionTime, once all of its files are landed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import orjson

from include.sources.fhir_files import GoneError, fetch_file, lines_of
from include.sources.fhir_http import FHIR_JSON, Answer, FhirServer, follow, retry_after
from include.sources.fhir_options import FhirOptions
from include.sources.pulling import Pulled, PullError, PullJob, told_when_full
from include.sources.resource_types import as_type

_LONGEST_POLL_SECONDS = 60.0
_MOST_PARTS = 100_000
_MOST_FAILURES = 2
_ROLES = {"output": "data", "deleted": "deleted", "error": "errors"}


def pull_export(server: FhirServer, job: PullJob) -> Pulled:
    """Go on with the export under way, or ask for one; fetch its files. One that the server lost is asked for again, once."""
    asked = _request(server.options)
    progress = dict(job.books.progress) if job.books.progress.get("asked") == asked else {}
    for _ in range(2):
        try:
            return _go_on(server, job, asked, progress)
        except GoneError:
            progress = {}
            job.books.save_progress(progress)
            for path in job.folder.iterdir():
                path.unlink()
    raise _lost()


def _lost() -> PullError:
    return PullError(
        found="an export that the server lost before it was fetched",
        expected="files that stay until they are fetched",
        action="ask the server's people how long it keeps exports; the next night asks for another",
    )


def _request(options: FhirOptions) -> str:
    """What makes two exports the same request."""
    return f"{options.url} {options.export} {','.join(options.types)}"


def _go_on(server: FhirServer, job: PullJob, asked: str, progress: dict[str, Any]) -> Pulled:
    if "status_url" not in progress:
        since = job.books.marks.get("since") if job.books.marks.get("asked") == asked else None
        progress |= {"asked": asked, "status_url": _kick_off(server, since)}
        job.books.save_progress(progress)
    if "files" not in progress:
        try:
            manifest = _wait(server, job, progress["status_url"])
        except PullError:
            job.books.save_progress(_after_failure(progress))
            raise
        if manifest is None:
            return Pulled(
                marks=job.books.marks,
                reached=False,
                progress=progress,
                notes=("the export is still being prepared; the next night goes on waiting for it",),
            )
        progress |= {"time": manifest.get("transactionTime"), "files": list(_list_files(manifest))}
        job.books.save_progress(progress)
    return _fetch(server, job, asked, progress)


def _after_failure(progress: Mapping[str, Any]) -> dict[str, Any]:
    """An export that failed on two nights is given up, so that the next night asks for another."""
    failures = progress.get("failures", 0) + 1
    return {**progress, "failures": failures} if failures < _MOST_FAILURES else {}


def _kick_off(server: FhirServer, since: str | None) -> str:
    options = server.options
    level = {"system": "", "patient": "/Patient"}.get(options.export, f"/Group/{options.export.partition('/')[2]}")
    words = {
        "_outputFormat": "application/fhir+ndjson",
        **({"_since": since} if since else {}),
        **({"_type": ",".join(options.types)} if options.types else {}),
    }
    url = f"{options.url}{level}/$export?{urlencode(words)}"
    answer = server.ask(
        "GET", url, headers={"Accept": FHIR_JSON, "Prefer": "respond-async"}, what="the request for an export"
    )
    status_url = answer.headers.get("content-location")
    if answer.status != 202 or not status_url:
        raise PullError(
            found=f"the request for an export is answered with status {answer.status}",
            expected="status 202 and a Content-Location to ask about it",
            action="see that the server supports $export at that level, and that our scope allows it",
        )
    return follow(answer.url, status_url)


def _wait(server: FhirServer, job: PullJob, status_url: str) -> dict[str, Any] | None:
    """The manifest once the export is ready, all its pages in one; None where it took too long."""
    options = server.options
    until, pause, polls = time.monotonic() + options.export_minutes * 60, options.wait_seconds, 0
    while True:
        answer = server.ask("GET", status_url, headers={"Accept": "application/json"}, what="the export's status")
        polls += 1
        job.count(polls=polls)
        if answer.status == 200:
            return _whole_manifest(server, answer)
        if answer.status in (404, 410):
            raise GoneError
        if answer.status != 202:
            raise PullError(
                found=f"the export ended with status {answer.status}",
                expected="an export that is prepared to its end",
                action="ask the server's people what stopped it; the next night asks for another",
            )
        wait = retry_after(answer)
        wait = min(pause if wait is None else max(wait, options.wait_seconds), options.longest_wait_seconds)
        if time.monotonic() + wait > until:
            return None
        time.sleep(wait)
        pause = min(pause * 2, _LONGEST_POLL_SECONDS)


def _whole_manifest(server: FhirServer, answer: Answer) -> dict[str, Any]:
    """A manifest may come in pages (link 'next'); they become one."""
    manifest, met = dict(answer.said), {answer.url}
    page, page_url = manifest, answer.url
    while url := _next_page(page, page_url):
        if url in met:
            raise PullError(
                found="pages of the export's manifest that lead in a circle",
                expected="a last page",
                action="report it to the server's people",
            )
        met.add(url)
        answer = server.ask("GET", url, headers={"Accept": "application/json"}, what="a page of the manifest")
        page, page_url = answer.said, answer.url
        for word in _ROLES:
            manifest[word] = _parts(manifest, word) + _parts(page, word)
    return manifest


def _next_page(manifest: Mapping[str, Any], page_url: str) -> str | None:
    links = manifest.get("link")
    for link in links if isinstance(links, list) else []:
        if isinstance(link, dict) and link.get("relation") == "next" and isinstance(link.get("url"), str):
            return follow(page_url, link["url"])
    return None


def _parts(manifest: Mapping[str, Any], word: str) -> list:
    found = manifest.get(word)
    return found if isinstance(found, list) else []


def _list_files(manifest: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The export's files under names of our own: a server's may be anything."""
    number = 0
    needs_token = manifest.get("requiresAccessToken") is not False
    for word, role in _ROLES.items():
        for part in _parts(manifest, word):
            if not isinstance(part, dict) or not isinstance(part.get("url"), str):
                continue
            number += 1
            if number > _MOST_PARTS:
                raise PullError(
                    found=f"an export of more than {_MOST_PARTS:,} files",
                    expected="fewer files",
                    action="ask for fewer types at once",
                )
            said = as_type(part.get("type"))
            stem = {"data": said or "output", "deleted": "deleted", "errors": "errors"}[role]
            yield {
                "url": part["url"],
                "role": role,
                "type": said,
                "name": f"{stem}.{number:05}.{'outcomes' if role == 'errors' else 'ndjson'}",
                "count": part.get("count") if isinstance(part.get("count"), int) and role == "data" else None,
                "token": needs_token,
            }


def _fetch(server: FhirServer, job: PullJob, asked: str, progress: dict[str, Any]) -> Pulled:
    files = progress["files"]
    problems: list[str] = []
    left: list[dict] = []
    with ThreadPoolExecutor(server.options.downloads) as threads:
        size, ends = 0, threads.map(lambda each: _fetch_one(server, job, each), files)
        for done, (file, ended) in enumerate(zip(files, ends, strict=True), 1):
            if isinstance(ended, int):
                size += ended
            else:
                problems.append(f"file {done} of {len(files)} of the export ({file['type'] or file['role']}): {ended}")
                left.append(file)
            job.count(files=done, of=len(files), fetched_bytes=size)
    with told_when_full("the export's manifest"):
        _write_manifest(job, progress["time"], [file for file in files if file not in left])
    problems += [note for file in files if file not in left for note in _shortfall(job, file)]
    if left:
        return Pulled(
            marks=job.books.marks,
            reached=len(left) < len(files),
            delivered_at=_moment(progress["time"]),
            notes=tuple(problems),
            progress=_after_failure({**progress, "files": left}),
        )
    return Pulled(
        marks={"asked": asked, "since": progress["time"]} if _moment(progress["time"]) else job.books.marks,
        delivered_at=_moment(progress["time"]),
        notes=tuple(problems),
        release=lambda: _release(server.options, job, progress["status_url"]),
    )


def _fetch_one(server: FhirServer, job: PullJob, file: Mapping[str, Any]) -> int | str:
    """Bytes fetched, or why it failed; the export's other files go on. Raises GoneError where the server lost it."""
    try:
        return fetch_file(server, file["url"], job.folder / file["name"], with_token=file["token"])
    except PullError as problem:
        return f"{problem.found}; {problem.action}"


def _shortfall(job: PullJob, file: Mapping[str, Any]) -> Iterator[str]:
    """A file cut at a line's end looks whole; the manifest's count tells."""
    if file["count"] is None:
        return
    lines = lines_of(job.folder / file["name"])
    if lines is not None and lines != file["count"]:
        yield f"a file of {file['type'] or 'output'} holds {lines} resources where the manifest says {file['count']}"


def _write_manifest(job: PullJob, made_at: object, files: list[dict]) -> None:
    """The manifest for the reader, with our names of the files and without the server's URLs, which may open doors."""
    words = {role: word for word, role in _ROLES.items() if role != "errors"}
    manifest: dict[str, Any] = {"transactionTime": made_at, "output": [], "deleted": []}
    for file in files:
        if file["role"] in words:
            said = {"type": file["type"], "url": file["name"]}
            manifest[words[file["role"]]].append({word: value for word, value in said.items() if value})
    (job.folder / "manifest.json").write_bytes(orjson.dumps(manifest))


def _moment(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def _release(options: FhirOptions, job: PullJob, status_url: str) -> None:
    """Tell the server that it need not keep the export."""
    with FhirServer(options, job.secret) as server:
        server.ask("DELETE", status_url, headers={"Accept": FHIR_JSON}, what="the export's release")
