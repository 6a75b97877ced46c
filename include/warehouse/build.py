"""Runs dbt over the raw tiers into the candidate schemas, once a night, and keeps what it says of each node.

dbt's own colour is not believed: what counts is ``run_results.json`` (every node), row counts and what the marts
were built from. dbt's log can quote a row in a database error, so it is not kept: nodes, states and counts are.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from psycopg import sql

from include.coding.icd10cm import ensure_icd10cm, release
from include.coding.unmapped import record_unmapped
from include.errors import PlumblineError
from include.geography.load import load_areas
from include.nights import current_attempt, step
from include.settings import Settings
from include.terminology.load import load_terminology
from include.warehouse.connect import connect
from include.warehouse.dbt_variables import dbt_variables

PROJECT = Path(__file__).resolve().parents[2] / "dbt_project"
CANDIDATES = ("candidate_clinical", "candidate_measures", "candidate_equity")
# dbt, with Python's collector of cycles off: walking dbt's project in memory again and again took a fifth of its time, and what
# it would free of a run is some 80 MB.
DBT = (sys.executable, "-P", "-c", "import gc; gc.disable(); from dbt.cli.main import cli; cli(prog_name='dbt')")
_FINE = {"success", "pass", "warn", "no-op"}


class BuildError(PlumblineError):
    """dbt could not build the candidate marts."""


@dataclass(frozen=True, slots=True)
class NodeResult:
    """What dbt said of one model, seed or test."""

    node: str
    kind: str
    layer: str | None
    status: str
    failures: int | None
    seconds: float

    @property
    def is_fine(self) -> bool:
        return self.status in _FINE


def build_marts(night: date, settings: Settings | None = None) -> dict[str, int]:
    """Build and test every model, unless the marts already stand on exactly these inputs.

    Returns counts. Raises BuildError when a node failed; the marts that analysts see are not touched either way.
    """
    settings = settings or Settings.from_environment(os.environ)
    with step(night, "build", role="transformer", settings=settings) as running:
        codes = load_terminology(settings)
        running.count(zip_codes_known=load_areas(settings))
        inputs = _inputs(night, settings)
        if _still_stands(inputs, settings):
            _keep_alarms(night, settings)
            running.count(models=0, unchanged=1, unmapped_codes=record_unmapped(night, settings))
            return {"models": 0, "unchanged": 1}
        ensure_icd10cm(settings)
        results = run_dbt(["build", "--exclude-resource-type", "unit_test"], night, settings)
        _record(night, results, inputs, settings)
        failed = [result for result in results if not result.is_fine]
        running.count(
            models=sum(r.kind == "model" for r in results),
            tests=sum(r.kind == "test" for r in results),
            failed=len(failed),
            codes_of_value_sets=codes,
        )
        if failed:
            raise BuildError(
                found=f"{len(failed)} of {len(results)} dbt nodes did not succeed: {_names(failed)}",
                expected="every model to build and every test to pass",
                action="run 'make dbt ARGS=\"build --select <node>\"' to see the error in a schema of your own",
            )
        running.count(unmapped_codes=record_unmapped(night, settings))
        _keep_alarms(night, settings)
        return {"models": len(results), "unchanged": 0}


def run_dbt(arguments: list[str], night: date, settings: Settings) -> tuple[NodeResult, ...]:
    """Run one dbt command as the transformer. Returns its nodes; raises BuildError when dbt did not get that far."""
    target = settings.home / "dbt" / "target"
    target.mkdir(parents=True, exist_ok=True)
    (target / "run_results.json").unlink(missing_ok=True)
    said = dbt_variables(night)
    # Not a variable: for each night's other value dbt would read the whole project again.
    environment = {**dbt_environment(settings), "PLUMBLINE_NIGHT": said.pop("night")}
    ended = subprocess.run(
        [*DBT, "--quiet", "--no-use-colors", *arguments,
         "--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT), "--target", "nightly",
         "--vars", json.dumps(said)],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip
    if not (target / "run_results.json").is_file():
        raise BuildError(
            found=f"dbt ended with code {ended.returncode} before it ran a node",
            expected="a project that parses",
            action="run 'make dbt ARGS=parse' to see why",
        )
    forget_messages(target / "run_results.json")
    return tuple(_read_results(target))


def dbt_environment(settings: Settings, base: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment of a dbt process: where the database is and the transformer's password, nothing of the keys."""
    return {
        **{k: v for k, v in base.items() if k in ("PATH", "HOME", "LANG", "TMPDIR", "USER")},
        "PLUMBLINE_PG_HOST": settings.pg_host,
        "PLUMBLINE_PG_PORT": str(settings.pg_port),
        "PLUMBLINE_PG_SSLMODE": settings.pg_sslmode,
        "DBT_ENV_SECRET_TRANSFORMER_PASSWORD": settings.secret("pg_transformer"),
        "PGOPTIONS": "-c timezone=UTC -c datestyle=ISO -c work_mem=64MB -c jit=off",
        "DBT_TARGET_PATH": str(settings.home / "dbt" / "target"),
        "DBT_LOG_PATH": str(settings.home / "dbt" / "logs"),
        "DBT_LOG_LEVEL_FILE": "none",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DO_NOT_TRACK": "1",
    }


def _read_results(target: Path) -> Iterable[NodeResult]:
    nodes = json.loads((target / "manifest.json").read_text())["nodes"]
    for result in json.loads((target / "run_results.json").read_text())["results"]:
        node = nodes.get(result["unique_id"], {})
        kind = result["unique_id"].split(".")[0]
        yield NodeResult(
            node=result["unique_id"].split(".", 2)[-1], kind=kind, layer=node.get("schema") if kind == "model" else None,
            status=result["status"], failures=result.get("failures"), seconds=result["execution_time"],
        )  # fmt: skip


