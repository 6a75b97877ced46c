"""The words of a fhir_api source in sources.yml, read strictly."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from include.sources.declared import Complaints
from include.sources.resource_types import RESOURCE_TYPES

WORDS = {
    "url", "export", "types", "deletions", "page_size", "overlap_minutes", "auth", "ca_file", "other_origins",
    "timeout_seconds", "tries", "wait_seconds", "longest_wait_seconds", "export_minutes", "downloads",
    "max_file_mb",
}  # fmt: skip
_AUTH_WORDS = {"client_id", "key_secret", "algorithm", "kid", "scope", "token_url"}
ALGORITHMS = ("RS384", "ES384")  # those that SMART Backend Services asks servers to support
_GROUP = re.compile(r"group/[A-Za-z0-9.\-]{1,64}")
_SECRET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,99}")
# Word -> (least, most, default). Seconds and minutes may have fractions, the others not.
_NUMBERS = {
    "timeout_seconds": (0.01, 3600, 60.0),
    "wait_seconds": (0.001, 3600, 1.0),
    "longest_wait_seconds": (0.001, 86_400, 300.0),
    "export_minutes": (0.001, 10_080, 240.0),
    "overlap_minutes": (0, 525_600, 60.0),
    "tries": (1, 100, 6),
    "page_size": (1, 10_000, 500),
    "downloads": (1, 16, 4),
    "max_file_mb": (1, 10_000_000, 65_536),
}
_WHOLE = {"tries", "page_size", "downloads", "max_file_mb"}


@dataclass(frozen=True, slots=True)
class Auth:
    """SMART Backend Services: who we are, and the secret file with the private key. ``token_url`` None: ask the server."""

    client_id: str
    key_secret: str
    algorithm: str = "RS384"
    kid: str | None = None
    scope: str = "system/*.read"
    token_url: str | None = None


@dataclass(frozen=True, slots=True)
class FhirOptions:
    """How a server is asked. ``export`` is 'system', 'patient', 'group/<id>', or None for search.

    Times are in the unit their name ends in; ``page_size`` counts resources, ``downloads`` files at once, ``max_file_mb`` MiB.
    """

    url: str
    export: str | None
    types: tuple[str, ...]
    deletions: bool
    auth: Auth | None
    ca_file: Path | None
    other_origins: frozenset[str]
    timeout_seconds: float
    wait_seconds: float
    longest_wait_seconds: float
    export_minutes: float
    overlap_minutes: float
    tries: int
    page_size: int
    downloads: int
    max_file_mb: int

    @property
    def origins(self) -> frozenset[str]:
        """Whom links may lead to: the server itself and what sources.yml declares."""
        return self.other_origins | {origin_of(self.url)}


def origin_of(url: str) -> str:
    """Scheme, host and port of a URL, the port always written; '' where it has none of them."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.hostname}:{port}" if parts.hostname and port else ""


def is_safe(url: object) -> bool:
    """True for https, and for http to this machine itself; without user, password or fragment."""
    if not isinstance(url, str) or not origin_of(url):
        return False
    parts = urlsplit(url)
    return not (parts.username or parts.password or parts.fragment) and (
        parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname or ""))
    )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def read_options(entry: dict, where: str, folder: Path, complaints: Complaints) -> FhirOptions:
    """The entry's own words; what is wrong goes to ``complaints``."""
    url = entry.get("url")
    if not is_safe(url) or "?" in str(url):
        complaints.add(
            f"{where}: 'url' is not the server's base, such as https://fhir.example.org/r4 (http: only to this machine)"
        )
    export = entry.get("export")
    if export is not None and export not in ("system", "patient") and not _GROUP.fullmatch(str(export)):
        complaints.add(f"{where}: 'export' is none of system, patient, group/<id>")
    deletions = entry.get("deletions", False)
    if not isinstance(deletions, bool) or (deletions and export):
        complaints.add(
            f"{where}: 'deletions' is true or false, and for search only: an export tells deletions by itself"
        )
    return FhirOptions(
        url=str(url).rstrip("/"),
        export=export,
        types=_read_types(entry.get("types", []), export, where, complaints),
        deletions=deletions is True,
        auth=_read_auth(entry["auth"], where, complaints) if "auth" in entry else None,
        ca_file=_read_ca(entry.get("ca_file"), where, folder, complaints),
        other_origins=_read_origins(entry.get("other_origins", []), where, complaints),
        **{word: read_number(entry, word, where, complaints) for word in _NUMBERS},
    )  # fmt: skip


def read_number(entry: dict, word: str, where: str, complaints: Complaints) -> Any:
    """A number within its limits, or its default."""
    least, most, usual = _NUMBERS[word]
    value = entry.get(word, usual)
    kinds = (int,) if word in _WHOLE else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not least <= value <= most:
        complaints.add(
            f"{where}: '{word}' is not a {'whole ' if word in _WHOLE else ''}number from {least} to {most:,}"
        )
        return usual
    return value


def is_secret_name(value: object) -> bool:
    """True for what can name a file in PLUMBLINE_SECRETS_DIR, and no path out of it."""
    return isinstance(value, str) and bool(_SECRET_NAME.fullmatch(value))


def _read_types(declared: Any, export: object, where: str, complaints: Complaints) -> tuple[str, ...]:
    types = declared if isinstance(declared, list) else [declared]
    for unknown in [each for each in types if each not in RESOURCE_TYPES]:
        complaints.add(f"{where}: types: '{unknown}' is no resource type of FHIR R4")
    if not types and export is None:
        complaints.add(f"{where}: 'types' is missing; a search asks for each type by itself (or say 'export')")
    return tuple(dict.fromkeys(map(str, types)))


def _read_auth(declared: Any, where: str, complaints: Complaints) -> Auth | None:
    where = f"{where}: auth"
    if not isinstance(declared, dict):
        complaints.add(f"{where} is not a mapping")
        return None
    complaints.refuse_unknown(where, declared, _AUTH_WORDS)
    if not isinstance(declared.get("client_id"), str) or not declared["client_id"]:
        complaints.add(f"{where}: 'client_id' is missing")
    if not is_secret_name(declared.get("key_secret")):
        complaints.add(f"{where}: 'key_secret' does not name a file in PLUMBLINE_SECRETS_DIR with the private key")
    complaints.choice(f"{where}: algorithm", declared.get("algorithm", "RS384"), ALGORITHMS)
    if declared.get("token_url") is not None and not is_safe(declared["token_url"]):
        complaints.add(f"{where}: 'token_url' is not an https URL")
    texts = {word: str(value) for word, value in declared.items() if word in _AUTH_WORDS and value is not None}
    return Auth(**{"client_id": "", "key_secret": "", **texts})


def _read_ca(declared: Any, where: str, folder: Path, complaints: Complaints) -> Path | None:
    if declared is None:
        return None
    path = folder / str(declared)
    if not path.is_file():
        complaints.add(f"{where}: 'ca_file' is no file")
    return path


def _read_origins(declared: Any, where: str, complaints: Complaints) -> frozenset[str]:
    listed = declared if isinstance(declared, list) else [declared]
    for each in listed:
        if not is_safe(each) or urlsplit(str(each)).path.strip("/"):
            complaints.add(f"{where}: other_origins: each is scheme and host, such as https://storage.example.org")
    return frozenset(origin_of(str(each)) for each in listed)
