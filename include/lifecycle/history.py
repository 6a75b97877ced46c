"""Questions over the whole history: rows of hot, cold and archive together, without loading anything into Postgres.

Rows are opened in batches, cut down to what is asked for, and handed to DuckDB in memory; nothing is ever written to a disk. What
it costs is told first: bytes that the store must hand out, by tier, and the dollars of keeping them apart from that. Rows of erased
persons do not open and are counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from psycopg import sql

from include.audit.refusals import refusals_told
from include.lifecycle import ledger, store
from include.lifecycle.cold_files import read_rows
from include.lifecycle.retrieve import RetrieveError
from include.lifecycle.row_seal import RowSeal
from include.lifecycle.work import Work

ROWS_A_BATCH = 4_096
MEMORY = "700MB"
DEFAULT_SELECT = "record_id, source, data_class, person_token, event_at"
# What a read costs at the store, in US dollars a gigabyte: AWS list prices of us-east-1, Standard-IA and Glacier Flexible (standard).
_READ_PRICES = {"hot": 0.0, "cold": 0.01, "archive": 0.01}
_COLUMNS = ("record_id", "source", "data_class", "person_token", "event_at", "received_at", "row")


@dataclass(frozen=True, slots=True)
class Cost:
    """What reading a dataset's history takes: records and bytes by tier, dollars for the store, files that must be thawed."""

    records: dict[str, int]
    bytes: dict[str, int]
    usd: float
    to_thaw: int

    def told(self) -> str:
        """For a terminal, before anything is read."""
        parts = [
            f"{tier}: {self.records[tier]} records, {self.bytes[tier] / 1e6:.1f} MB" for tier in sorted(self.records)
        ]
        thaw = f"; {self.to_thaw} file(s) in the archive may have to be thawed first" if self.to_thaw else ""
        return f"reads {', '.join(parts) or 'nothing'}; {self.usd:.4f} USD at the store{thaw}"


@dataclass(frozen=True, slots=True)
class Answer:
    """Columns and rows of the answer, rows read by tier, and rows nobody can open any more."""

    columns: tuple[str, ...]
    rows: list[tuple]
    read: dict[str, int]
    unreadable: int


def cost_of(work: Work, dataset: str, source: str | None = None) -> Cost:
    """What asking a dataset (resource type or table) would take. Reads the catalogue only."""
    rows = work.hot.execute(
        """select r.tier, count(*), sum(f.bytes::numeric / f.records)::bigint, count(distinct f.file_id)
           from lifecycle.record r left join lifecycle.cold_file f using (file_id)
           where r.dataset = %(dataset)s and (%(source)s::text is null or r.source = %(source)s)
             and r.tier in ('hot', 'cold', 'archive') group by 1""",
        {"dataset": dataset, "source": source},
    ).fetchall()
    sizes = {tier: int(size or 0) for tier, _, size, _ in rows}
    usd = sum(_READ_PRICES[tier] * size / 1e9 for tier, size in sizes.items())
    return Cost({row[0]: row[1] for row in rows}, sizes, usd, sum(row[3] for row in rows if row[0] == "archive"))


@refusals_told("history.refused", role="lifecycle")
def ask_history(
    work: Work, dataset: str, query: str, *, purpose: str, actor: str, select: str = DEFAULT_SELECT,
    source: str | None = None, wait_seconds: float = 0,
) -> Answer:  # fmt: skip
    """Answer a DuckDB query over table ``history``: every row of a dataset in hot, cold and archive.

    ``select`` cuts each row down as it is opened; it sees record_id, source, data_class, person_token, event_at, received_at
    and ``row``, the clear part of the raw row as JSON. Purpose and actor go to the trail before anything is read. Raises
    RetrieveError without them or for a query that DuckDB refuses, NotRestoredError while the archive thaws.
    """
    import duckdb

    if not purpose.strip() or not actor.strip():
        raise _refused("a question without a purpose or a name", "say both; they go to the audit trail")
    cost = cost_of(work, dataset, source)
    detail = {"dataset": dataset, "actor": actor, "records": sum(cost.records.values())}
    ledger.audit(work.hot, "history.read", dataset, detail, purpose=purpose)
    read: Counter[str] = Counter()
    with duckdb.connect(":memory:") as db:
        # No spilling to a disk, no files, no extensions: what is opened stays in this process.
        for setting in (
            f"memory_limit = '{MEMORY}'",
            "temp_directory = ''",
            "enable_external_access = false",
            "lock_configuration = true",
        ):
            db.execute(f"set {setting}")
        try:
            for tier, batch in _batches(work, dataset, source, wait_seconds, read):
                _add(db, batch, select)
                read[tier] += batch.num_rows
            answered = db.execute(query)
            return Answer(
                tuple(column[0] for column in answered.description),
                answered.fetchall(),
                dict(read - Counter({"gone": read["gone"]})),
                read["gone"],
            )
        except duckdb.Error as problem:
            # DuckDB's own text may quote a value.
            raise _refused(
                f"a question that DuckDB refuses ({type(problem).__name__})", "correct --query or --select"
            ) from None


