"""The whole night against a bare COPY of the same lines: the first one, one without news, one with 1% new patients.

Start-up and imports (Great Expectations, dbt) are measured apart. Airflow's own share is not in it: the steps are the
DAG's, called in one process.
"""

from __future__ import annotations

import gzip
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

from bench.one_night import calls
from bench.stack import own_stack

NIGHT = date(2026, 11, 22)
PROJECT = Path(__file__).resolve().parents[1]
REAL_INPUT = PROJECT.parent / "shared" / "data" / "hospital_a" / "fhir_bulk"
NEW_SHARE = 0.01


@dataclass(slots=True)
class Timing:
    """Seconds by step of one night, and what start-up of dbt took beside them."""

    steps: dict[str, float] = field(default_factory=dict)
    dbt_start_up: float = 0.0
    layers: dict[str, float] = field(default_factory=dict)

    @property
    def total(self) -> float:
        return sum(self.steps.values())


def main() -> None:
    """Measure in a stack of its own, which is deleted afterwards, and print the tables."""
    with own_stack() as settings:
        _measure(settings.home, settings)


def _measure(home: Path, settings) -> None:
    folder = REAL_INPUT if REAL_INPUT.is_dir() else _sample_export(home)
    source, news, lines = _prepare_input(home, folder)
    imports = _time_imports()
    bare = min(_bare_copy(settings, lines) for _ in range(3))
    first = _time_night(home, source)
    again = _time_night(home, source)
    with_news = _time_night(home, news)
    print(
        f"{len(lines):,} resources, {sum(map(len, lines)) / 1e6:.0f} MB; bare COPY into jsonb {bare:.2f} s (best of 3)"
    )
    print(f"imports apart: {imports:.1f} s; start-up of dbt apart: {first.dbt_start_up:.1f} s")
    _print_ratio("first night", first.total / bare, "of the bare COPY", "at most 6")
    _print_ratio("second night, nothing new", again.total / first.total, "of the first", "at most 0.10")
    _print_ratio(
        f"night with {NEW_SHARE:.0%} new patients", with_news.total / first.total, "of the first", "at most 0.25"
    )
    print(f"\n{'step':28}{'first s':>9}{'share':>8}{'again s':>9}{'news s':>9}")
    for step, seconds in first.steps.items():
        print(
            f"{step:28}{seconds:9.2f}{seconds / first.total:8.1%}{again.steps.get(step, 0):9.2f}{with_news.steps.get(step, 0):9.2f}"
        )
    for layer, seconds in first.layers.items():
        print(f"  dbt {layer:22}{seconds:9.2f}   (seconds of its models and tests, two at a time)")
    print(
        f"peak memory of the process that did it all: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB"
    )
    _print_cumulus(folder, home, first.total)


def _print_ratio(what: str, ratio: float, of: str, goal: str) -> None:
    print(f"{what:32} {ratio:6.2f} {of} (goal: {goal})")


def _prepare_input(home: Path, folder: Path) -> tuple[Path, Path, list[bytes]]:
    """A sources.yml without and one with 1% new patients of the export in ``folder``, and all lines of the first."""
    news = home / "news"
    news.mkdir()
    _write_news(folder, news)
    lines = [line for file in sorted(folder.glob("*.ndjson*")) for line in _lines_of(file)]
    return (
        _sources(home, "first.yml", {"hospital": folder}),
        _sources(home, "news.yml", {"hospital": folder, "news": news}),
        lines,
    )


def _sample_export(home: Path) -> Path:
    from include.sample.make import Request, make_sample

    return make_sample(Request(home / "sample", 1, 4000, NIGHT)).parent / "north" / "fhir_bulk"


def _sources(home: Path, name: str, folders: dict[str, Path]) -> Path:
    entries = [
        {"name": source, "kind": "fhir_bulk", "path": str(path), "required": True} for source, path in folders.items()
    ]
    (home / name).write_text(json.dumps({"sources": entries}))
    return home / name


def _lines_of(file: Path) -> Iterator[bytes]:
    with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as stream:
        yield from (line.rstrip(b"\r\n") for line in stream if line.strip())


