"""Since when nights run by themselves, and on what."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from include.local_stack.home import Home, open_home, read_record
from include.sources.registry import SourcesError
from include.terminal import sample
from include.terminal.service import Schedule, describe_schedule, keep_schedule

SOURCES = "owner: data engineering\nsources:\n- {name: north, kind: fhir_bulk, path: north}\n"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return open_home(tmp_path / "home")


def test_the_schedule_is_kept_from_the_first_time_that_sources_were_named(home: Home, tmp_path: Path):
    file = tmp_path / "sources.yml"
    file.write_text(SOURCES)
    first = keep_schedule(home, str(file))
    assert (first.sources, first.since is not None) == (file, True)
    assert keep_schedule(home, None) == first
    assert keep_schedule(home, str(file)).since == first.since
    assert describe_schedule(first).startswith(f"'nightly' runs at 02:00 on {file}, missed nights since 20")


def test_sources_that_cannot_be_read_are_refused_before_anything_starts(home: Home, tmp_path: Path):
    file = tmp_path / "sources.yml"
    file.write_text("sources: []\n")
    with pytest.raises(SourcesError, match="'sources' is not a list with at least one source"):
        keep_schedule(home, str(file))
    assert "schedule" not in read_record(home.path)


def test_nights_on_the_sample_never_start_by_themselves():
    assert "when you trigger 'nightly'" in describe_schedule(Schedule(Path("sample/sources.yml"), None))


def test_nights_go_on_on_the_sources_of_the_last_one(home: Home):
    night, said = date(2026, 11, 25), []
    own = "/srv/exports/sources.yml"
    assert sample.sources_again(night, home, own, said.append) == Path(own)
    folder = home.path / "sample" / "400-people-seed-7"
    folder.parent.mkdir()
    folder.with_suffix(".json").write_text('{"first_night": "2026-11-25", "day": 0}')
    again = sample.sources_again(night, home, str(folder / "sources.yml"), said.append)
    assert (again, said) == (folder / "sources.yml", [])  # no other sample is made
