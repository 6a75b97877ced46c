"""One published night, read as one role: everything an answer holds is of the same moment, and a query may not run for ever."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.rows import namedtuple_row

from include.api.outcomes import Refusal
from include.settings import Settings
from include.warehouse.connect import connect

LONGEST = "20s"


@contextmanager
def published(role: str, settings: Settings) -> Iterator[psycopg.Connection]:
    """Warm in one snapshot, read-only. Raises Refusal with 503 where nothing is published or the database does not answer."""
    try:
        with connect(role, "warm", settings) as warm:
            warm.row_factory = namedtuple_row
            warm.execute("set transaction isolation level repeatable read, read only")
            warm.execute("select set_config('statement_timeout', %s, true)", [LONGEST])
            yield warm
    except psycopg.errors.UndefinedTable:
        raise Refusal(
            503, "transient", found="nothing is published yet", expected="a night that was published", action="ask again after the next night"
        ) from None  # fmt: skip
    except psycopg.errors.QueryCanceled:
        raise Refusal(
            503, "timeout", found=f"a query that takes over {LONGEST}", expected="a narrower question",
            action="name a measure, a period or a dimension",
        ) from None  # fmt: skip
    except psycopg.OperationalError:
        raise Refusal(
            503, "transient", found="the database does not answer", expected="the stack to run", action="ask again in a minute"
        ) from None  # fmt: skip


def version_of(warm: psycopg.Connection, relation: str) -> tuple[str, str]:
    """Night and ETag of a published table: they change when its rows do."""
    row = _version(warm, relation)
    if row is None:
        raise psycopg.errors.UndefinedTable
    return row.night.isoformat(), f'W/"{relation}-{row.version}"'


def night_of(warm: psycopg.Connection, relation: str) -> str | None:
    """The night in which a published table last changed; None before the first."""
    row = _version(warm, relation)
    return row.night.isoformat() if row else None


def _version(warm: psycopg.Connection, relation: str) -> Any:
    return warm.execute(
        "select night, version from governance.published_version where relation = %s", [relation]
    ).fetchone()
