"""Bundles come out entry by entry, with references that point at what they mean, whatever the bundle's size and kind."""

from __future__ import annotations

import gzip
import json
import tracemalloc

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from include.sources import fhir_bundles
from include.sources.bundle_references import conditional_id
from include.sources.byte_stream import LongLine
from include.sources.fhir_bundles import list_files
from include.sources.items import BrokenContainerError, Notice
from include.sources.json_entries import Entries
from tests.reading import kept, read, refused, source_of

ANN = "urn:uuid:6f1c1f0e-0000-4000-8000-000000000001"
DOC = "urn:uuid:6f1c1f0e-0000-4000-8000-000000000002"


@pytest.fixture(params=["whole", "streaming"])
def bundles(request, monkeypatch):
    """Reads a bundle, once parsed as a whole and once as a stream: both must say the same."""
    if request.param == "streaming":
        monkeypatch.setattr(fhir_bundles, "WHOLE_BYTES", 0)

    def run(bundle, **words):
        content = bundle if isinstance(bundle, bytes) else json.dumps(bundle).encode()
        return read(source_of("fhir_bundles", **words), content)

    return run


def bundle(*entries, kind="transaction", **more):
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries), **more}


def entry(url, resource, method="POST", **request):
    return {
        "fullUrl": url,
        "resource": resource,
        "request": {"method": method, "url": resource["resourceType"], **request},
    }


def patient(**more):
    return {"resourceType": "Patient", **more}


def test_a_full_url_that_is_none_costs_nothing(bundles):
    (ann,) = kept(bundles(bundle(entry("http://[/Patient/p1", patient(id="p1")))))
    assert ann.resource["id"] == "p1"


def test_urn_references_become_type_and_id_also_ahead_of_their_target(bundles):
    visit = {
        "resourceType": "Encounter",
        "id": "e1",
        "subject": {"reference": ANN},
        "participant": [{"individual": {"reference": DOC}}],
    }
    items = bundles(
        bundle(entry("urn:uuid:e1", visit), entry(ANN, patient(id="p1")), entry(DOC, {"resourceType": "Practitioner"}))
    )
    assert items[0].resource["subject"] == {"reference": "Patient/p1"}
    assert items[0].resource["participant"][0]["individual"] == {
        "reference": f"Practitioner/{DOC.removeprefix('urn:uuid:')}"
    }
    assert orjson.loads(items[0].content) == items[0].resource


def test_an_entry_without_an_id_gets_that_of_its_full_url(bundles):
    items = bundles(
        bundle(entry(ANN, patient()), {"fullUrl": "https://ehr.example.org/fhir/Patient/77", "resource": patient()})
    )
    assert [item.resource["id"] for item in items] == [ANN.removeprefix("urn:uuid:"), "77"]


def test_contained_and_outside_references_stay_as_they_are(bundles):
    claim = {"resourceType": "Claim", "id": "c", "a": {"reference": "#coverage"}, "b": {"reference": "Patient/9"},
             "c": {"reference": "https://elsewhere.example.org/fhir/Patient/9"}, "contained": [{"resourceType": "Coverage", "id": "coverage"}]}  # fmt: skip
    (item,) = bundles(bundle(entry("urn:uuid:c", claim)))
    assert item.resource == claim


def test_absolute_references_to_the_bundles_own_server_become_relative(bundles):
    base = "https://ehr.example.org/fhir"
    items = bundles(
        bundle(
            {"fullUrl": f"{base}/Patient/1", "resource": patient(id="1")},
            {"fullUrl": f"{base}/Encounter/2", "resource": {"resourceType": "Encounter", "id": "2", "subject": {"reference": f"{base}/Patient/1"},
                                                            "serviceProvider": {"reference": f"{base}/Organization/8"}}},
            kind="searchset",
        )
    )  # fmt: skip
    assert items[1].resource["subject"]["reference"] == "Patient/1"
    assert items[1].resource["serviceProvider"]["reference"] == "Organization/8"


NPI = "http://hl7.org/fhir/sid/us-npi|99"


def test_a_condition_is_met_by_the_entry_that_carries_the_identifier(bundles):
    doctor = {
        "resourceType": "Practitioner",
        "id": "d1",
        "identifier": [{"system": "http://hl7.org/fhir/sid/us-npi", "value": "99"}],
    }
    visit = {"resourceType": "Encounter", "id": "e", "x": {"reference": f"Practitioner?identifier={NPI}"}}
    items = bundles(bundle(entry("urn:uuid:e", visit), entry("urn:uuid:d1", doctor)))
    assert items[0].resource["x"]["reference"] == "Practitioner/d1"


