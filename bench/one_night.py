"""One night without Airflow: the same calls in the same order as the DAG, in one process: a test can kill it, a benchmark can time it.

Prints ``> step source`` before each call, so that a test knows where it is. Run as a script:

    python bench/one_night.py 2026-11-22
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from datetime import date

from include.settings import Settings


def calls(night: date, settings: Settings) -> Iterator[tuple[str, Callable[[], object]]]:
    """Every call of a night, named, in order. Later calls use what earlier ones returned."""
    from include.audit.access import note_changes
    from include.audit.anchor import seal_night
    from include.identity.resolve import resolve_persons
    from include.intake.load import load_source
    from include.intake.promote import promote_batch
    from include.landing.land import land_source
    from include.lifecycle.move import apply_plan
    from include.lifecycle.plan import plan_night
    from include.nights import open_night
    from include.privacy.consent import refresh_opt_outs
    from include.privacy.text.notes import deidentify_notes
    from include.quality.catalogue.after_build import assess_marts
    from include.quality.catalogue.assess import assess_batches
    from include.quality.gate import check_batch
    from include.quality.outward import tell_machines
    from include.reports.night import write_report
    from include.sources.registry import load_sources
    from include.verdict import close_night
    from include.warehouse.audit import audit_candidate
    from include.warehouse.build import build_marts
    from include.warehouse.publish import publish

    yield "open", lambda: (note_changes(settings), open_night(night, settings))
    for source in load_sources(settings.sources_file):
        batches: list[str] = []
        yield f"land {source.name}", lambda name=source.name: land_source(name, night)
        yield f"load {source.name}", lambda name=source.name, found=batches: found.extend(load_source(name, night))
        yield f"assess {source.name}", lambda found=batches: assess_batches(found, settings)
        yield (
            f"check {source.name}",
            lambda found=batches: found.__setitem__(
                slice(None), [batch for batch in found if check_batch(batch) == "passed"]
            ),
        )
        yield f"promote {source.name}", lambda found=batches: [promote_batch(batch) for batch in found]
    yield "resolve", lambda: (resolve_persons(night), refresh_opt_outs(night))
    yield "notes", lambda: deidentify_notes(night, settings)
    yield "build", lambda: build_marts(night, settings)
    yield "assess", lambda: assess_marts(night, settings)
    yield "audit", lambda: audit_candidate(night, settings)
    yield "publish", lambda: publish(night, settings)
    yield "plan", lambda: plan_night(night)
    yield "move", lambda: apply_plan(night)
    yield "close", lambda: (seal_night(night, settings), close_night(night, settings))
    yield "report", lambda: write_report(night, settings)
    yield "machines", lambda: tell_machines(night, settings)


def run_night(night: date, settings: Settings) -> None:
    """Run them all; an error stops the night where it happens, as a killed one would."""
    for name, call in calls(night, settings):
        print(f"> {name}", flush=True)
        call()
    print("> end", flush=True)


if __name__ == "__main__":
    run_night(date.fromisoformat(sys.argv[1]), Settings.from_environment(os.environ))
