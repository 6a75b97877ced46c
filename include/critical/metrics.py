"""The watcher as Prometheus metrics, written beside the night's every some seconds; ``make metrics`` serves both.

Counts and times only; labels are names of sources, states and closed lists of words. METRICS documents every one;
alert_rules.yml beside this file has rules over them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from include.critical import listing

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

ALERT_RULES = Path(__file__).with_name("alert_rules.yml")
METRICS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "plumbline_critical_written_timestamp_seconds": ("When the watcher last wrote these, Unix time", ()),
    "plumbline_critical_alerts_open": ("Alerts that nobody has closed, by state", ("state",)),
    "plumbline_critical_oldest_unanswered_seconds": (
        "How long ago the oldest alert that nobody has acknowledged was received; 0 where there is none",
        (),
    ),
    "plumbline_critical_messages_waiting": ("Live messages that are not judged yet", ()),
    "plumbline_critical_undelivered": ("Messages to a channel that failed and are tried again", ("channel",)),
    "plumbline_critical_today": ("Messages and results of today (UTC) by what became of them", ("source", "what")),
    "plumbline_critical_seconds": ("How long telling and answering took, of 30 days", ("step", "quantile")),
}
_QUERIES = {
    "plumbline_critical_written_timestamp_seconds": "select extract(epoch from clock_timestamp())",
    "plumbline_critical_alerts_open": """select s, (select count(*) from critical.alert a where a.state = s)
        from unnest(array['new', 'sent', 'acknowledged']) s""",
    "plumbline_critical_oldest_unanswered_seconds": """select coalesce(extract(epoch from clock_timestamp() - min(received_at)), 0)
        from critical.alert where state in ('new', 'sent')""",
    "plumbline_critical_messages_waiting": "select messages from critical.waiting()",
    "plumbline_critical_undelivered": """select channel, count(*) from critical.delivery
        where sent_at is null and dropped_at is null and attempts > 0 group by 1""",
    "plumbline_critical_today": """select source, what, sum(number) from critical.judged
        where day = (clock_timestamp() at time zone 'UTC')::date group by 1, 2""",
}


def critical_metrics_file(home: Path) -> Path:
    """Where the text file of an installation is."""
    return home / "metrics" / "critical.prom"


def write_critical_metrics(hot: psycopg.Connection, path: Path) -> None:
    """Write the metrics, whole or not at all. ``hot`` is of role watcher."""
    from prometheus_client import write_to_textfile

    path.parent.mkdir(parents=True, exist_ok=True)
    write_to_textfile(str(path), collect(hot))  # writes beside and renames


def collect(hot: psycopg.Connection) -> CollectorRegistry:
    """Every metric as it is now."""
    from prometheus_client import CollectorRegistry, Gauge

    registry = CollectorRegistry()
    gauges = {name: Gauge(name, text, labels, registry=registry) for name, (text, labels) in METRICS.items()}
    for name, query in _QUERIES.items():
        for *labels, value in hot.execute(query).fetchall():
            (gauges[name].labels(*labels) if labels else gauges[name]).set(float(value))
    for times in listing.read_times(hot):
        for quantile, seconds in (("0.5", times.median), ("0.95", times.p95)):
            if seconds is not None:
                gauges["plumbline_critical_seconds"].labels(times.what.replace(" ", "_"), quantile).set(seconds)
    return registry