def forget_messages(results_file: Path) -> None:
    """Take dbt's messages out of its results."""
    # A database's error can quote a cell ("invalid input syntax for type date: ..."); the node and its state say enough.
    results = json.loads(results_file.read_text())
    for result in results["results"]:
        if result["status"] not in _FINE:
            result["message"] = "see the node's state; its message may quote data and is not kept"
    results_file.write_text(json.dumps(results))


def _inputs(night: date, settings: Settings) -> dict[str, str | int]:
    with connect("transformer", "hot", settings) as hot:
        newest, promoted = hot.execute(
            "select coalesce(max(batch_seq), 0), count(*) filter (where state = 'promoted') from lifecycle.batch"
        ).fetchone()
        people = hot.execute(
            "select count(*), sum(hashtextextended(person_token::text || person_key::text, 0)) from restricted.person_link"
        ).fetchone()
        texts = hot.execute(
            "select count(*), sum(hashtextextended(record_id::text || rules || known_mark, 0)) from restricted.document_text"
        ).fetchone()
        opted_out = hot.execute(
            "select count(*), sum(hashtextextended(person_key::text || purpose, 0)) from restricted.opted_out"
        ).fetchone()
        contracts = hot.execute(
            "select string_agg(fingerprint, ',' order by raw_table) from lifecycle.declared_table"
        ).fetchone()
        terminology = hot.execute("select max(sha256) from terminology.folder").fetchone()
        geography = hot.execute("select max(sha256) from geography.folder").fetchone()
    known = (*people, *texts, *opted_out, *contracts, *terminology, *geography)
    parts = [dbt_variables(night), newest, promoted, *known, _project_digest(), release()]
    fingerprint = hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()
    return {"fingerprint": fingerprint, "batch_seq": newest}


def _project_digest() -> str:
    digest = hashlib.sha256()
    for file in sorted(PROJECT.rglob("*")):
        if file.suffix in (".sql", ".yml", ".csv") and "target" not in file.parts:
            digest.update(file.relative_to(PROJECT).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def _still_stands(inputs: Mapping[str, str | int], settings: Settings) -> bool:
    with connect("transformer", "hot", settings) as hot:
        row = hot.execute(
            "select night, attempt from quality.build_state where fingerprint = %s", [inputs["fingerprint"]]
        ).fetchone()
        if not row:
            return False
        recorded = dict(hot.execute(
            "select node, rows from quality.build_result where night = %s and attempt = %s and rows is not null", row
        ).fetchall())  # fmt: skip
        return bool(recorded) and recorded == count_candidates(hot)


def count_candidates(connection) -> dict[str, int]:
    """Rows of every table in the candidate schemas, as ``{"clinical.encounters": 123}``."""
    tables = connection.execute(
        "select table_schema, table_name from information_schema.tables where table_schema = any(%s) order by 1, 2",
        [list(CANDIDATES)],
    ).fetchall()
    if not tables:
        return {}
    counts = sql.SQL(" union all ").join(
        sql.SQL("select {}, count(*) from {}").format(
            sql.Literal(f"{schema.removeprefix('candidate_')}.{table}"), sql.Identifier(schema, table)
        )
        for schema, table in tables
    )
    return dict(connection.execute(counts).fetchall())


def _record(night: date, results: Iterable[NodeResult], inputs: Mapping[str, str | int], settings: Settings) -> None:
    results = list(results)
    with connect("transformer", "hot", settings) as hot:
        attempt = current_attempt(hot, night)
        hot.execute("delete from quality.build_result where night = %s and attempt = %s", [night, attempt])
        rows = count_candidates(hot)
        with hot.cursor() as cursor:
            cursor.executemany(
                """insert into quality.build_result (night, attempt, node, kind, layer, status, rows, failures, seconds)
                   values (%s, %s, %s, %s, %s, %s, null, %s, %s)""",
                [(night, attempt, r.node, r.kind, r.layer, r.status, r.failures, r.seconds) for r in results],
            )
            cursor.executemany(
                """insert into quality.build_result (night, attempt, node, kind, status, rows)
                   values (%s, %s, %s, 'table', 'present', %s)""",
                [(night, attempt, table, count) for table, count in rows.items()],
            )
        hot.execute("delete from quality.build_state")
        if all(result.is_fine for result in results):
            hot.execute(
                "insert into quality.build_state (fingerprint, night, attempt, batch_seq) values (%s, %s, %s, %s)",
                [inputs["fingerprint"], night, attempt, inputs["batch_seq"]],
            )


def _keep_alarms(night: date, settings: Settings) -> None:
    """Write what looks wrong in the measures into the night's books."""
    with connect("transformer", "hot", settings) as hot:
        key = [night, current_attempt(hot, night)]
        hot.execute("delete from quality.measure_alarm where night = %s and attempt = %s", key)
        hot.execute(
            """insert into quality.measure_alarm (night, attempt, alarm, subject, said)
               select %s, %s, alarm, subject, said from intermediate.int_measures__alarms""",
            key,
        )


def _names(results: Iterable[NodeResult], most: int = 5) -> str:
    failed = [result.node for result in results if result.status != "skipped"]
    shown = ", ".join(failed[:most])
    return shown + (f" and {len(failed) - most} more" if len(failed) > most else "")
