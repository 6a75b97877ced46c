"""Splitting documents: nothing that names a person stays in clear, nothing gets lost, and the fast way is the slow way."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from include.privacy.classification import load_classification
from include.privacy.documents import DocumentSplitter
from include.privacy.element_texts import Memory, decode_value, encode_value, make_element, texts_of
from include.privacy.resource_plan import SplitGroup
from include.privacy.sealing import rebuild
from include.privacy.splitting import NOTHING, Splitters
from include.privacy.tokens import Tokeniser

POLICY = load_classification()
TOKENISER = Tokeniser(b"k" * 32)
PLANTED = "Zebedee Quackenbush"

LOINC = {"system": "http://loinc.org", "code": "4548-4", "display": "Hemoglobin A1c"}
PATIENT = {
    "resourceType": "Patient",
    "id": "pt-1",
    "meta": {
        "versionId": "3",
        "lastUpdated": "2026-11-01T10:00:00.5Z",
        "source": "#feed-17",
        "tag": [{"system": "http://x/y", "code": "ward 7"}],
    },
    "text": {"status": "generated", "div": "<div>Ann Lee, 12 Elm Street</div>"},
    "extension": [
        {
            "url": "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race",
            "extension": [
                {
                    "url": "ombCategory",
                    "valueCoding": {"system": "urn:oid:2.16.840.1.113883.6.238", "code": "2106-3", "display": "White"},
                },
                {"url": "text", "valueString": "White"},
            ],
        },
        {"url": "http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName", "valueString": "Quux"},
        {"url": "http://hl7.org/fhir/us/core/StructureDefinition/us-core-birthsex", "valueCode": "F"},
    ],
    "identifier": [
        {"system": "http://hl7.org/fhir/sid/us-ssn", "value": "078-05-1120"},
        {"system": "http://mrn", "value": "17"},
    ],
    "active": True,
    "name": [{"family": "Lee", "given": ["Ann"]}, {"use": "maiden", "family": "Quux", "given": ["Ann"]}],
    "telecom": [{"system": "phone", "value": "(555) 123-4567"}],
    "gender": "female",
    "birthDate": "1980-02-29",
    "_birthDate": {"extension": [{"url": "http://x/birthTime", "valueDateTime": "1980-02-29T10:00:00Z"}]},
    "address": [
        {
            "line": ["12 Elm Street"],
            "city": "Boston",
            "state": "MA",
            "postalCode": "02139",
            "district": "Suffolk",
            "country": "US",
        }
    ],
    "contact": [{"name": {"text": "Bob Lee"}}],
    "photo": [{"contentType": "image/png", "data": "AAAA"}],
    "generalPractitioner": [{"reference": "Practitioner/dr-1", "display": "Dr. Who"}],
    "somethingNew": {"of": ["a", "vendor"]},
}
OBSERVATION = {
    "resourceType": "Observation",
    "id": "obs-1",
    "contained": [{"resourceType": "Practitioner", "id": "dr", "name": [{"family": "Who"}], "gender": "male"}],
    "status": "final",
    "category": [
        {
            "coding": [
                {
                    "system": "http://terminology.hl7.org/CodeSystem/observation-category",
                    "code": "laboratory",
                    "display": "Laboratory",
                }
            ],
            "text": "Lab",
        }
    ],
    "code": {
        "coding": [LOINC, {"system": "http://north.example.org/codes", "code": "HBA1C", "display": "Ann's sugar"}],
        "text": "Sugar",
    },
    "subject": {"reference": "Patient/pt-1", "display": "Ann Lee"},
    "encounter": {"reference": "https://ehr.example.org/fhir/Encounter/e-1/_history/2"},
    "effectivePeriod": {"start": "2026-11-01", "end": "2026-11-02"},
    "issued": "2026-11-03T00:00:00Z",
    "performer": [
        {"reference": "#dr"},
        {"reference": "Practitioner?identifier=npi|1234567890", "display": "Dr. Who"},
        {"display": "Dr. When"},
    ],
    "valueQuantity": {
        "value": msgspec.Raw(b"7.10"),
        "unit": "%",
        "system": "http://unitsofmeasure.org",
        "code": "%",
        "comparator": ">",
    },
    "note": [{"text": "Ann says hello"}],
    "component": [{"code": {"coding": [LOINC]}, "valueString": "Ann"}, {"code": {"text": "x"}, "valueInteger": 3}],
    "referenceRange": [{"low": {"value": 4, "unit": "Ann"}, "text": "Ann's range"}],
}
NASTY = [
    {"status": PLANTED}, {"status": None}, {"status": ["final", PLANTED]}, {"status": {"value": PLANTED}}, {"code": PLANTED},
    {"code": [PLANTED]}, {"code": [None, {"coding": [LOINC]}]}, {"code": {"coding": [PLANTED]}}, {"code": {"coding": {"code": PLANTED}}},
    {"code": {"coding": [[LOINC]]}}, {"code": []}, {"code": {}}, {"code": {"coding": []}}, {"category": [{}, {"text": PLANTED}]},
    {"subject": PLANTED}, {"subject": {"reference": PLANTED}}, {"subject": {"reference": f"Patient/{PLANTED}"}}, {"subject": {"reference": None}},
    {"subject": [{"reference": "Patient/1"}, {"reference": "Patient/2"}]}, {"subject": {"reference": "Patient/1", "reference\u200b": PLANTED}},
    {"subject": {"reference": "Klingon/1"}}, {"subject": {"type": PLANTED}}, {"subject": {"identifier": {"value": PLANTED}}},
    {"effectiveDateTime": "2025-02-30"}, {"effectiveDateTime": f"2025 {PLANTED}"}, {"effectiveDateTime": ["2025", "2026"]}, {"effectiveDateTime": 2025},
    {"valueInteger": PLANTED}, {"valueInteger": 10**30}, {"valueBoolean": "true"}, {"valueQuantity": {"value": PLANTED}}, {"valueQuantity": {"value": 1, "unit": PLANTED}},
    {"valueQuantity": {"value": 1, "system": PLANTED, "code": PLANTED}}, {"valueQuantity": {"code": PLANTED, "display": PLANTED}}, {"valueString": PLANTED},
    {"meta": PLANTED}, {"meta": {"versionId": PLANTED, "lastUpdated": PLANTED, "profile": [PLANTED]}}, {"meta": []}, {PLANTED: PLANTED}, {"id2": "\u0001\u2028é😀\\\"/"},
    {"contained": PLANTED}, {"contained": [PLANTED]}, {"contained": [{"resourceType": PLANTED}]}, {"contained": [{"resourceType": "Patient", "id": PLANTED, "name": [{"text": PLANTED}]}]},
    {"extension": [{"url": PLANTED}]}, {"extension": [{"url": "http://hl7.org/fhir/us/core/StructureDefinition/us-core-birthsex", "valueCode": PLANTED}]}, {"extension": {}},
    {"language": PLANTED}, {"component": [{"component": [{"valueString": PLANTED}]}]}, {"referenceRange": [{"low": {"unit": PLANTED}}]},
]  # fmt: skip


def text_of(resource: dict) -> bytes:
    return encode_value(resource)


def split(*resources: dict) -> list[tuple[SplitGroup, int]]:
    """Every resource with its group and its place there, in the order given."""
    groups, unreadable = DocumentSplitter(POLICY, TOKENISER, "north").split([text_of(one) for one in resources])
    assert unreadable == []
    placed = {index: (group, at) for group in groups for at, index in enumerate(group.indexes)}
    return [placed[index] for index in range(len(resources))]


def body_of(resource: dict) -> dict:
    group, at = split(resource)[0]
    return json.loads(group.bodies[at])


def nasty(base: dict) -> list[dict]:
    return [{**base, **change} for change in NASTY]


def real_resources(project_inputs: Path) -> Iterator[bytes]:
    for path in sorted((project_inputs / "fhir_examples").glob("*.json")):
        content = path.read_bytes()
        if "id" in json.loads(content):
            yield content


def test_direct_identifiers_of_a_patient_are_sealed_and_what_equity_needs_stays() -> None:
    body = body_of(PATIENT)
    text = json.dumps(body)
    for planted in (
        "Lee",
        "Ann",
        "Quux",
        "Elm",
        "Boston",
        "Suffolk",
        "078-05",
        "555",
        "feed-17",
        "AAAA",
        "Who",
        "pt-1",
        "dr-1",
        "vendor",
        "ward",
    ):
        assert planted not in text, planted
    assert body["birthDate"] == "1980-02-29" and body["gender"] == "female" and body["active"] is True
    assert body["address"] == [{"state": "MA", "postalCode": "02139", "country": "US"}]
    race = body["extension"][0]["extension"][0]["valueCoding"]
    assert race["code"] == "2106-3" and body["extension"][2]["valueCode"] == "F"
    assert body["extension"][1] == {}, "an unknown extension leaves its place behind and nothing else"


def test_an_observation_keeps_codes_values_and_dates_with_tokens_for_ids() -> None:
    body = body_of(OBSERVATION)
    assert body["code"]["coding"][0] == LOINC and "text" not in body["code"]
    assert body["code"]["coding"][1]["code"] == "HBA1C" and "display" not in body["code"]["coding"][1]
    assert body["code"]["coding"][1]["system"].startswith("urn:uuid:"), "an unreviewed system's address is a token"
    assert body["subject"] == {"reference": f"Patient/{TOKENISER.id_token('north', 'Patient', 'pt-1')}"}
    assert body["encounter"] == {"reference": f"Encounter/{TOKENISER.id_token('north', 'Encounter', 'e-1')}"}
    assert body["performer"][0]["reference"].removeprefix("#") == body["contained"][0]["id"]
    assert body["performer"][1]["reference"].startswith("Practitioner?") and body["performer"][2] == {}
    assert body["valueQuantity"]["code"] == "%" and body["component"][1] == {"valueInteger": 3}
    assert body["contained"][0]["gender"] == "male" and "name" not in body["contained"][0]


def test_numbers_keep_their_digits() -> None:
    group, at = split(OBSERVATION)[0]
    assert b'"value":7.10' in group.bodies[at]


def test_a_record_tells_its_person_its_event_and_its_version() -> None:
    (patient, at), (observation, at_observation) = split(PATIENT, OBSERVATION)
    token = TOKENISER.id_token("north", "Patient", "pt-1")
    assert (patient.tokens[at].decode(), patient.persons[at], observation.persons[at_observation]) == (
        token,
        token,
        token,
    )
    assert patient.versions[at] == "3" and patient.last_updated[at] == _microseconds(2026, 11, 1, 10, 0, 0, 500_000)
    assert observation.events[at_observation] == _microseconds(2026, 11, 1), "the period's start comes before issued"


def test_a_provenance_belongs_to_the_first_patient_among_its_targets_and_names_no_operator() -> None:
    told = {
        "resourceType": "Provenance",
        "id": "e1",
        "target": [{"reference": "Encounter/v1"}, {"reference": "Patient/pt-1"}, {"reference": "Patient/pt-2"}],
        "recorded": "2026-11-20T09:00:00Z",
        "occurredDateTime": "2026-11-20T07:00:00Z",
        "agent": [{"who": {"identifier": {"value": "77"}, "display": PLANTED}}],
        "location": {"display": PLANTED},
    }
    (group, at), (patient, of_patient) = split(told, PATIENT)
    assert group.persons[at] == patient.persons[of_patient]
    assert group.events[at] is not None
    assert PLANTED.encode() not in group.bodies[at]
    assert PLANTED.encode() in group.sealed[at]


def test_a_patient_has_a_match_token_an_identifier_and_a_name() -> None:
    group, at = split(PATIENT)[0]
    kinds = [token.split(":")[0] for token in group.matches[at]]
    assert [kind for kind in kinds if kind in ("id", "demo")] == ["id", "id", "demo", "demo"]
    assert set(kinds) - {"id", "demo"} == {"fn", "fd", "fs", "gn", "gd", "gs", "gi", "zp", "ad", "ph", "on"}


def test_a_resource_of_a_type_without_a_list_keeps_states_codes_dates_and_references_only() -> None:
    flag = {
        "resourceType": "Flag",
        "id": "f",
        "status": "active",
        "code": {"coding": [LOINC], "text": PLANTED},
        "subject": {"reference": "Patient/pt-1"},
        "author": {"reference": "Practitioner/x"},
        "period": {"start": "2026"},
    }
    assert set(body_of(flag)) == {"resourceType", "id", "status", "code", "subject", "period"}


@pytest.mark.parametrize("base", [PATIENT, OBSERVATION], ids=["Patient", "Observation"])
def test_a_name_planted_anywhere_is_sealed(base: dict) -> None:
    resources = nasty(base)
    shown = [
        change
        for change, (group, at) in zip(NASTY, split(*resources), strict=True)
        if PLANTED.encode() in group.bodies[at]
    ]
    assert shown == []


@pytest.mark.parametrize("base", [PATIENT, OBSERVATION], ids=["Patient", "Observation"])
def test_clear_and_sealed_parts_give_the_resource_back(base: dict) -> None:
    for resource, (group, at) in zip(nasty(base), split(*nasty(base)), strict=True):
        original = json.loads(text_of(resource))
        assert rebuild(json.loads(group.bodies[at]), group.sealed[at]) == original


@pytest.mark.parametrize("base", [PATIENT, OBSERVATION], ids=["Patient", "Observation"])
def test_the_fast_way_splits_elements_as_the_slow_way_does(base: dict) -> None:
    rule = POLICY.resources[base["resourceType"]]
    compared = 0
    for resource in nasty(base):
        fast, slow = Splitters(POLICY, TOKENISER, "north"), Splitters(POLICY, TOKENISER, "north")
        for name, value in resource.items():
            if name not in rule.keep or name in ("id", "resourceType"):
                continue
            text, misfits = encode_value(value), []
            element = make_element(name, rule.keep[name], POLICY, fast, Memory())
            clear, sealed = slow.element(name, rule.keep[name])(decode_value(text), misfits)
            for _ in range(2):  # the second time from memory
                kept, hidden, unfit = element[text]
                assert (kept is None, hidden is None, sorted(unfit)) == (
                    clear is NOTHING,
                    sealed is NOTHING,
                    sorted(misfits),
                ), name
                assert kept is None or json.loads(kept) == json.loads(encode_value(clear)), name
                assert hidden is None or json.loads(hidden) == json.loads(encode_value(sealed)), name
            compared += 1
    assert compared > 300


def test_what_was_met_before_changes_nothing() -> None:
    alone = [(group.bodies[at], group.sealed[at]) for one in nasty(OBSERVATION) for group, at in split(one)]
    together = [(group.bodies[at], group.sealed[at]) for group, at in split(*nasty(OBSERVATION))]
    splitter = DocumentSplitter(POLICY, TOKENISER, "north")
    texts = [text_of(one) for one in nasty(OBSERVATION)]
    splitter.split(texts)
    again, _ = splitter.split(texts)
    placed = {index: (group.bodies[at], group.sealed[at]) for group in again for at, index in enumerate(group.indexes)}
    assert alone == together == [placed[index] for index in range(len(texts))]


def test_a_memory_that_is_full_forgets_and_goes_on() -> None:
    splitter = DocumentSplitter(POLICY, TOKENISER, "north")
    splitter._memory.limit = 1
    for number in range(3):
        groups, _ = splitter.split([text_of({**OBSERVATION, "issued": f"2026-11-0{number + 1}T00:00:00Z"})])
        assert json.loads(groups[0].bodies[0])["issued"] == f"2026-11-0{number + 1}T00:00:00Z"


def test_values_that_do_not_fit_are_named_by_their_element_and_never_quoted() -> None:
    group, at = split({**OBSERVATION, "status": PLANTED, "valueQuantity": {"value": PLANTED}})[0]
    assert "Observation.status" in group.misfits[at] and "Observation.valueQuantity.value" in group.misfits[at]
    assert PLANTED not in str(group.misfits)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"{}", b"[]", b"null", b'{"resourceType":"Patient"}', b'{"id":"1"}', b'{"resourceType":"Klingon","id":"1"}', b'{"resourceType":1,"id":"1"}',
        b'{"resourceType":"Patient","id":1}', b'{"resourceType":"Patient","id":""}', b'{"resourceType":"Patient","id":"%b"}' % (b"x" * 256),
        b'{"resourceType":"Patient","id":"1\\n"}', b'{"resourceType":"Patient","id":"1\\u0007"}',
        b'{"resourceType":"Patient","id":"1","name":"\xff"}', b'{"resourceType":"Patient","id":"1","name":"\\ud800"}', b'{"resourceType":"Patient","id":"1","a":01}',
        b'{"resourceType":"Patient","id":"1"} {}', b'{"resourceType":"Patient","id":"1","a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)  # fmt: skip
def test_what_is_no_resource_is_handed_back_and_does_not_disturb_the_others(content: bytes) -> None:
    good = text_of(PATIENT)
    groups, unreadable = DocumentSplitter(POLICY, TOKENISER, "north").split([good, content, good])
    assert unreadable == [1]
    assert [list(group.indexes) for group in groups] == [[0, 2]]


LARGE = (
    b"1e999",
    b"-1E+400",
    b"9" * 400,
    b"[1e0309 ]",
    b'{"deep":[{"x":7e400}]}',
    b"7" * 290 + b"e50",
    b'[{"a":1},{"a":1e309}]',
)


@pytest.mark.parametrize(
    "element", ["notListed", "component", "valueQuantity", "status", "subject", "effectiveDateTime"]
)
def test_a_number_that_no_double_holds_is_handed_back_wherever_it_stands_and_however_often(element: str) -> None:
    plain = b'{"resourceType":"Observation","id":"%d","status":"final","%b":%b}'
    splitter = DocumentSplitter(POLICY, TOKENISER, "north")
    good = b'[{"text":"1e999, 2e400 and ' + b"4" * 400 + b'"}]'
    for _ in range(2):  # nothing of what cannot be read is remembered
        contents = [plain % (at, element.encode(), value) for at, value in enumerate((good, *LARGE, good))]
        groups, unreadable = splitter.split(contents)
        assert unreadable == list(range(1, len(LARGE) + 1))
        assert sorted(index for group in groups for index in group.indexes) == [0, len(LARGE) + 1]


def test_texts_with_a_nul_between_them_are_told_apart_all_the_same() -> None:
    raws = [msgspec.Raw(b"1"), msgspec.Raw(b'"a\0b"'), msgspec.Raw(b"[]")]
    assert texts_of(raws) == [b"1", b'"a\0b"', b"[]"] and texts_of([]) == []


def test_ids_with_escapes_have_the_token_of_what_they_say() -> None:
    groups, _ = DocumentSplitter(POLICY, TOKENISER, "north").split(
        [b'{"resourceType":"Patient","id":"a\\u0062"}', b'{"resourceType":"Patient","id":"ab"}']
    )
    assert len({token for group in groups for token in group.tokens}) == 1


def test_examples_of_every_kind_come_back_whole_and_hide_what_is_planted_in_any_leaf(real_inputs: Path) -> None:
    splitter = DocumentSplitter(POLICY, TOKENISER, "north")
    contents = list(real_resources(real_inputs))
    groups, unreadable = splitter.split(contents)
    assert unreadable == [] and len(contents) > 60
    for group in groups:
        for at, index in enumerate(group.indexes):
            assert rebuild(json.loads(group.bodies[at]), group.sealed[at]) == json.loads(contents[index])
    planted = [(path, text) for content in contents for path, text in _with_planted_leaves(json.loads(content))]
    groups, _ = splitter.split([text for _, text in planted])
    shown = {
        planted[index][0][-1]
        for group in groups
        for at, index in enumerate(group.indexes)
        if PLANTED.encode() in group.bodies[at]
    }
    # The display of a public code is the one text that stays: include/decisions/0162 says what guards it further on.
    assert len(planted) > 2_000 and shown <= {"display"}


def _microseconds(*moment: int) -> int:
    return (datetime(*moment, tzinfo=UTC) - datetime(2000, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _with_planted_leaves(resource: dict) -> Iterator[tuple[tuple, bytes]]:
    for path in _leaves(resource, ()):
        if path == ("resourceType",):
            continue
        changed = copy.deepcopy(resource)
        inner = changed
        for step in path[:-1]:
            inner = inner[step]
        inner[path[-1]] = PLANTED
        yield path, json.dumps(changed).encode()


def _leaves(value: object, path: tuple) -> Iterator[tuple]:
    if isinstance(value, str):
        yield path
    elif isinstance(value, (dict, list)):
        for step, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(inner, (*path, step))