def _write_news(folder: Path, news: Path) -> None:
    """Some patients again under new ids, with everything that is about them."""
    patients = [json.loads(line)["id"] for line in _lines_of(next(folder.glob("Patient.*ndjson*")))]
    chosen = [patient.encode() for patient in patients[:: round(1 / NEW_SHARE)]]
    for file in sorted(folder.glob("*.ndjson*")):
        picked = [
            line.replace(patient, patient + b"-new").replace(b'"id":"', b'"id":"n-').replace(b'"id": "', b'"id": "n-')
            for line in _lines_of(file)
            for patient in chosen
            if b"Patient/" + patient + b'"' in line
            or b'"id": "' + patient + b'"' in line
            or b'"id":"' + patient + b'"' in line
        ]
        picked = [
            line.replace(b'"id": "n-' + p + b'-new"', b'"id": "' + p + b'-new"')
            for line in picked
            for p in chosen
            if p in line
        ]
        if picked:
            (news / file.name.removesuffix(".gz")).write_bytes(b"\n".join(picked) + b"\n")


def _time_imports() -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import great_expectations, include.quality.gate"], check=True)
    import great_expectations  # noqa: F401 - paid here, so that no step pays it

    return time.perf_counter() - began


def _bare_copy(settings, lines: list[bytes]) -> float:
    from include.warehouse.connect import connect

    text = [line.replace(b"\\", b"\\\\").replace(b"\t", b"\\t") for line in lines]
    blocks = [b"\n".join(text[at : at + 2000]) + b"\n" for at in range(0, len(text), 2000)]
    with connect("postgres", "hot", settings) as hot:
        hot.execute("create table public.bare (body jsonb)")
        began = time.perf_counter()
        with hot.cursor() as cursor, cursor.copy("copy public.bare from stdin") as copy:
            for block in blocks:
                copy.write(block)
        took = time.perf_counter() - began
        hot.rollback()
    return took


def _time_night(home: Path, sources: Path) -> Timing:
    from include.settings import Settings

    os.environ["PLUMBLINE_SOURCES"] = str(sources)
    settings = Settings.from_environment(os.environ)
    timing = Timing()
    for name, call in calls(NIGHT, settings):
        began = time.perf_counter()
        call()
        took = time.perf_counter() - began
        if name == "build":
            inside, timing.layers = _inside_dbt(home, since=time.time() - took)
            timing.dbt_start_up = took - inside if inside else 0.0
            took = inside or took
        step = name if " " not in name else name.split()[0]
        timing.steps[step] = timing.steps.get(step, 0.0) + took
    return timing


def _inside_dbt(home: Path, since: float) -> tuple[float, dict[str, float]]:
    """Seconds from the first node's start to the last one's end, and seconds by layer; nothing where dbt did not run."""
    file = home / "dbt" / "target" / "run_results.json"
    if not file.is_file() or file.stat().st_mtime < since:
        return 0.0, {}
    nodes = json.loads((home / "dbt" / "target" / "manifest.json").read_text())["nodes"]
    starts, ends, layers = [], [], {}
    for result in json.loads(file.read_text())["results"]:
        for timed in result["timing"]:
            starts.append(datetime.fromisoformat(timed["started_at"].replace("Z", "+00:00")))
            ends.append(datetime.fromisoformat(timed["completed_at"].replace("Z", "+00:00")))
        kind = result["unique_id"].split(".")[0]
        layer = nodes.get(result["unique_id"], {}).get("schema", "?") if kind == "model" else f"{kind}s"
        layers[layer] = layers.get(layer, 0.0) + result["execution_time"]
    return (max(ends) - min(starts)).total_seconds(), layers


def _print_cumulus(folder: Path, scratch: Path, ours: float) -> None:
    """What SMART Cumulus ETL takes to make de-identified NDJSON of the same files: no database, gate, marts or measures."""
    tool = shutil.which("cumulus-etl")
    if tool is None:
        print(
            "cumulus-etl is not installed here: no figure beside ours (install it in an environment of its own, on the PATH)"
        )
        return
    version = subprocess.run([tool, "etl", "--version"], capture_output=True, text=True, check=False).stdout.strip()
    began = time.perf_counter()
    ended = subprocess.run(
        [tool, "etl", str(folder), str(scratch / "cumulus"), str(scratch / "cumulus-phi"), "--output-format", "ndjson",
         "--allow-missing-resources", "--export-group", "bench", "--export-timestamp", NIGHT.isoformat()],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    took = time.perf_counter() - began
    if ended.returncode:
        print(f"cumulus-etl ended with code {ended.returncode}: no figure beside ours")
        return
    print(
        f"{version}, the same files to de-identified NDJSON: {took:.1f} s, {took / ours:.2f} of our whole first night"
    )
