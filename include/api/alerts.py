"""Alerts about critical results for clients of audience ``clinician``: what is open, one with its result, and answering for it.

    GET  /alerts                        open alerts; no value, no name
    GET  /alerts/{id}?by=name           one with its result; in the audit trail before it is given
    POST /alerts/{id}/acknowledge       {"by": "name", "read_back": "7.1"}
    POST /alerts/{id}/close             {"by": "name", "outcome": "treated"}

``by`` is the person for whom the client asks; the trail keeps both. A server without the keyring lists and closes, and opens none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson
import psycopg
from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response

from include.api.clients import Client
from include.api.outcomes import Refusal
from include.api.questions import asked, bad
from include.audit.chain import append
from include.critical import desk, listing
from include.critical.findings import exact_json
from include.errors import PlumblineError
from include.privacy.keyring import KeyringError
from include.privacy.keys import DataKeyError
from include.warehouse.connect import connect

AUDIENCE = "clinician"
_LONGEST_BODY, _LONGEST_WORD = 2_000, 200
_JSON = "application/json"


def add_alerts(app: FastAPI, service: Any) -> None:
    """The routes; ``service`` is the server's."""

    def enter(request: Request) -> Client:
        client = service.door.client_of(request.headers.get("authorization"))
        service.door.require(client, AUDIENCE)
        return client

    _add_questions(app, service, enter)
    _add_answers(app, service, enter)


def _add_questions(app: FastAPI, service: Any, enter: Callable[[Request], Client]) -> None:
    @app.get("/alerts")
    def open_ones(request: Request) -> Response:
        client = enter(request)
        asked(request, ())
        found = _told(lambda: _list(service, client))
        rows = [
            {
                **each._asdict(),
                "alert_id": str(each.alert_id),
                "age": round(each.age.total_seconds()),
                "tries": int(each.tries),
            }
            for each in found
        ]
        return _answer({"total": len(rows), "alerts": rows})

    @app.get("/alerts/{alert}")
    def one(request: Request, alert: str) -> Response:
        client = enter(request)
        by = asked(request, ("by",)).get("by", [""])[-1]
        opened = _told(lambda: desk.open_alert(alert, by=_name(client, by), settings=service.settings))
        return _answer({**_about(opened), "result": opened.result, "patient": opened.patient})


def _add_answers(app: FastAPI, service: Any, enter: Callable[[Request], Client]) -> None:
    @app.post("/alerts/{alert}/acknowledge")
    async def acknowledge(request: Request, alert: str) -> Response:
        client, said = enter(request), await _body(request, ("by", "read_back"))

        def answer() -> Response:
            by = _name(client, said["by"])
            opened = desk.open_alert(alert, by=by, settings=service.settings)
            desk.acknowledge(opened, said["read_back"], by=by, settings=service.settings)
            return _answer({"alert": str(opened.alert_id), "acknowledged_by": by})

        return await run_in_threadpool(_told, answer)

    @app.post("/alerts/{alert}/close")
    async def close(request: Request, alert: str) -> Response:
        client, said = enter(request), await _body(request, ("by", "outcome"))

        def answer() -> Response:
            desk.close(alert, said["outcome"], by=_name(client, said["by"]), settings=service.settings)
            return _answer({"closed": True})

        return await run_in_threadpool(_told, answer)


def _list(service: Any, client: Client) -> list[listing.OpenAlert]:
    with connect(AUDIENCE, "hot", service.settings, autocommit=True) as hot:
        found = listing.read_open(hot)
        append(hot, "alerts.listed", None, {"client": client.name, "given": len(found)})
    return found


def _about(opened: desk.Opened) -> dict[str, Any]:
    return {
        "alert": str(opened.alert_id),
        "state": opened.state,
        "rule": opened.rule,
        "side": opened.side,
        "route": opened.route,
        "received_at": opened.received_at.isoformat(),
        "acknowledged_by": opened.acknowledged_by,
        "withdrawn_because": opened.withdrawn_because,
    }


def _name(client: Client, by: str) -> str:
    """Who asks, as the trail and the alert keep it."""
    if not by.strip() or len(by) > _LONGEST_WORD or not by.isprintable():
        raise bad("nobody for whom the client asks", "by=name, the person who opens the alert")
    return f"{by.strip()} ({client.name})"


async def _body(request: Request, words: tuple[str, ...]) -> Mapping[str, str]:
    """The words of a small JSON object. Raises Refusal without quoting any of them: one is a result."""
    taken = b""
    async for some in request.stream():
        taken += some
        if len(taken) > _LONGEST_BODY:
            raise bad("a body that is too long", f"a JSON object of {', '.join(words)}")
    try:
        said = orjson.loads(taken)
    except orjson.JSONDecodeError:
        said = None
    if (
        not isinstance(said, dict)
        or set(said) != set(words)
        or not all(isinstance(each, str) for each in said.values())
    ):
        raise bad("a body that cannot be read", f"a JSON object of {', '.join(words)}, all of them text")
    return said


def _told(work: Callable[[], Any]) -> Any:
    """Do the work, with what the desk refuses as the API refuses."""
    try:
        return work()
    except desk.AlertNotFoundError as problem:
        raise _refusal(404, "not-found", problem) from None
    except desk.AlertDeskError as problem:
        raise _refusal(409, "conflict", problem) from None
    except DataKeyError as problem:
        raise _refusal(410, "deleted", problem) from None
    except psycopg.OperationalError:
        raise Refusal(
            503, "transient", found="the database does not answer", expected="the stack to run", action="ask again in a minute"
        ) from None  # fmt: skip
    except KeyringError:
        raise Refusal(
            501, "not-supported", found="a server without the keyring, which opens no result", expected="a server that has it",
            action="open it where the watcher runs: make alert ID=… BY=you",
        ) from None  # fmt: skip


def _refusal(status: int, code: str, problem: PlumblineError) -> Refusal:
    return Refusal(status, code, found=problem.found, expected=problem.expected, action=problem.action)


def _answer(told: Any) -> Response:
    return Response(exact_json(told), media_type=_JSON)