def _add(db, batch, select: str) -> None:
    db.register("arrived", batch)
    has_table = db.execute("select count(*) from information_schema.tables where table_name = 'history'").fetchone()[0]
    verb = "insert into history" if has_table else "create table history as"
    typed = "(select * replace (cast(event_at as timestamptz) as event_at) from arrived)"
    # Words of who asks: DuckDB is locked in, and what it sees is theirs to ask about.
    db.execute(" ".join((verb, "select", select, "from", typed)))
    db.unregister("arrived")


def _batches(work: Work, dataset: str, source: str | None, wait_seconds: float, read: Counter) -> Iterator[tuple]:
    for tier, rows in _rows(work, dataset, source, wait_seconds, read):
        waiting = []
        for row in rows:
            waiting.append(row)
            if len(waiting) == ROWS_A_BATCH:
                yield tier, _arrow(waiting)
                waiting = []
        if waiting:
            yield tier, _arrow(waiting)
    # A dataset without a row still answers, with none.
    yield "hot", _arrow([])


def _rows(work: Work, dataset: str, source: str | None, wait_seconds: float, read: Counter) -> Iterator[tuple]:
    for table in _tables(work, dataset, source):
        yield "hot", _of_hot(work, table, dataset, source)
    files = work.hot.execute(
        """select distinct f.tier, f.object_key, f.key_id, f.file_id from lifecycle.cold_file f join lifecycle.record r using (file_id)
           where f.tier in ('cold', 'archive') and r.dataset = %(dataset)s and (%(source)s::text is null or r.source = %(source)s)
           order by f.file_id""",
        {"dataset": dataset, "source": source},
    ).fetchall()
    for tier, key, key_id, _ in files:
        yield tier, _of_file(work, tier, key, key_id, dataset, source, wait_seconds, read)


def _tables(work: Work, dataset: str, source: str | None) -> list[str]:
    """Tables of raw that hold rows of the dataset whose place of record is hot."""
    rows = work.hot.execute(
        """select distinct case b.shape when 'documents' then 'resource' else r.source || '__' || r.dataset end
           from lifecycle.record r join lifecycle.batch b using (batch_seq)
           where r.tier = 'hot' and r.dataset = %(dataset)s and (%(source)s::text is null or r.source = %(source)s) order by 1""",
        {"dataset": dataset, "source": source},
    ).fetchall()
    return [row[0] for row in rows]


def _of_hot(work: Work, table: str, dataset: str, source: str | None) -> Iterator[tuple]:
    """Rows of raw, without those that are there on loan: their place is a file, which is read as well."""
    from include.warehouse.connect import connect

    only = sql.SQL("resource_type = {}").format(sql.Literal(dataset)) if table == "resource" else sql.SQL("true")
    query = sql.SQL(
        """select t.record_id::text, t.source, t.data_class, t.person_token::text, t.event_at::text, t.received_at::text,
                  (to_jsonb(t) - 'sealed')::text
           from {table} t join lifecycle.record r using (record_id)
           where r.tier = 'hot' and {only} and (%(source)s::text is null or t.source = %(source)s)"""
    ).format(table=sql.Identifier("raw", table), only=only)
    with connect("lifecycle", settings=work.settings) as reader, reader.cursor(name="history") as cursor:
        cursor.itersize = ROWS_A_BATCH
        cursor.execute(query, {"source": source})
        yield from cursor


def _of_file(
    work: Work, tier: str, key: str, key_id: str, dataset: str, source: str | None, wait_seconds: float, read: Counter
) -> Iterator[tuple]:
    import orjson

    bucket, path = work.bucket(tier), work.folder / "history.parquet"
    if tier == "archive":
        store.thaw(work.s3, bucket, key, wait_seconds=wait_seconds)
    store.get_file(work.s3, bucket, key, path)
    for opened in read_rows(path, RowSeal(work.keys, key_id)):
        if opened.row is None:
            read["gone"] += 1
            continue
        row = orjson.loads(opened.row)
        # A file may hold several datasets of its class, and of several sources.
        if row.get("resource_type", dataset) != dataset or (source is not None and row["source"] != source):
            continue
        row.pop("sealed", None)
        yield (
            row["record_id"], row["source"], row["data_class"], row.get("person_token"), row.get("event_at"), row["received_at"],
            orjson.dumps(row).decode(),
        )  # fmt: skip
    path.unlink()


def _arrow(rows: Sequence[tuple]):
    import pyarrow as pa

    columns = list(zip(*rows, strict=True)) if rows else [()] * len(_COLUMNS)
    return pa.table({name: pa.array(column, pa.string()) for name, column in zip(_COLUMNS, columns, strict=True)})


def _refused(found: str, action: str) -> RetrieveError:
    return RetrieveError(found=found, expected="a question over table history, for a purpose", action=action)
