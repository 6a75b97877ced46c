"""Kind fhir_api: a FHIR R4 server, asked each night for what is new, by search or by Bulk Data export.

  - name: north
    kind: fhir_api
    url: https://fhir.example.org/r4      # the server's base; https, or http to this machine
    types: [Patient, Encounter]           # search: needed; export: default all
    export: group/123                     # system, patient or group/<id>; without it: search
    deletions: true                       # search only: deletions from each type's _history
    auth:                                 # SMART Backend Services; without it: none
      client_id: plumbline
      key_secret: north_fhir_key          # file in PLUMBLINE_SECRETS_DIR: private key, PEM or JWK
      algorithm: RS384                    # or ES384
      kid: key-1
      scope: system/*.read
      token_url: https://login.example.org/token    # default: as .well-known/smart-configuration says
    ca_file: hospital-ca.pem              # relative to this file; default: the system's authorities
    other_origins: [https://files.example.org]      # where links may lead besides the server
    page_size: 500                        # resources a page
    overlap_minutes: 60                   # a search begins so long before the newest that came
    timeout_seconds: 60                   # without a byte
    tries: 6                              # with waits from wait_seconds (1) doubling to longest_wait_seconds (300)
    export_minutes: 240                   # to wait for an export; the next night goes on
    downloads: 4                          # files, or types of a search, at once
    max_file_mb: 65536                    # a file of an export larger than this is not taken

What comes is landed as NDJSON, one file a type, and read as kind fhir_bulk reads it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from include.sources import fhir_bulk
from include.sources.fhir_options import WORDS as WORDS
from include.sources.fhir_options import read_options as read_options
from include.sources.items import Item
from include.sources.listing import Landed, Listing, OpenStream, SourceFile, number
from include.sources.pulling import Pulled, PullError, PullJob

if TYPE_CHECKING:
    from include.sources.registry import Source

HAS_CONTRACT = False
READS_LINES = True
_ERRORS = "errors.*.outcomes"
_MOST_ERROR_LINES = 1_000_000
# http://hl7.org/fhir/R4/valueset-issue-type.html: what may be told of an error without telling its text
_ISSUES = frozenset(
    """
    invalid structure required value invariant security login unknown expired forbidden suppressed processing not-supported
    duplicate multiple-matches not-found deleted too-long code-invalid extension too-costly business-rule conflict transient
    lock-error no-store exception timeout incomplete throttled informational
    """.split()  # noqa: SIM905 (codes read better in lines)
)

place_word = fhir_bulk.place_word


def pull(source: Source, job: PullJob) -> Pulled:
    """Fetch what is new into the job's folder. What fails is told in ``Pulled.notes``; a broken setup raises SettingsError."""
    from include.sources.fhir_export import pull_export
    from include.sources.fhir_http import FhirServer
    from include.sources.fhir_search import pull_search

    try:
        with FhirServer(source.options, job.secret) as server:
            return pull_export(server, job) if source.options.export else pull_search(server, job)
    except PullError as problem:
        return Pulled(
            marks=job.books.marks,
            reached=False,
            notes=(f"{problem.found}; {problem.action}",),
            progress=job.books.progress,
        )


def list_files(source: Source) -> Listing:
    """What a pull left in its folder: as an export's, and its files of errors, landed as evidence and told by their codes."""
    listing = fhir_bulk.list_files(source)
    errors = sorted(source.path.glob(_ERRORS)) if source.path.is_dir() else []
    parts = len(list(source.path.glob("*.part"))) if source.path.is_dir() else 0  # of what the next night goes on with
    files = [*listing.files, *(SourceFile(path, "errors", None, "OperationOutcome") for path in errors)]
    told = _tell_errors(errors)
    return replace(
        listing, files=number(files), ignored=listing.ignored - len(errors) - parts, notes=(*listing.notes, *told)
    )


def read(source: Source, open_stream: OpenStream, file: Landed) -> Iterator[Item]:
    """As fhir_bulk reads NDJSON."""
    return fhir_bulk.read(source, open_stream, file)


def _tell_errors(paths: list[Path]) -> Iterator[str]:
    found: Counter[str] = Counter()
    for path in paths:
        with path.open("rb") as stream:
            for _, line in zip(range(_MOST_ERROR_LINES), stream, strict=False):
                found.update(_issues_of(line))
    if found:
        yield "the export reported problems: " + ", ".join(f"{count} {code}" for code, count in sorted(found.items()))


def _issues_of(line: bytes) -> list[str]:
    try:
        outcome = orjson.loads(line)
    except orjson.JSONDecodeError:
        return ["unreadable"] if line.strip() else []
    issues = outcome.get("issue") if isinstance(outcome, dict) else None
    codes = [issue.get("code") if isinstance(issue, dict) else None for issue in issues or []] or [None]
    return [code if isinstance(code, str) and code in _ISSUES else "unknown" for code in codes]
