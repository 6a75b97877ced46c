"""Two nights on the sample, scored against its answer key: what was planted is found, and nothing else."""

import os
import urllib.request
from datetime import date, timedelta
from pathlib import Path

import pytest

from bench.one_night import run_night
from include.quality.catalogue import folder_check
from include.quality.metrics import metrics_path
from include.quality.preview import preview
from include.quality.serve_metrics import start
from include.sample.exposure import search_texts
from include.sample.make import Request, make_sample
from include.sample.next_night import make_next_night
from include.sample.score import read_rows, recall_of
from include.sample.scoring import NightScore, score_night
from include.sample.search import index_of
from include.settings import Settings
from include.sources.registry import load_sources
from include.warehouse.connect import connect
from tests.measure_containments import declared_against_rows

NIGHT = date(2026, 11, 22)
PEOPLE = 400


@pytest.fixture
def sample(fresh_hot: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sample of 400 people as the platform's sources."""
    tmp_path.chmod(0o755)
    folder = tmp_path / "sample"
    monkeypatch.setenv("PLUMBLINE_SOURCES", str(make_sample(Request(folder, people=PEOPLE, night=NIGHT))))
    return folder


def scored_night(night: date, key: Path) -> NightScore:
    settings = Settings.from_environment(os.environ)
    run_night(night, settings)
    return score_night(key, night, settings)


def test_two_nights_on_the_sample_end_as_the_answer_key_says(sample: Path) -> None:
    first = scored_night(NIGHT, sample / "answer_key")
    print(first)
    assert not first.counts and not first.unplanted and not first.leaks
    assert recall_of(first.defects, "structural") == recall_of(first.defects, "plausibility") == 1.0
    assert all(score.right_reason == score.planted for score in first.defects)
    assert len(first.counted) >= 7
    assert all(score.found == score.planted and not score.false_alarms for score in first.counted)
    assert first.pairs["recall"] == first.pairs["precision"] == 1.0
    compared, differing = first.groups
    assert compared > 80 and not differing
    assert first.verdict == first.expected_verdict == "amber"
    assert not first.reasons_missing and not first.reasons_unplanted
    assert {each.source for each in first.sources} >= {"ward", "pharmacy", "radiology", "transcription"}
    assert [each.of for each in first.outcomes if each.right == each.planted > 5] == ["result", "stay"]
    assert first.notes.missing == 0 and first.notes.measure.recall() >= 0.99 and first.notes.measure.precision >= 0.95
    nothing_told_names_anybody(sample)
    wrong, missing = declared_against_rows(Settings.from_environment(os.environ))
    assert not wrong and not missing, "seeds/measure_populations.csv"
    assert first.failures() in ([], [sentence for sentence in first.failures() if "are hidden" in sentence])

    make_next_night(Request(sample, people=PEOPLE, night=NIGHT, day=1))
    before = creatinine_rows()
    second = scored_night(NIGHT + timedelta(days=1), sample / "answer_key" / "day_1")
    assert not second.counts and not second.unplanted and not second.leaks
    assert {score.kind for score in second.counted} >= {"sex_told_otherwise", "value_told_otherwise"}
    assert all(score.found == score.planted and not score.false_alarms for score in second.counted)
    assert second.verdict == second.expected_verdict == "amber"
    assert not second.reasons_missing and not second.reasons_unplanted
    assert creatinine_rows() != before, "late and deleted results changed nothing"


def nothing_told_names_anybody(sample: Path) -> None:
    """What a steward and a scraper are shown of the night: a check of the delivery with its JSON, previews, metrics."""
    settings, index = Settings.from_environment(os.environ), index_of([sample / "answer_key"])
    told = list(metrics_served(settings))
    for source in ("north", "south"):
        checked = folder_check.check(folder_check.find(f"{sample / 'sources.yml'}:{source}"), NIGHT, settings)
        told += [*folder_check.lines(checked, most=1000), *checked.as_json().splitlines()]
        for seen in preview(
            load_sources(settings.sources_file), source, None, most=200, by="steward", settings=settings
        ):
            told += [repr(seen)]
    assert len(told) > 5_000
    assert not search_texts((("told", text) for text in told), index)
    person = next(row for row in read_rows(sample / "answer_key" / "identifiers.jsonl") if row["kind"] == "full_name")
    assert search_texts([("told", f"value '{person['value']}' is no number")], index), "the search finds nothing at all"


def metrics_served(settings: Settings) -> list[str]:
    server, thread = start("127.0.0.1", 0, metrics_path(settings))
    try:
        return urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/metrics").read().decode().splitlines()
    finally:
        server.shutdown()
        thread.join()


def creatinine_rows() -> int:
    with connect("analyst", "warm") as marts:
        return marts.execute(
            "select count(*) from clinical.observations where code in ('2160-0', '718-7', '8302-2')"
        ).fetchone()[0]
