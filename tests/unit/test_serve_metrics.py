"""Metrics over HTTP: the text of the file, read anew, from loopback unless said otherwise."""

from __future__ import annotations

import argparse
import socket
import urllib.request
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Gauge, generate_latest, write_to_textfile

from include.quality import __main__ as desk
from include.quality.serve_metrics import MetricsServerError, start


@pytest.fixture
def served(tmp_path: Path):
    """A server over a file that is not there yet; yields the file and a way to scrape."""
    file = tmp_path / "plumbline.prom"
    server, thread = start("127.0.0.1", 0, file)
    yield file, lambda: urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/metrics").read().decode()
    server.shutdown()
    thread.join()


def a_night(source: str, value: float) -> CollectorRegistry:
    registry = CollectorRegistry()
    Gauge("plumbline_source_age_days", "Age of a source's delivery in days", ["source"], registry=registry).labels(
        source
    ).set(value)
    Gauge("plumbline_night_published", "1 where the last night was published", registry=registry).set(1)
    return registry


def test_what_is_served_is_the_text_of_the_file_read_anew(served):
    file, scrape = served
    for registry in (a_night("north", 1), a_night("south", 3)):
        write_to_textfile(str(file), registry)
        own, _, rest = scrape().partition("plumbline_metrics_files 1.0\n")
        assert rest == file.read_text() == generate_latest(registry).decode()
        assert own.startswith("# HELP plumbline_metrics_files ")


def test_files_beside_it_are_served_as_well(served):
    file, scrape = served
    write_to_textfile(str(file.with_name("critical.prom")), a_night("north", 1))
    assert scrape().endswith("plumbline_metrics_files 0.0\n" + file.with_name("critical.prom").read_text())


def test_before_the_first_night_a_scrape_says_so(served):
    _, scrape = served
    assert scrape().splitlines()[-1] == "plumbline_metrics_files 0.0"


def test_a_port_in_use_is_told(tmp_path: Path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(MetricsServerError, match="cannot be listened on .*choose another"):
            start("127.0.0.1", taken.getsockname()[1], tmp_path / "none")
    with pytest.raises(MetricsServerError):
        start("127.0.0.1", 99_999, tmp_path / "none")


def test_loopback_is_what_it_listens_on_unless_said_otherwise(monkeypatch):
    asked: list[argparse.Namespace] = []
    monkeypatch.setattr(desk, "_run_metrics", lambda told: asked.append(told) or 0)
    assert desk.main(["metrics"]) == 0
    assert (asked[0].address, asked[0].port) == ("127.0.0.1", 9464)
