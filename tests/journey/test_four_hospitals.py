"""One night on four hospitals that others made: two vendors, bundles, bulk exports and CSV, together."""

from __future__ import annotations

import os
import sys
from datetime import date
from pathlib import Path

import pytest

from include.reports.facts import read_facts
from include.settings import Settings
from include.warehouse.connect import connect

PROJECT = Path(__file__).resolve().parents[2]
SOURCES = PROJECT / "tests" / "integration" / "real_hospitals" / "sources.yml"
NIGHT = date(2026, 11, 22)
sys.path.insert(0, str(PROJECT / "tests"))

from night_rows import differences, read_rows  # noqa: E402


@pytest.fixture
def night(real_inputs, fresh_hot, monkeypatch):
    from bench.one_night import run_night

    monkeypatch.setenv("PLUMBLINE_SOURCES", str(SOURCES))
    settings = Settings.from_environment(os.environ)
    run_night(NIGHT, settings)
    return settings


def test_four_hospitals_in_one_night(night):
    facts = read_facts(NIGHT, night)
    assert facts.night.verdict in ("green", "amber"), facts.night.reasons
    by_source = {row.source: row for row in facts.sources}
    assert by_source["hospital_a"].received == 127_685
    assert all(row.received == row.loaded + row.duplicate + row.quarantined for row in facts.sources)
    assert all(row.received > 0 for row in facts.sources)
    rows = {mart.relation: mart.rows for mart in facts.marts}
    assert rows["clinical.observations"] > 60_000

    _persons_meet(night)
    _sources_of_one_hospital_agree(night)
    _no_note_of_hospital_c_gives_a_name_away(night)
    _nothing_changes_when_nothing_is_new(night)


def _persons_meet(settings: Settings) -> None:
    """hospital_a comes twice, as FHIR and as tables: the same people must not count twice."""
    with connect("analyst", "warm", settings) as warm:
        (people,) = warm.execute("select count(*) from clinical.persons").fetchone()
    with connect("transformer", "hot", settings) as hot:
        (both,) = hot.execute(
            """select count(*) from (
                   select person_key from restricted.person_link join lifecycle.record using (person_token)
                   where source in ('hospital_a', 'hospital_a_tables')
                   group by 1 having count(distinct source) = 2) met"""
        ).fetchone()
    assert both >= 500, f"of 574 patients that come in both forms only {both} met"
    assert people < 574 * 2 + 115 + 13 + 27


def _sources_of_one_hospital_agree(settings: Settings) -> None:
    """hospital_a's results come twice, as FHIR and as tables: that is what accuracy is told from."""
    with connect("checker", "hot", settings) as books:
        rows = books.execute(
            """select source, tested, failed from quality.check_result where night = %s and source like 'hospital_a%%'
               and instance = 'Observation.agreesWithOtherSources.value'""",
            [NIGHT],
        ).fetchall()
    assert {source for source, *_ in rows} == {"hospital_a", "hospital_a_tables"}
    assert all(tested > 10_000 and failed < 10 for _, tested, failed in rows)


def _no_note_of_hospital_c_gives_a_name_away(settings: Settings) -> None:
    """Every note there contains its patient's name, and their family names end in digits nobody else has."""
    with connect("postgres", "hot", settings) as hot:
        (clear,) = hot.execute(
            r"""select count(*) from raw.resource
                where source = 'hospital_c' and body::text ~ '"(family|given|name)"'"""
        ).fetchone()
    assert clear == 0


def _nothing_changes_when_nothing_is_new(settings: Settings) -> None:
    from bench.one_night import run_night

    before = read_rows(settings)
    run_night(NIGHT, settings)
    assert differences(before, read_rows(settings)) == {}
