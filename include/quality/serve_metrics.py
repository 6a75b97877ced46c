"""The last night's metrics over HTTP: what stands in the text file, read anew at each scrape. No database, no secret. Files beside
it, such as the watcher's of critical results, are served as well.

Without a file there are no metrics but ``plumbline_metrics_files``, so that a scrape tells "no night yet" from "not reached".
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families

from include.errors import PlumblineError
from include.quality.metrics import metrics_file


class MetricsServerError(PlumblineError):
    """Metrics cannot be served."""


@dataclass(frozen=True, slots=True)
class TextFile:
    """A collector of what a text file of metrics holds at the time of the scrape."""

    path: Path

    def collect(self) -> Iterator[Metric]:
        """Every family of the file; and whether there is a file at all."""
        text = self.path.read_text() if self.path.is_file() else ""
        yield GaugeMetricFamily(
            "plumbline_metrics_files", "1 where a night has left its metrics", value=float(bool(text))
        )
        yield from text_string_to_metric_families(text)


@dataclass(frozen=True, slots=True)
class OtherFiles:
    """A collector of the text files beside the night's: those of programs that run all day."""

    path: Path

    def collect(self) -> Iterator[Metric]:
        """Every family of every other file."""
        for file in sorted(self.path.parent.glob("*.prom")):
            if file != self.path:
                yield from text_string_to_metric_families(file.read_text())


def start(address: str, port: int, path: Path):
    """Begin to serve; returns the server and its thread. Port 0 takes a free one. Raises MetricsServerError where that fails."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(TextFile(path))
    registry.register(OtherFiles(path))
    try:
        return start_http_server(port, addr=address, registry=registry)
    except (OSError, OverflowError) as problem:
        raise MetricsServerError(
            found=f"{address}:{port} cannot be listened on ({type(problem).__name__})",
            expected="an address of this machine and a free port",
            action="choose another: make metrics PORT=9465",
        ) from None


def serve(address: str, port: int) -> None:
    """Serve until stopped."""
    path = metrics_file(Path(os.environ.get("PLUMBLINE_HOME") or ".local").resolve())
    server, thread = start(address, port, path)
    print(f"metrics of the last night: http://{address}:{server.server_port}/metrics (Ctrl-C stops)", file=sys.stderr)
    try:
        thread.join()
    except KeyboardInterrupt:
        server.shutdown()
