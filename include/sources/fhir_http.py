"""HTTP to one FHIR server: patient, bounded, and to declared places only.

Everything is tried again that may pass by itself (dropped connections, time-outs, 408, 429, 5xx), after the time the server
asks for or one that doubles. Answers are read up to a limit. A link or redirect to an undeclared origin is refused before
anything is sent, so that no server can have us ask another in its name; the access token goes to the server alone.
"""

from __future__ import annotations

import json
import math
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urljoin

import httpx
import orjson

from include.sources.fhir_options import FhirOptions, is_safe, origin_of
from include.sources.pulling import PullError
from include.sources.smart_auth import AccessTokens

MAX_ANSWER_BYTES = 256 << 20
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 5
FHIR_JSON = "application/fhir+json"


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer: its status, headers (names in lower case), the URL it came from, and the object of a 200."""

    status: int
    headers: Mapping[str, str]
    url: str
    said: Mapping[str, Any]


class PassingError(Exception):
    """Something that may pass by itself. ``wait_seconds`` is what the server asks for, or None."""

    def __init__(self, why: str, wait_seconds: float | None = None) -> None:
        super().__init__(why)
        self.why, self.wait_seconds = why, wait_seconds


class FhirServer:
    """A connection pool to one server. Use as a context manager; its methods may be called by several threads."""

    def __init__(self, options: FhirOptions, secret: Callable[[str], str]) -> None:
        self.options = options
        self._tokens = AccessTokens(options.auth, secret) if options.auth else None
        self._client = httpx.Client(
            verify=ssl.create_default_context(cafile=str(options.ca_file) if options.ca_file else None),
            timeout=httpx.Timeout(options.timeout_seconds),
            follow_redirects=False,
            trust_env=not options.url.startswith("http://"),  # plain http is to this machine: no proxy
            limits=httpx.Limits(max_connections=options.downloads + 4),
        )

    def __enter__(self) -> FhirServer:
        return self

    def __exit__(self, *problem: object) -> None:
        self._client.close()

    def ask(
        self,
        method: str,
        url: str,
        *,
        what: str,
        headers: Mapping[str, str] | None = None,
        with_token: bool = True,
        form: Callable[[], Mapping[str, str]] | None = None,
    ) -> Answer:
        """One request until it is answered for good. ``what`` names it in errors; ``form`` is made anew for every try.

        A body of status 200 that is not a JSON object was cut off or is another's page: it is asked for again.

        Raises PullError where it is not, where a link leads elsewhere, or where the answer is over the limit.
        """

        def once() -> Answer:
            with self.open(url, method=method, headers=headers, with_token=with_token, form=form) as response:
                body = _read_bounded(response, what)
                said = _parse(body) if response.status_code == 200 else {}
                return Answer(response.status_code, dict(response.headers), str(response.url), said)

        return self.persist(once, what)

    def persist(self, once: Callable[[], Any], what: str) -> Any:
        """Call ``once`` until it does not raise PassingError. Raises PullError after the last try."""
        wait, attempt = self.options.wait_seconds, 0
        while True:
            attempt += 1
            try:
                return once()
            except PassingError as problem:
                asked = wait if problem.wait_seconds is None else problem.wait_seconds
                if attempt == self.options.tries or asked > self.options.longest_wait_seconds:
                    raise PullError(
                        found=f"{what} failed {attempt} time{'s' * (attempt != 1)}, last with {problem.why}",
                        expected="an answer",
                        action="see that the server is up and not overloaded; the next night tries again",
                    ) from None
            time.sleep(asked)
            wait = min(wait * 2, self.options.longest_wait_seconds)

    @contextmanager
    def open(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        with_token: bool = True,
        form: Callable[[], Mapping[str, str]] | None = None,
    ) -> Iterator[httpx.Response]:
        """One try of a request, its body not read yet. A token that is refused is got anew once.

        Raises PassingError for what may pass, also while the body is read inside the ``with``.
        """
        try:
            response = self._send(method, url, headers or {}, with_token, form)
            try:
                if response.status_code in _PASSING:
                    raise PassingError(
                        f"status {response.status_code}", _wait_asked(response.headers.get("retry-after"))
                    )
                yield response
            finally:
                response.close()
        except httpx.TransportError as problem:
            if "CERTIFICATE_VERIFY_FAILED" in str(problem):
                raise PullError(
                    found="the server's certificate is not one we trust",
                    expected="a certificate of a known authority for the server's name",
                    action="name the authority's certificate with ca_file in sources.yml",
                ) from None
            raise PassingError(type(problem).__name__) from None
        except (httpx.InvalidURL, httpx.DecodingError) as problem:
            raise PassingError(type(problem).__name__) from None

    def _send(self, method, url, headers, with_token, form) -> httpx.Response:
        has_renewed = False
        for _ in range(_MOST_REDIRECTS + 2):
            self._refuse_elsewhere(url)
            is_own = origin_of(url) == origin_of(self.options.url)
            token = self._tokens.current(self) if self._tokens and with_token and is_own else None
            sent = {**headers, **({"Authorization": f"Bearer {token}"} if token else {})}
            request = self._client.build_request(method, url, headers=sent, data=form() if form else None)
            response = self._client.send(request, stream=True)
            if response.status_code == 401 and token and not has_renewed:
                response.close()
                self._tokens.forget(token)
                has_renewed = True
            elif response.status_code in _REDIRECTS and response.headers.get("location") and method == "GET":
                response.close()
                url = follow(url, response.headers["location"])
            else:
                return response
        raise PullError(
            found=f"more than {_MOST_REDIRECTS} redirects", expected="an answer", action="ask the server's people why"
        )

    def _refuse_elsewhere(self, url: str) -> None:
        token_url = self.options.auth.token_url if self.options.auth else None
        if url == token_url:
            return
        if not is_safe(url) or origin_of(url) not in self.options.origins:
            raise PullError(
                found="a link or redirect that leads to another place than the server",
                expected="links to the server's own scheme, host and port, or to one of other_origins",
                action="if that place is the server's own storage, declare it under other_origins in sources.yml",
            )


def follow(base: str, link: str) -> str:
    """Where a link leads. Raises PullError for one that is no address."""
    try:
        return urljoin(base, link)
    except ValueError:
        raise PullError(
            found="a link or redirect that is no address",
            expected="links as RFC 3986 writes them",
            action="report it to the server's people; the next night asks again",
        ) from None


def _read_bounded(response: httpx.Response, what: str) -> bytes:
    parts, size = [], 0
    for block in response.iter_bytes(1 << 16):
        parts.append(block)
        size += len(block)
        if size > MAX_ANSWER_BYTES:
            raise PullError(
                found=f"{what} is answered with more than {MAX_ANSWER_BYTES >> 20} MiB",
                expected="an answer that fits",
                action="ask for smaller pages with page_size in sources.yml",
            )
    return b"".join(parts)


def _parse(body: bytes) -> dict[str, Any]:
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError as problem:
        said = _parse_with_large_numbers(body) if "infinity" in problem.msg else None
    if not isinstance(said, dict):
        raise PassingError("a body that is not a JSON object (cut off, or a login page or proxy in between)")
    return said


def _parse_with_large_numbers(body: bytes) -> object:
    """A page with a number that no double can hold: it stays as written, so that its resource is refused and not the page."""
    try:
        return json.loads(body, parse_float=_as_written, parse_int=_as_written, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return None


def _as_written(number: str) -> int | float | orjson.Fragment:
    value = float(number)
    if math.isinf(value):
        return orjson.Fragment(number)
    return int(number) if number.lstrip("-").isdecimal() and abs(value) < 1e15 else orjson.Fragment(number)


def _no_constant(name: str) -> None:
    raise ValueError


def _wait_asked(said: str | None) -> float | None:
    """Seconds that a Retry-After asks for, given as seconds or as a date; None where it says nothing readable."""
    if not said:
        return None
    if said.strip().isdecimal():
        return float(said)
    try:
        return max(0.0, (parsedate_to_datetime(said) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None


def retry_after(answer: Answer) -> float | None:
    """How long an answer asks to wait, in seconds."""
    return _wait_asked(answer.headers.get("retry-after"))


def server_time(answer: Answer) -> datetime | None:
    """What the server's clock said when it answered."""
    try:
        return parsedate_to_datetime(answer.headers["date"]).astimezone(UTC)
    except (KeyError, TypeError, ValueError):
        return None
