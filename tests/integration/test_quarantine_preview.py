"""A steward sees where a refused record stands, why, and its shape; the trail has who looked."""

from __future__ import annotations

import json
from datetime import date

import pytest

from include.quality.preview import preview
from include.sources.registry import load_sources
from include.warehouse.connect import connect
from tests.integration.test_gate_replay import hospital, observation, patient, run_night, write  # noqa: F401

LOOK = {"most": 5, "by": "steward"}
# Enough that the batch is not held back as a whole.
GOOD = [observation(f"good-{number}", "maria-garcia") for number in range(40)]


def looked_at(settings, reason_code=None):
    sources = load_sources(settings.sources_file)
    return preview(sources, "north", reason_code, settings=settings, **LOOK)


def test_refused_records_are_shown_in_shape_and_never_in_value(hospital):  # noqa: F811
    settings, export = hospital
    write(export, "Patient.ndjson", [patient("maria-garcia")])
    broken = json.dumps(observation("hidden-name", "maria-garcia"))[:-9]
    write(export, "Observation.ndjson", [broken, observation("o3", "nobody-known"), *GOOD])
    run_night(settings, date(2026, 11, 22))
    seen = {each.refused.reason_code: each for each in looked_at(settings)}
    assert seen.keys() == {"malformed_json", "subject_unknown"}
    assert seen["malformed_json"].refused.place == "line 1"
    assert seen["malformed_json"].shape.startswith('{"resourceType": "xxx", "id": "xxx-xxx"')
    assert seen["subject_unknown"].shape.endswith("}}")
    for word in ("garcia", "hidden", "nobody", "4548"):
        assert word not in "".join(each.shape for each in seen.values())
    assert [each.refused.reason_code for each in looked_at(settings, "subject_unknown")] == ["subject_unknown"]
    with connect("privacy_officer", settings=settings) as books:
        rows = books.execute("select actor, subject from audit.entry where action = 'quarantine.previewed'").fetchall()
    assert rows == [("checker steward", "north")] * 2


def test_a_bundle_that_lacks_its_patient_is_shown_by_its_entry(hospital, tmp_path):  # noqa: F811
    settings, _ = hospital
    (tmp_path / "sources.yml").write_text("sources:\n  - {name: north, kind: fhir_bundles, path: bundles}\n")
    (tmp_path / "bundles").mkdir()
    resources = [patient("maria-garcia"), observation("o", "nobody-known"), *GOOD]
    entries = [{"resource": resource} for resource in resources]
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    (tmp_path / "bundles" / "one.json").write_text(json.dumps(bundle))
    run_night(settings, date(2026, 11, 22))
    (seen,) = looked_at(settings)
    assert seen.refused.place == "entry 2"
    assert '"resourceType":"xxx"' in seen.shape.replace(" ", "")


@pytest.mark.parametrize("reason_code", ["no_such_rule", "malformed_json"])
def test_nothing_refused_is_nothing_shown(hospital, reason_code):  # noqa: F811
    settings, export = hospital
    write(export, "Patient.ndjson", [patient("p")])
    run_night(settings, date(2026, 11, 22))
    assert looked_at(settings, reason_code) == []
