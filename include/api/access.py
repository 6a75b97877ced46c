"""Deciding who asks: a bearer key against the file of clients, read anew when it changes, so that taking a client out works at once."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path

from include.api.clients import Client, ClientsError, digest_of, load_clients
from include.api.outcomes import Refusal
from include.audit.chain import append
from include.errors import PlumblineError
from include.settings import Settings
from include.warehouse.connect import connect

log = logging.getLogger("plumbline.api")
TELL_EVERY = 60  # seconds; who guesses keys must not be able to flood the trail


class Door:
    """Lets known clients in and counts whom it does not."""

    def __init__(self, file: Path, settings: Settings) -> None:
        self._file, self._settings = file, settings
        self._clients: dict[str, Client] = {}
        self._read_at: tuple[int, int] | None = None
        self._lock = threading.Lock()
        self._refused: Counter[str] = Counter()
        self._told_at = -float(TELL_EVERY)
        self._read()

    def client_of(self, authorization: str | None, today: date | None = None) -> Client:
        """The client whose key a request carries. Raises Refusal with 401."""
        scheme, _, key = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            raise self._refuse("no key", "no key")
        client = self._known().get(digest_of(key.strip()))
        if client is None:
            raise self._refuse("unknown key", "a key that no client has")
        if client.expires < (today or datetime.now(UTC).date()):
            raise self._refuse("expired key", f"the key of {client.name}, which was good until {client.expires}")
        return client

    def require(self, client: Client, *audiences: str) -> None:
        """Refuse with 403 what other audiences may see."""
        if client.audience not in audiences:
            said = " or ".join(audiences)
            self._count(f"not {said}")
            raise Refusal(
                403, "forbidden", found=f"{client.name} reads as {client.audience}", expected=f"a client of audience {said}",
                action="ask the privacy officer to change the client's audience in the file of clients",
            )  # fmt: skip

    def close(self) -> None:
        """Write down refusals that were only counted so far."""
        self._tell()

    def _refuse(self, reason: str, found: str) -> Refusal:
        self._count(reason)
        return Refusal(
            401, "login", found=found, expected="'Authorization: Bearer <key>' of a client",
            action="make a key with 'make api-key' and have its hash put into the file of clients",
        )  # fmt: skip

    def _count(self, reason: str) -> None:
        with self._lock:
            self._refused[reason] += 1
            is_due = time.monotonic() - self._told_at >= TELL_EVERY
        if is_due:
            self._tell()

    def _tell(self) -> None:
        with self._lock:
            refused, self._refused = dict(self._refused), Counter()
            self._told_at = time.monotonic()
        if not refused:
            return
        try:
            with connect("api", "hot", self._settings, autocommit=True) as hot:
                append(hot, "api.refused", None, refused, outcome="failure")
        except Exception as problem:  # the refusal stands whether or not it could be written down
            log.error(
                "%s refused requests could not be put into the trail (%s)",
                sum(refused.values()),
                type(problem).__name__,
            )
            with self._lock:
                self._refused.update(refused)

    def _known(self) -> dict[str, Client]:
        try:
            if self._stamp() != self._read_at:
                self._read()
        except (OSError, PlumblineError) as problem:
            # A file that cannot be read lets nobody in: the clients of before may be those just taken out.
            log.error(
                "nobody is let in: %s", problem if isinstance(problem, PlumblineError) else type(problem).__name__
            )
            return {}
        return self._clients

    def _stamp(self) -> tuple[int, int]:
        found = self._file.stat()
        return found.st_mtime_ns, found.st_size

    def _read(self) -> None:
        try:
            stamp = self._stamp()
        except OSError as problem:
            raise ClientsError(
                found=f"no client may ask: {self._file} cannot be read ({problem.strerror})",
                expected="a file of the API's clients",
                action='make the first client\'s key: make api-key NAME="equity dashboard"',
            ) from None
        self._clients, self._read_at = load_clients(self._file), stamp