def test_a_condition_met_in_another_bundle_leads_to_the_same_id(bundles):
    visit = {"resourceType": "Encounter", "id": "e", "x": {"reference": f"Practitioner?identifier={NPI}"}}
    (referring,) = bundles(bundle(entry("urn:uuid:e", visit)))
    doctor = {
        "resourceType": "Practitioner",
        "id": "d1",
        "identifier": [{"system": "http://hl7.org/fhir/sid/us-npi", "value": "99"}],
    }
    (created,) = bundles(bundle(entry("urn:uuid:d1", doctor, ifNoneExist=f"identifier={NPI}")))
    updated_entry = entry("urn:uuid:d1", doctor, method="PUT")
    updated_entry["request"]["url"] = "Practitioner?identifier=http%3A%2F%2Fhl7.org%2Ffhir%2Fsid%2Fus-npi%7C99"
    (updated,) = bundles(bundle(updated_entry))
    assert referring.resource["x"]["reference"] == f"Practitioner/{created.resource['id']}"
    assert created.resource["id"] == updated.resource["id"] == conditional_id("Practitioner", f"identifier={NPI}")


def test_an_entry_made_under_a_condition_is_also_found_by_its_urn(bundles):
    doctor = entry(DOC, {"resourceType": "Practitioner", "id": "d1"}, ifNoneExist=f"identifier={NPI}")
    visit = entry("urn:uuid:e", {"resourceType": "Encounter", "id": "e", "x": {"reference": DOC}})
    items = bundles(bundle(visit, doctor))
    assert items[0].resource["x"]["reference"] == f"Practitioner/{items[1].resource['id']}"


def test_the_order_of_a_condition_does_not_matter():
    assert conditional_id("Patient", "identifier=a|b&active=true") == conditional_id(
        "Patient", "active=true&identifier=a%7Cb"
    )
    assert conditional_id("Patient", "identifier=a|b") != conditional_id("Person", "identifier=a|b")


def test_links_by_urn_are_resolved_and_identifiers_are_not_touched(bundles):
    document = {
        "resourceType": "DocumentReference",
        "id": "d",
        "content": [{"attachment": {"url": ANN}}],
        "identifier": [{"value": ANN}],
    }
    items = bundles(bundle(entry("urn:uuid:d", document), entry(ANN, patient(id="p1"))))
    assert items[0].resource["content"][0]["attachment"]["url"] == "Patient/p1"
    assert items[0].resource["identifier"][0]["value"] == ANN


def test_ids_with_quotes_cannot_break_the_json(bundles):
    visit = {
        "resourceType": "Encounter",
        "id": "e",
        "subject": {"reference": ANN},
        "text": 'says "reference":"x" inside',
    }
    items = bundles(bundle(entry("urn:uuid:e", visit), entry(ANN, patient(id='a"b\\c'))))
    assert items[0].resource["subject"]["reference"] == 'Patient/a"b\\c'
    assert items[0].resource["text"] == visit["text"]


def test_deletions_become_tombstones_and_idle_entries_are_said(bundles):
    items = bundles(
        bundle(
            {
                "request": {"method": "DELETE", "url": "Patient/p1"},
                "response": {"lastModified": "2026-11-01T00:00:00Z"},
            },
            {"request": {"method": "DELETE", "url": f"Practitioner?identifier={NPI}"}},
            {"request": {"method": "DELETE", "url": "nonsense"}},
            {"response": {"status": "200"}},
            {"search": {"mode": "outcome"}, "resource": {"resourceType": "OperationOutcome"}},
            kind="history",
        )
    )
    assert [(item.place, item.resource["id"], item.is_deleted) for item in kept(items)] == [
        (1, "p1", True),
        (2, conditional_id("Practitioner", f"identifier={NPI}"), True),
    ]
    assert items[0].resource["meta"] == {"lastUpdated": "2026-11-01T00:00:00Z"}
    assert refused(items) == [(3, "bad_delete")]
    assert items[-1] == Notice("idle_entry", 2)


def test_versions_of_one_resource_in_a_history_all_come_out(bundles):
    versions = [{"resource": patient(id="p", meta={"versionId": number})} for number in ("2", "1")]
    assert len(kept(bundles(bundle(*versions, kind="history")))) == 2


def test_bad_entries_are_refused_and_the_others_are_read(bundles):
    items = bundles(
        bundle(
            entry(ANN, patient(id="p1")),
            17,
            {"resource": "text"},
            {"resource": {"id": "x"}},
            {"resource": {"resourceType": "Patient"}},
            {"resource": patient(id="n", name="a\0b")},
            {"resource": patient(id="long", text="x" * 3000)},
        ),
        max_record_bytes=2048,
    )
    assert refused(items) == [
        (2, "bad_entry"),
        (3, "not_an_object"),
        (4, "missing_resource_type"),
        (5, "missing_id"),
        (6, "nul"),
        (7, "over_long"),
    ]
    assert len(kept(items)) == 1


def test_an_entry_that_is_not_json_costs_only_itself():
    good = json.dumps(entry(ANN, patient(id="p1"))).encode()
    content = (
        b'{"resourceType":"Bundle","entry":['
        + good
        + b',{"resource":{"id":01}},{"resource":{"n":"\xff"}},'
        + good
        + b"]}"
    )
    items = read(source_of("fhir_bundles"), content)
    assert refused(items) == [(2, "malformed_json"), (3, "invalid_utf8")]
    assert [item.place for item in kept(items)] == [1, 4]


