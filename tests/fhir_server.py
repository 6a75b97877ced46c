"""A small FHIR server over real sockets that misbehaves on purpose, for tests of kind fhir_api."""

from __future__ import annotations

import json
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from urllib.parse import parse_qs, parse_qsl, urlsplit


@dataclass
class Fault:
    """What happens instead of a good answer to the first ``times`` requests whose path holds ``where``.

    ``kind``: status (``value``: code, with ``headers``), drop (after ``value`` bytes of the body), stall (``value`` seconds before
    the rest of the body), short (a Content-Length that is ``value`` bytes too small), unannounced (no Content-Length), elsewhere (a redirect to ``value``).
    """

    where: str
    kind: str
    value: object = 0
    times: int = 1
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class MisbehavingServer:
    """Resources by type, what was asked, and what is to go wrong. ``url`` is its base."""

    resources: dict[str, list[dict]] = field(default_factory=dict)
    deleted: dict[str, list[tuple[str, str]]] = field(default_factory=dict)  # type -> (id, when)
    faults: list[Fault] = field(default_factory=list)
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    check_client: Callable[[str], bool] | None = None  # of the client assertion; None: no tokens needed
    token_seconds: int = 300
    tokens: list[str] = field(default_factory=list)
    page_size: int = 2
    polls_needed: int = 1
    has_ranges: bool = True
    repeats_page: bool = False
    circle: bool = False
    ignores_since: bool = False
    next_origin: str = ""
    export_errors: list[dict] = field(default_factory=list)
    wrong_count: int = 0
    swaps: dict[bytes, bytes] = field(
        default_factory=dict
    )  # what of an answer goes out otherwise, as no JSON writer would
    jobs: dict[str, dict] = field(default_factory=dict)
    released: list[str] = field(default_factory=list)
    url: str = ""
    lock: Lock = field(default_factory=Lock)

    def paths(self, part: str = "") -> list[str]:
        """Paths asked for, in order, that hold ``part``."""
        return [path for _, path, _ in self.asked if part in path]

    def take_fault(self, path: str) -> Fault | None:
        """The next thing to go wrong with this request."""
        with self.lock:
            for fault in self.faults:
                if fault.where in path and fault.times > 0:
                    fault.times -= 1
                    return fault
        return None


@contextmanager
def serve(server: MisbehavingServer, tls: tuple[Path, Path] | None = None) -> Iterator[MisbehavingServer]:
    """Run it on a free port of this machine; with TLS where a certificate and its key are given."""
    http = _Quiet(("127.0.0.1", 0), type("Handler", (_Handler,), {"it": server}))
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        http.socket = context.wrap_socket(http.socket, server_side=True)
    server.url = f"{'https' if tls else 'http'}://127.0.0.1:{http.server_address[1]}/r4"
    thread = Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address) -> None:
        """Clients that hang up are part of the test."""


