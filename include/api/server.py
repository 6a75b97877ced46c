"""The HTTP side: routes, conditional answers, refusals. What is asked is read in questions.py, what is told in the other modules."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from include.api import capability, documents, fhir, questions, tables
from include.api.access import Door
from include.api.alerts import add_alerts
from include.api.clients import OF_THE_MARTS, Client
from include.api.outcomes import FHIR_JSON, Refusal, answer_of
from include.api.questions import Asked
from include.api.reading import night_of, published, version_of
from include.audit.chain import append
from include.errors import lines_of_ours
from include.settings import Settings
from include.warehouse.connect import connect

log = logging.getLogger("plumbline.api")
JSON, CSV = "application/json", "text/csv"
TABLE_FORMATS = (*questions.FORMATS, "csv", CSV)
RESULTS, DISPARITIES, DOCUMENTS = "measures.results_by_group", "equity.disparities", "clinical.documents"
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'",
}


_FAULT = Refusal(
    500, "exception", found="a fault of the server", expected="an answer",
    action="tell the data team; the server's log names the place",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Service:
    """What every route needs. ``base`` is the address that clients use, without a slash at its end."""

    settings: Settings
    door: Door
    base: str

    def client_of(self, request: Request) -> Client:
        """Who asks for what is published. Raises Refusal."""
        client = self.door.client_of(request.headers.get("authorization"))
        self.door.require(client, *OF_THE_MARTS)
        return client

    def answer(self, request: Request, relation: str, kind: str, make: Callable[[Any, str], Any]) -> Response:
        """What ``make`` tells of one published snapshot, or 304 where the client has this version of ``relation`` already."""
        with published(self.client_of(request).role, self.settings) as warm:
            night, tag = version_of(warm, relation)
            headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
            if tag in [each.strip() for each in request.headers.get("if-none-match", "").split(",")]:
                return Response(None, 304, headers)
            told = make(warm, night)
        return Response(told if isinstance(told, str) else dump(told), 200, headers, kind)

    def write_down(self, client: Client, detail: dict[str, Any]) -> None:
        """Put a read of rows about people into the trail before they are given. Words searched for may name somebody: not told."""
        with connect("api", "hot", self.settings, autocommit=True) as hot:
            append(hot, "api.read", DOCUMENTS, {"client": client.name, **detail})

    def page(self, request: Request, said: Asked, found: Sequence[Any], total: int) -> dict[str, Any]:
        """A searchset of one page of resources."""
        return fhir.bundle(
            found, total, questions.links(request, said, *questions.page(said), total, self.base), self.base
        )


def create_app(settings: Settings, clients: Path, base: str) -> FastAPI:
    """The application. Raises ClientsError where the file of clients cannot be used."""
    service = Service(settings, Door(clients, settings), base)

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        yield
        service.door.close()

    app = FastAPI(title="Plumbline", docs_url=None, redoc_url=None, openapi_url=None, lifespan=life)
    _answer_problems(app)
    _add_open(app, service)
    _add_measures(app, service)
    _add_reports(app, service)
    _add_documents(app, service)
    for name, table in tables.TABLES.items():
        _add_table(app, service, name, table)
    _add_findings(app, service)
    add_alerts(app, service)
    return app


def _add_open(app: FastAPI, service: Service) -> None:
    """What anybody may know: that the server is up, of which night it tells, and what it can do."""

    @app.get("/health")
    def health() -> Response:
        with published("api", service.settings) as warm:
            night = night_of(warm, RESULTS)
        return Response(dump({"status": "up", "published": night}), media_type=JSON)

    @app.get("/fhir/metadata")
    def metadata(request: Request) -> Response:
        questions.asked(request, ("mode",))
        with published("api", service.settings) as warm:
            night, _ = version_of(warm, RESULTS)
        return Response(dump(capability.statement(service.base, night)), media_type=FHIR_JSON)


def _add_measures(app: FastAPI, service: Service) -> None:
    @app.get("/fhir/Measure")
    def search(request: Request) -> Response:
        said = questions.asked(request, fhir.MEASURE_SEARCH)
        offset, size = questions.page(said)

        def make(warm: Any, _: str) -> Any:
            found = fhir.find_measures(warm, said, service.base)
            return service.page(request, said, found[offset : offset + size], len(found))

        return service.answer(request, RESULTS, FHIR_JSON, make)

    @app.get("/fhir/Measure/{resource_id}")
    def read(request: Request, resource_id: str) -> Response:
        questions.asked(request, ())
        return service.answer(
            request, RESULTS, FHIR_JSON, lambda warm, _: fhir.read_measure(warm, resource_id, service.base)
        )

    @app.get("/fhir/Measure/{resource_id}/$evaluate-measure")
    def evaluate(request: Request, resource_id: str) -> Response:
        said = questions.asked(request, fhir.EVALUATE)
        return service.answer(
            request, RESULTS, FHIR_JSON, lambda warm, night: fhir.evaluate(warm, resource_id, said, service.base, night)
        )


def _add_reports(app: FastAPI, service: Service) -> None:
    @app.get("/fhir/MeasureReport")
    def search(request: Request) -> Response:
        said = questions.asked(request, fhir.REPORT_SEARCH)
        offset, size = questions.page(said)

        def make(warm: Any, night: str) -> Any:
            keys = fhir.find_reports(warm, said)
            found = fhir.make_reports(warm, keys[offset : offset + size], said, service.base, night)
            return service.page(request, said, found, len(keys))

        return service.answer(request, RESULTS, FHIR_JSON, make)

    @app.get("/fhir/MeasureReport/{resource_id}")
    def read(request: Request, resource_id: str) -> Response:
        said = questions.asked(request, ("stratifier",))
        return service.answer(
            request,
            RESULTS,
            FHIR_JSON,
            lambda warm, night: fhir.read_report(warm, resource_id, said, service.base, night),
        )


def _add_documents(app: FastAPI, service: Service) -> None:
    def enter(request: Request) -> Client:
        client = service.client_of(request)
        service.door.require(client, "analyst")
        return client

    @app.get("/fhir/DocumentReference")
    def search(request: Request) -> Response:
        client, said = enter(request), questions.asked(request, documents.SEARCH)
        with published(client.role, service.settings) as warm:
            found, total = documents.find_documents(warm, said, *questions.page(said))
        service.write_down(client, {"by": sorted(said), "found": total, "given": len(found)})
        return Response(dump(service.page(request, said, found, total)), media_type=FHIR_JSON)

    @app.get("/fhir/DocumentReference/{resource_id}")
    def read(request: Request, resource_id: str) -> Response:
        client = enter(request)
        questions.asked(request, ())
        with published(client.role, service.settings) as warm:
            found = documents.read_document(warm, resource_id)
        service.write_down(client, {"document": found["id"], "given": 1})
        return Response(dump(found), media_type=FHIR_JSON)


def _add_table(app: FastAPI, service: Service, name: str, table: tables.Table) -> None:
    @app.get(f"/{name}", name=name)
    def rows(request: Request) -> Response:
        said = questions.asked(request, table.filters, TABLE_FORMATS)
        return _table(
            service, request, said, table.relation, lambda warm, *page: tables.read_table(warm, table, said, *page)
        )


def _add_findings(app: FastAPI, service: Service) -> None:
    @app.get("/equity/findings")
    def findings(request: Request) -> Response:
        said = questions.asked(request, tables.FINDING_FILTERS, TABLE_FORMATS)
        return _table(service, request, said, DISPARITIES, lambda warm, *page: tables.read_findings(warm, said, *page))


def _table(
    service: Service,
    request: Request,
    said: Asked,
    relation: str,
    read: Callable[..., tuple[list[dict[str, Any]], int]],
) -> Response:
    offset, size = questions.page(said)
    is_csv = said["_format"][-1] in ("csv", CSV) if "_format" in said else CSV in request.headers.get("accept", "")

    def make(warm: Any, night: str) -> Any:
        rows, total = read(warm, offset, size)
        if is_csv:
            return tables.as_csv(rows)
        links = questions.links(request, said, offset, size, total, service.base)
        return {
            "night": night,
            "total": total,
            "links": {each["relation"]: each["url"] for each in links},
            "rows": rows,
        }

    return service.answer(request, relation, f"{CSV}; charset=utf-8" if is_csv else JSON, make)


def _answer_problems(app: FastAPI) -> None:
    """Whatever happens, an answer says what to do and nothing of the data: an exception's text may quote a value."""

    @app.exception_handler(Refusal)
    def refused(_: Request, problem: Refusal) -> Response:
        return answer_of(problem)

    @app.exception_handler(HTTPException)
    def not_served(request: Request, problem: HTTPException) -> Response:
        known = (
            "GET (POST to answer for an alert)"
            if problem.status_code == 405
            else "an address that /fhir/metadata lists"
        )
        refusal = Refusal(
            problem.status_code, "not-supported", found=f"nothing that is served ({problem.status_code})", expected=known,
            action="read /fhir/metadata; tables are at /population-health/… and /equity/…",
        )  # fmt: skip
        return answer_of(refusal)

    @app.middleware("http")
    async def add_headers(request: Request, go_on: Callable[[Request], Any]) -> Response:
        try:
            response = await go_on(request)
        except Exception as problem:
            # Left to the framework, its text would go to the log, and a database's text quotes what it stumbled over.
            log.error("a request failed: %s in %s", type(problem).__name__, lines_of_ours(problem))
            response = answer_of(_FAULT)
        for name, value in {**_HEADERS, "Cache-Control": "no-store"}.items():
            response.headers.setdefault(name, value)
        return response


def dump(told: Any) -> bytes:
    """JSON as it goes out; days and numbers of the database as FHIR writes them."""
    return orjson.dumps(told, default=str)