def test_nesting_beyond_what_is_read_is_refused(bundles):
    deep = (
        b'{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Basic","id":"b","x":'
        + b"[" * 600
        + b"]" * 600
        + b"}}]}"
    )
    assert refused(bundles(deep)) == [(1, "nested_too_deep")]


def test_one_resource_in_a_file_counts_as_a_bundle_of_it():
    (item,) = read(source_of("fhir_bundles"), b'{"resourceType":"Patient","id":"p1"}')
    assert (item.place, item.resource["id"]) == (1, "p1")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "truncated_file"),
        (b'{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Patient","id":"p"}}', "truncated_file"),
        (b'{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Pati', "truncated_file"),
        (b'{"resourceType":"Bundle","entry":[]} and more', "malformed_bundle"),
        (b"not json", "malformed_bundle"),
        (b'["a"]', "not_a_bundle"),
        (b'{"a":1}', "not_a_bundle"),
        (b'{"resourceType":"Bundle","entry":{}}', "not_a_bundle"),
        (gzip.compress(b'{"resourceType":"Bundle"}', mtime=0)[:-4], "truncated_gzip"),
    ],
)
def test_a_broken_file_is_refused_as_a_whole(content, reason):
    with pytest.raises(BrokenContainerError) as problem:
        read(source_of("fhir_bundles"), content, is_gzip=content.startswith(b"\x1f\x8b"))
    assert problem.value.reason_code == reason


def test_an_empty_bundle_holds_nothing(bundles):
    assert bundles(bundle()) == []
    assert bundles({"resourceType": "Bundle", "type": "collection"}) == []


def test_a_large_bundle_is_read_in_little_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(fhir_bundles, "WHOLE_BYTES", 1 << 20)
    path = tmp_path / "large.json"
    with path.open("w") as file:
        file.write('{"resourceType":"Bundle","type":"collection","entry":[\n')
        for number in range(1000):
            visit = {"resourceType": "Encounter", "id": str(number), "subject": {"reference": ANN}, "text": "x" * 8000}
            file.write(json.dumps(entry(f"urn:uuid:{number}", visit)) + ",\n")
        file.write(json.dumps(entry(ANN, patient(id="p1"))) + "]}")
    source = source_of("fhir_bundles", tmp_path)
    tracemalloc.start()
    count = sum(
        item.content.count(b"Patient/p1")
        for item in fhir_bundles.read(source, lambda: path.open("rb"), list_files(source).files[0])
    )
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 1000
    assert path.stat().st_size > 8_000_000
    assert peak < 5 << 20


def test_only_bundles_are_listed_and_their_names_stay_out_of_hints(tmp_path):
    for name in ("Ann_Example.json", "b/Bea.json.gz", "notes.txt", "manifest.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"{}")
    listing = list_files(source_of("fhir_bundles", tmp_path))
    assert [(file.path.name, file.label) for file in listing.files] == [
        ("Ann_Example.json", "file 1 of 2 (.json)"),
        ("Bea.json.gz", "file 2 of 2 (.json.gz)"),
    ]
    assert listing.ignored == 2


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6) | st.sampled_from(['"', "\\", '{"', "]}", "\\\\"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=15,
)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(_VALUES, max_size=5),
    st.dictionaries(st.text(min_size=6, max_size=8), _VALUES, max_size=3),
    st.integers(1, 30),
    st.booleans(),
)
def test_entries_come_out_as_the_parser_would_have_them(entries, others, block, is_pretty):
    text = json.dumps(
        {**others, "entry": entries, "type": "x"}, indent=2 if is_pretty else None, ensure_ascii=False
    ).encode("utf-8", "replace")
    blocks = (text[start : start + block] for start in range(0, len(text), block))
    assert [orjson.loads(found) for found in Entries(blocks, 1 << 20)] == orjson.loads(text)["entry"]


@settings(max_examples=80, deadline=None)
@given(st.lists(_VALUES, min_size=1, max_size=5), st.integers(1, 30), st.integers(10, 40))
@example(entries=[-1_000_000_000], block=1, limit=10)
def test_entries_over_the_limit_are_passed_with_their_size(entries, block, limit):
    written = [json.dumps(value).encode() for value in entries]
    text = b'{"entry":[' + b",".join(written) + b"]}"
    blocks = (text[start : start + block] for start in range(0, len(text), block))
    found = list(Entries(blocks, limit))
    assert len(found) == len(written)
    for got, wanted in zip(found, written, strict=True):
        if isinstance(got, LongLine):
            assert got.size == len(wanted) > limit
        else:
            assert got == wanted


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=200) | st.text('{}[]",:\\aentry 1', max_size=120).map(str.encode))
def test_whatever_the_bytes_a_bundle_is_read_or_refused(content):
    try:
        read(source_of("fhir_bundles"), content)
    except BrokenContainerError as problem:
        assert problem.reason_code
