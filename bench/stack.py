"""A stack of its own for a benchmark, removed afterwards, and the export it measures."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path

from include.settings import Settings

ROOT = Path(__file__).parents[1]
HOSPITAL = ROOT.parent / "shared" / "data" / "hospital_a" / "fhir_bulk"
SOURCE = "hospital"
_PEOPLE = 4_000  # of the sample, for about as many resources


@contextmanager
def own_stack(kept: str | None = None) -> Iterator[Settings]:
    """A running stack in a home of its own, deleted afterwards unless it is ``kept``; what the shell says of another counts for nothing."""
    from include.local_stack import stack

    for name in [name for name in os.environ if name.startswith("PLUMBLINE_")]:
        del os.environ[name]
    home = Path(kept or tempfile.mkdtemp(prefix="plumbline-bench-"))
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o711)
    os.environ["PLUMBLINE_HOME"] = str(home)
    try:
        yield stack.up(home)
    finally:
        if not kept:
            stack.destroy(home)
            shutil.rmtree(home, ignore_errors=True)


@contextmanager
def bench_settings(night: date) -> Iterator[Settings]:
    """Settings of a running stack whose only source is ``SOURCE``. PLUMBLINE_BENCH_HOME keeps and reuses one."""
    with own_stack(os.environ.get("PLUMBLINE_BENCH_HOME")) as settings:
        sources = settings.home / "bench_sources.yml"
        entry = {"name": SOURCE, "kind": "fhir_bulk", "path": str(_export(settings.home, night))}
        sources.write_text(json.dumps({"sources": [entry]}))
        yield replace(settings, sources_file=sources)


def _export(home: Path, night: date) -> Path:
    if HOSPITAL.is_dir():
        return HOSPITAL
    from include.sample.make import Request, make_sample

    print(f"no {HOSPITAL.parent.name} beside the project: measuring the sample of {_PEOPLE:,} people instead")
    return make_sample(Request(home / "sample", 1, _PEOPLE, night)).parent / "north" / "fhir_bulk"
