"""The night as Prometheus metrics: a text file for node_exporter's textfile collector, rewritten whole after each night.
``serve_metrics.py`` serves the same text.

Read from warm as ``reader``, who has no row-level table, so nothing here can be about one person. Labels are names of
sources, data classes, dimensions, steps and closed lists of words: as many series as the configuration has entries.
METRICS documents every one; alert_rules.yml has rules over them. The watcher's are in include/critical/metrics.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from include.settings import Settings
from include.warehouse.connect import connect

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

ALERT_RULES = Path(__file__).with_name("alert_rules.yml")
# Metric -> (what it says, its labels). Counts are of the last night unless said otherwise.
METRICS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "plumbline_night_verdict": ("1 for the verdict of the last night, 0 for the others", ("verdict",)),
    "plumbline_night_finished_timestamp_seconds": ("When the last night was closed, Unix time", ()),
    "plumbline_night_published": ("1 where the last night was published", ()),
    "plumbline_source_records": ("Records of a source by what became of them", ("source", "outcome")),
    "plumbline_source_missing": ("1 where a source did not deliver", ("source",)),
    "plumbline_source_stale": ("1 where a source's data is older than promised", ("source",)),
    "plumbline_source_required": ("1 where a night without the source is red", ("source",)),
    "plumbline_source_age_days": ("Age of a source's delivery in days", ("source",)),
    "plumbline_batches_held_back": ("Batches held back as a whole, of any night", ("source",)),
    "plumbline_quality_score": (
        "Score from 0 to 1; overall is a dimension here. Of source marts, data_class is the mart",
        ("source", "data_class", "dimension"),
    ),
    "plumbline_checks": (
        "Checks by where they looked (delivery, resolved, mart; then source is marts) and how they ended",
        ("source", "stage", "status"),
    ),
    "plumbline_drift_alarms": ("Signals unlike the source's own history", ("source",)),
    "plumbline_quarantine_open_records": ("Refused records that wait for somebody, of any night", ("source",)),
    "plumbline_step_seconds": ("How long a step of the night took, all sources together", ("step",)),
}


def metrics_file(home: Path) -> Path:
    """Where the text file of an installation is."""
    return home / "metrics" / "plumbline.prom"


def metrics_path(settings: Settings) -> Path:
    """Where the text file is."""
    return metrics_file(settings.home)


def write_metrics(night: date, settings: Settings | None = None) -> Path:
    """Write the night's metrics, whole or not at all, and return where they are."""
    from prometheus_client import write_to_textfile

    settings = settings or Settings.from_environment()
    path = metrics_path(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    with connect("reader", "warm", settings) as warm:
        write_to_textfile(str(path), collect(warm, night))  # writes beside and renames
    return path


def collect(warm: psycopg.Connection, night: date) -> CollectorRegistry:
    """Every metric of the night, from governance."""
    from prometheus_client import CollectorRegistry, Gauge

    registry = CollectorRegistry()
    gauges = {name: Gauge(name, text, labels, registry=registry) for name, (text, labels) in METRICS.items()}
    for name, query in _QUERIES.items():
        for *labels, value in warm.execute(query, {"night": night}).fetchall():
            if value is not None:
                gauge = gauges[name].labels(*labels) if labels else gauges[name]
                gauge.set(float(value))
    return registry


_QUERIES = {
    "plumbline_night_verdict": """select v, (n.verdict = v)::int from governance.nights n,
        unnest(array['green', 'amber', 'red']) v where n.night = %(night)s""",
    "plumbline_night_finished_timestamp_seconds": "select extract(epoch from finished_at) from governance.nights where night = %(night)s",
    "plumbline_night_published": "select published::int from governance.nights where night = %(night)s",
    "plumbline_source_records": """select source, o.name, sum(o.value)::bigint from governance.batches b,
        lateral (values ('received', b.received), ('loaded', b.loaded), ('duplicate', b.duplicate), ('quarantined', b.quarantined)) o (name, value)
        where night = %(night)s group by 1, 2""",
    "plumbline_source_missing": "select source, missing::int from governance.source_state where night = %(night)s",
    "plumbline_source_stale": "select source, stale::int from governance.source_state where night = %(night)s",
    "plumbline_source_required": "select source, required::int from governance.source_state where night = %(night)s",
    "plumbline_source_age_days": "select source, age_days from governance.source_state where night = %(night)s",
    "plumbline_batches_held_back": "select source, count(*) from governance.batches where state = 'held_back' group by 1",
    "plumbline_quality_score": """select source, data_class, d.name, d.value from governance.quality_scores s,
        lateral (values ('completeness', s.completeness), ('accuracy', s.accuracy), ('consistency', s.consistency),
                        ('timeliness', s.timeliness), ('validity', s.validity), ('overall', s.overall)) d (name, value)
        where night = %(night)s""",
    "plumbline_checks": """select source, stage, status, count(*) from governance.check_results
        where night = %(night)s group by 1, 2, 3""",
    "plumbline_drift_alarms": """select source, count(*) filter (where is_alarm) from governance.drift
        where night = %(night)s group by 1""",
    "plumbline_quarantine_open_records": "select source, sum(records) from governance.quarantine where state = 'open' group by 1",
    "plumbline_step_seconds": """select s.step, sum(extract(epoch from s.finished_at - s.started_at)) from governance.steps s
        join governance.nights n on (n.night, n.attempt) = (s.night, s.attempt) where s.night = %(night)s group by 1""",
}