class _Handler(BaseHTTPRequestHandler):
    it: MisbehavingServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *words) -> None:
        pass

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def do_DELETE(self) -> None:
        self._handle()

    def _handle(self) -> None:
        it, path = self.it, self.path
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with it.lock:
            it.asked.append((self.command, path, dict(self.headers)))
        self.fault = it.take_fault(path)
        if self.fault and self.fault.kind == "status":
            self._answer(self.fault.value, b"{}", self.fault.headers)
        elif self.fault and self.fault.kind == "elsewhere":
            self._answer(302, b"", {"Location": self.fault.value})
        elif "/token" in path:
            self._token(dict(parse_qsl(body.decode())))
        elif ".well-known" in path:
            self._json({"token_endpoint": it.url + "/token"})
        elif it.check_client and self.headers.get("Authorization", "").removeprefix("Bearer ") not in it.tokens:
            self._answer(401, b"{}")
        elif "$export" in path:
            self._kick_off()
        elif "/status/" in path:
            self._status()
        elif "/files/" in path:
            self._file()
        elif "/_history" in path:
            self._history()
        else:
            self._search()

    # -- answers

    def _json(self, value: dict, status: int = 200) -> None:
        body = json.dumps(value).encode()
        for usual, other in self.it.swaps.items():
            body = body.replace(usual, other)
        self._answer(status, body, {"Content-Type": "application/fhir+json"})

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        fault = self.fault
        length = len(body) - (fault.value if fault and fault.kind == "short" else 0)
        self.send_response(status)
        told = {} if fault and fault.kind == "unannounced" else {"Content-Length": str(length)}
        for name, value in {**told, **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if fault and fault.kind == "drop":
            self.wfile.write(body[: fault.value])
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        if fault and fault.kind == "stall":
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            time.sleep(fault.value)
            self.close_connection = True
            return
        self.wfile.write(body[:length])
        if fault and fault.kind in ("short", "unannounced"):
            self.close_connection = True

    # -- what a FHIR server does

    def _token(self, form: dict[str, str]) -> None:
        it = self.it
        if not it.check_client or not it.check_client(form.get("client_assertion", "")):
            self._json({"error": "invalid_client"}, 400)
            return
        with it.lock:
            it.tokens[:] = [f"token-{len(it.paths('/token'))}"]
        self._json({"access_token": it.tokens[0], "token_type": "bearer", "expires_in": it.token_seconds})

    def _since(self, words: dict[str, list[str]], name: str) -> datetime | None:
        text = words.get(name, [None])[0]
        return datetime.fromisoformat(text.removeprefix("ge")) if text and not self.it.ignores_since else None

    def _search(self) -> None:
        it, parts = self.it, urlsplit(self.path)
        words = parse_qs(parts.query)
        resource_type = parts.path.rsplit("/", 1)[-1]
        since = self._since(words, "_lastUpdated")
        chosen = [r for r in it.resources.get(resource_type, []) if _is_after(r, since)]
        at = int(words.get("at", ["0"])[0])
        page = chosen[at : at + it.page_size]
        entries = [{"fullUrl": f"{it.url}/{r.get('resourceType')}/{r.get('id')}", "resource": r, "search": {"mode": "match"}}
                   for r in page]  # fmt: skip
        bundle = {"resourceType": "Bundle", "type": "searchset", "entry": entries, "link": []}
        if at + it.page_size < len(chosen) or it.circle:
            next_at = at if it.repeats_page and "seen" not in words else at + it.page_size
            seen = "&seen=1" if it.repeats_page and next_at == at else ""
            query = "" if since is None else f"&_lastUpdated={words['_lastUpdated'][0]}"
            link = f"/r4/{resource_type}?at={0 if it.circle else next_at}{seen}{query}"
            if it.circle:
                link += f"&n={len(it.asked)}" if it.circle == "ever new" else ""
            bundle["link"].append({"relation": "next", "url": it.next_origin + link})
        self._json(bundle)

    def _history(self) -> None:
        it = self.it
        resource_type = urlsplit(self.path).path.split("/")[-2]
        entries = [{"request": {"method": "DELETE", "url": f"{resource_type}/{name}"}, "response": {"lastModified": when}}
                   for name, when in it.deleted.get(resource_type, [])]  # fmt: skip
        entries += [
            {"resource": r, "request": {"method": "PUT", "url": "x"}} for r in it.resources.get(resource_type, [])
        ]
        self._json({"resourceType": "Bundle", "type": "history", "entry": entries})

    def _kick_off(self) -> None:
        it, parts = self.it, urlsplit(self.path)
        words = parse_qs(parts.query)
        since = self._since(words, "_since")
        types = words["_type"][0].split(",") if "_type" in words else list(it.resources)
        name = f"job{len(it.jobs) + 1}"
        files = {}
        for each in types:
            chosen = [r for r in it.resources.get(each, []) if _is_after(r, since)]
            if chosen:
                files[f"{len(files)}"] = ("output", each, _ndjson(chosen), len(chosen))
        gone = [(kind, one) for kind in types for one, _ in it.deleted.get(kind, [])] if since else []
        if gone:
            bundle = {"resourceType": "Bundle", "type": "transaction",
                      "entry": [{"request": {"method": "DELETE", "url": f"{kind}/{one}"}} for kind, one in gone]}  # fmt: skip
            files[f"{len(files)}"] = ("deleted", "Bundle", _ndjson([bundle]), 1)
        if it.export_errors:
            files[f"{len(files)}"] = ("error", "OperationOutcome", _ndjson(it.export_errors), len(it.export_errors))
        it.jobs[name] = {"files": files, "polls": 0, "time": it.resources.get("time", "2026-11-22T01:00:00Z")}
        self._answer(202, b"", {"Content-Location": f"{it.url}/status/{name}"})

    def _status(self) -> None:
        it, name = self.it, self.path.rsplit("/", 1)[-1]
        if self.command == "DELETE":
            it.released.append(name)
            self._answer(202, b"")
            return
        job = it.jobs.get(name)
        if job is None:
            self._answer(404, b"{}")
            return
        job["polls"] += 1
        if job["polls"] <= it.polls_needed:
            self._answer(202, b"", {"Retry-After": "0", "X-Progress": "half"})
            return
        manifest = {"transactionTime": job["time"], "request": "x", "requiresAccessToken": bool(it.check_client),
                    "output": [], "deleted": [], "error": []}  # fmt: skip
        for number, (word, kind, _, count) in job["files"].items():
            entry = {"type": kind, "url": f"{it.url}/files/{name}/{number}", "count": count + it.wrong_count}
            manifest[word].append(entry)
        self._json(manifest)

    def _file(self) -> None:
        it = self.it
        _, name, number = self.path.rsplit("/", 2)
        if name not in it.jobs:
            self._answer(404, b"{}")
            return
        content = it.jobs[name]["files"][number][2]
        headers = {"Content-Type": "application/fhir+ndjson", "ETag": f'"{name}-{number}"'}
        asked = self.headers.get("Range")
        if asked and it.has_ranges and self.headers.get("If-Range", headers["ETag"]) == headers["ETag"]:
            begin = int(asked.removeprefix("bytes=").rstrip("-"))
            headers["Content-Range"] = f"bytes {begin}-{len(content) - 1}/{len(content)}"
            self._answer(206, content[begin:], headers)
        else:
            self._answer(200, content, headers)


def _is_after(resource: dict, since: datetime | None) -> bool:
    told = resource.get("meta", {}).get("lastUpdated") if isinstance(resource, dict) else None
    return since is None or told is None or datetime.fromisoformat(told) >= since


def _ndjson(values: list[dict]) -> bytes:
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)
