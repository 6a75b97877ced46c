"""Tiering out and back, in MB/s, beside a plain COPY … TO piped into pyarrow on the same rows; latency of one record from cold.

    python -m bench.tiering [records]

Brings up a stack of its own and removes it again.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import dataclass
from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq
from psycopg import sql

from bench.stack import own_stack
from include.lifecycle import tier_out
from include.lifecycle.plan import plan_moves
from include.lifecycle.policy import load_retention
from include.lifecycle.rehydrate import rehydrate
from include.lifecycle.retrieve import retrieve_with
from include.lifecycle.units import read_state
from include.lifecycle.work import Work, open_work
from include.settings import Settings
from include.warehouse.connect import OWNER, connect
from tests.months import at_midnight, open_batch, person

RECEIVED = date(2020, 1, 15)
NIGHT = load_retention().rule("lab_results").leaves_hot_on(RECEIVED.replace(day=1))
ASKED = {"purpose": "bench", "actor": "bench"}


@dataclass(frozen=True)
class Timed:
    """Seconds of each part and the size of the rows, as Postgres sends them."""

    megabytes: float
    plain_copy: float
    tier_out: float
    rehydrate: float
    from_cold: float


def main(records: int = 100_000) -> None:
    """Measure in a stack of its own and print one line a part."""
    with own_stack() as settings:
        print(_told(measure(settings, records), records))


def measure(settings: Settings, records: int) -> Timed:
    """Fill a month with synthetic Observations and time each way out and back."""
    os.environ["PLUMBLINE_HOME"] = str(settings.home)
    fill(settings, records)
    with open_work(NIGHT, settings) as work:
        state = read_state(work.hot, work.retention, NIGHT)
        (move,) = (m for m in plan_moves(state.units, work.retention, state.holds, today=NIGHT) if m.happens)
        megabytes, plain = _plain_copy(work, move)
        started = time.perf_counter()
        tier_out.tier_out(work, move)
        out = time.perf_counter() - started
        started = time.perf_counter()
        rehydrate(work, raw_table="resource", received_month=RECEIVED.replace(day=1), until=NIGHT, **ASKED)
        back = time.perf_counter() - started
        return Timed(megabytes, plain, out, back, _latency(work))


def _plain_copy(work: Work, move) -> tuple[float, float]:
    """The same rows, unsealed: COPY … TO in the same order, into Parquet with pyarrow. Neither checked nor catalogued."""
    from include.lifecycle.units import rows_of

    query = sql.SQL(
        """copy (select record_id::text, row_to_json(t)::text from (select * {} order by record_id) t) to stdout (format binary)"""
    ).format(rows_of(move.unit))
    schema = pa.schema([("record_id", pa.string()), ("row", pa.string())])
    size, started = 0, time.perf_counter()
    with (
        pq.ParquetWriter(work.folder / "plain.parquet", schema, compression="zstd") as out,
        work.hot.cursor() as cursor,
    ):
        chunk: list[tuple] = []
        with cursor.copy(query) as copy:
            for row in copy.rows():
                chunk.append(row)
                size += len(row[1])
                if len(chunk) == 8_192:
                    out.write_table(_as_table(chunk, schema))
                    chunk = []
        if chunk:
            out.write_table(_as_table(chunk, schema))
    return size / 1e6, time.perf_counter() - started


def _as_table(chunk: list[tuple], schema) -> pa.Table:
    ids, rows = zip(*chunk, strict=True)
    return pa.table([pa.array(ids, pa.string()), pa.array(rows, pa.string())], schema=schema)


def _latency(work: Work, times: int = 20) -> float:
    ids = [
        row[0]
        for row in work.hot.execute("select record_id from lifecycle.record order by record_id limit %s", [times])
    ]
    started = time.perf_counter()
    for record_id in ids:
        list(retrieve_with(work, [record_id], **ASKED))
    return (time.perf_counter() - started) / len(ids)


def fill(settings: Settings, records: int) -> None:
    """A month of Observations of 1.5 kB each, of 500 persons, over four event years."""
    with connect("loader", settings=settings) as hot:
        seq = open_batch(
            hot, "bench__observation__20200115__000000000000", "bench", "Observation", "documents", RECEIVED, records
        )
        hot.execute("select raw.ensure_partitions('resource', 'lab_results', %s)", [RECEIVED])
    body = {
        "resourceType": "Observation",
        "status": "final",
        "category": [{"coding": [{"system": "http://terminology.hl7.org/x"}]}],
    }
    with connect(OWNER, settings=settings) as hot:
        hot.execute(
            "create temporary table people as select n, token from unnest(%s::int[], %s::uuid[]) p(n, token)", _people()
        )
        hot.execute(
            """insert into raw.resource (record_id, source, batch_id, batch_seq, data_class, resource_type, resource_id, person_token,
                   event_at, received_at, content_sha256, match_tokens, body)
               select gen_random_uuid(), 'bench', 'bench__observation__20200115__000000000000', %s, 'lab_results', 'Observation',
                      gen_random_uuid()::text, token, timestamptz '2016-02-01' + make_interval(days => i %% 1400), %s,
                      sha256(int4send(i)), null,
                      %s::jsonb || jsonb_build_object('id', gen_random_uuid(), 'value', i, 'text', (select string_agg(md5(i::text || j::text), ' ') from generate_series(1, 25) j))
               from generate_series(1, %s) i join people on n = i %% 500""",
            [seq, at_midnight(RECEIVED), json.dumps(body), records],
        )
        hot.execute(
            """insert into lifecycle.record (record_id, source, dataset, data_class, person_token, event_year, received_month, batch_seq)
               select record_id, source, resource_type, data_class, person_token, extract(year from event_at), %s, batch_seq
               from raw.resource""",
            [RECEIVED.replace(day=1)],
        )
    with connect("postgres", settings=settings, autocommit=True) as server:
        server.execute("vacuum analyze raw.resource, lifecycle.record")


def _people() -> list[list]:
    return [list(range(500)), [person(number) for number in range(500)]]


def _told(timed: Timed, records: int) -> str:
    def line(name: str, seconds: float) -> str:
        ratio = timed.plain_copy / seconds
        return f"{name:<46} {seconds:6.2f} s  {timed.megabytes / seconds:7.1f} MB/s  {ratio:5.2f} of plain"

    return "\n".join(
        [
            f"tiering {records} records, {timed.megabytes:.0f} MB as JSON",
            line("COPY … TO into pyarrow, unsealed, unchecked", timed.plain_copy),
            line("out: seal, upload, read back, catalogue, drop", timed.tier_out),
            line("back: fetch, check, unseal, insert", timed.rehydrate),
            f"{'one record from cold, with its audit entries':<46} {timed.from_cold * 1000:6.1f} ms",
        ]
    )


if __name__ == "__main__":
    main(*(int(number) for number in sys.argv[1:]))
