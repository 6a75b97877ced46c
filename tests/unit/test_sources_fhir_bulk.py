"""A bulk export comes out line by line: each a Document or a Reject with its reason, whatever stands in it."""

from __future__ import annotations

import gzip
import hashlib
import json
from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.sources.fhir_bulk import list_files
from include.sources.items import REASONS, BrokenContainerError, Document, Notice, Reject
from include.sources.resource_checks import judge_line
from tests.reading import kept, read, refused, source_of

PATIENT = b'{"resourceType":"Patient","id":"p1"}'


def bulk(content: bytes, **file):
    return read(source_of("fhir_bulk"), content, **{"resource_type": "Patient", **file})


def test_a_good_line_is_a_document_with_its_bytes_and_line_number():
    items = bulk(PATIENT + b"\n" + PATIENT.replace(b"p1", b"p2") + b"\n")
    assert [(item.place, item.resource["id"]) for item in items] == [(1, "p1"), (2, "p2")]
    assert items[0] == Document(1, PATIENT, {"resourceType": "Patient", "id": "p1"}, False)


BAD_LINES = {
    "invalid_utf8": b'{"resourceType":"Patient","id":"p","name":[{"family":"\xff"}]}',
    "nul": b'{"resourceType":"Patient","id":"p","name":[{"family":"a\\u0000b"}]}',
    "malformed_json": b'{"resourceType":"Patient","id":"p"',
    "lone_surrogate": b'{"resourceType":"Patient","id":"p","name":[{"family":"\\ud800"}]}',
    "number_out_of_range": b'{"resourceType":"Patient","id":"p","multipleBirthInteger":1e999}',
    "nested_too_deep": b'{"resourceType":"Patient","id":"p","x":' + b"[" * 2000 + b"]" * 2000 + b"}",
    "not_an_object": b'["Patient"]',
    "missing_resource_type": b'{"id":"p"}',
    "bad_resource_type": b'{"resourceType":"drop table","id":"p"}',
    "wrong_resource_type": b'{"resourceType":"Observation","id":"p"}',
    "missing_id": b'{"resourceType":"Patient"}',
    "bad_id": b'{"resourceType":"Patient","id":17}',
}


@pytest.mark.parametrize("reason", BAD_LINES)
def test_a_bad_line_is_refused_with_its_reason_and_the_others_are_read(reason):
    items = bulk(PATIENT + b"\n" + BAD_LINES[reason] + b"\n" + PATIENT + b"\n")
    assert refused(items) == [(2, reason)]
    assert [item.place for item in kept(items)] == [1, 3]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"resourceType":"Patient","id":"p","x":"\0"}', "nul"),
        (b'{"resourceType":"Patient","id":"p","a\\u0000":1}', "nul"),
        (b'{"resourceType":"Patient","id":"p","x":"\xed\xa0\x80"}', "lone_surrogate"),
        (b'{"resourceType":"Patient","id":""}', "missing_id"),
        (b'{"resourceType":"Patient","id":"' + b"x" * 256 + b'"}', "bad_id"),
        (b'{"resourceType":"Patient","id":"a\\nb"}', "bad_id"),
        (b'{"resourceType":7,"id":"p"}', "missing_resource_type"),
        (b'{"resourceType":"Patient","id":"p","x":NaN}', "malformed_json"),
        (b"null", "not_an_object"),
    ],
)
def test_other_ways_to_be_wrong_have_the_same_reasons(line, reason):
    assert refused(bulk(line)) == [(1, reason)]


def test_an_escaped_backslash_before_u0000_is_no_nul():
    assert len(kept(bulk(b'{"resourceType":"Patient","id":"p","x":"\\\\u0000"}'))) == 1


def test_long_ids_that_are_no_fhir_ids_but_fit_are_kept():
    assert len(kept(bulk(b'{"resourceType":"Patient","id":"' + b"x" * 255 + b'"}'))) == 1


def test_a_line_over_the_limit_is_refused_and_known_by_its_hash():
    source = source_of("fhir_bulk", max_record_bytes=1024)
    long_line = b'{"resourceType":"Patient","id":"p","x":"' + b"x" * 2000 + b'"}'
    items = read(source, PATIENT + b"\n" + long_line + b"\n" + PATIENT, resource_type="Patient")
    assert refused(items) == [(2, "over_long")]
    assert items[1].content_sha256 == hashlib.sha256(long_line).hexdigest()


def test_a_reason_never_quotes_the_record():
    secret = b"Zebulon-Unmistakable"
    for line in BAD_LINES.values():
        for item in bulk(line.replace(b'"p"', b'"' + secret + b'"')):
            if isinstance(item, Reject):
                assert secret.decode() not in str(item)


def test_blank_lines_hold_no_record_and_are_said():
    items = bulk(PATIENT + b"\n\n  \r\n" + PATIENT + b"\r\n")
    assert items[-1] == Notice("blank_line", 2)
    assert len(kept(items)) == 2


def test_any_type_is_taken_where_neither_manifest_nor_name_says_one():
    items = read(source_of("fhir_bulk"), PATIENT + b'\n{"resourceType":"Goal","id":"g"}\n', resource_type=None)
    assert [item.resource["resourceType"] for item in items] == ["Patient", "Goal"]


def test_a_truncated_gzip_breaks_the_file_after_what_could_be_read():
    content = gzip.compress(b"\n".join([PATIENT] * 5000))[:-20]
    with pytest.raises(BrokenContainerError, match="ends in the middle; expected a whole gzip file"):
        bulk(content, is_gzip=True)


def test_every_reason_says_what_was_found_what_was_expected_and_what_to_do():
    assert all(len(words) == 3 and all(words) for words in REASONS.values())


# -- deletions


def deletions(*urls: str, **bundle) -> bytes:
    entries = [{"request": {"method": "DELETE", "url": url}} for url in urls]
    return orjson.dumps({"resourceType": "Bundle", "type": "transaction", "entry": entries, **bundle})


def test_deleted_bundles_become_tombstones():
    content = (
        deletions("Patient/p1", "https://ehr.example.org/fhir/Encounter/e1") + b"\n" + deletions("Goal/g1/_history/2")
    )
    items = read(source_of("fhir_bulk"), content, role="deleted", resource_type=None)
    assert [(item.place, item.resource["resourceType"], item.resource["id"], item.is_deleted) for item in items] == [
        (1, "Patient", "p1", True),
        (2, "Encounter", "e1", True),
        (3, "Goal", "g1", True),
    ]


def test_a_tombstone_says_when_the_source_deleted():
    (item,) = read(
        source_of("fhir_bulk"),
        deletions("Patient/p1", meta={"lastUpdated": "2026-11-20T00:00:00Z"}),
        role="deleted",
        resource_type=None,
    )
    assert item.resource["meta"] == {"lastUpdated": "2026-11-20T00:00:00Z"}


def test_a_deletion_that_names_nothing_is_refused():
    content = deletions("Patient", "Patient?identifier=x|y") + b'\n{"resourceType":"Patient","id":"p"}\nnot json\n'
    items = read(source_of("fhir_bulk"), content, role="deleted", resource_type=None)
    assert refused(items) == [(1, "bad_delete"), (2, "bad_delete"), (3, "wrong_resource_type"), (4, "malformed_json")]


# -- what a folder holds


def make_export(folder, **files: bytes):
    for name, content in files.items():
        path = folder / name.replace("__", "/").replace("_ndjson", ".ndjson").replace("_gz", ".gz").replace(
            "_json", ".json"
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return source_of("fhir_bulk", folder)


def summary(listing):
    return [(file.path.name, file.role, file.resource_type, file.is_gzip) for file in listing.files]


def test_without_a_manifest_names_tell_the_type_and_a_log_is_passed_over(tmp_path):
    source = make_export(
        tmp_path,
        **{
            "Patient.000_ndjson": PATIENT,
            "Condition_ndjson_gz": gzip.compress(b"x"),
            "log_ndjson": b'{"exportId":"1","eventId":"kickoff"}\n',
            "part-7_ndjson": PATIENT,
            "readme.txt": b"hello",
            ".hidden_ndjson": PATIENT,
            "Goal.ndjson.part": PATIENT,
            "deleted__Bundle_ndjson": deletions("Patient/p1"),
        },
    )
    listing = list_files(source)
    assert summary(listing) == [
        ("Condition.ndjson.gz", "data", "Condition", True),
        ("Patient.000.ndjson", "data", "Patient", False),
        ("part-7.ndjson", "data", None, False),
        ("Bundle.ndjson", "deleted", None, False),
    ]
    assert listing.ignored == 4
    assert listing.files[0].label == "file 1 of 4 (.ndjson.gz)"


def test_the_manifest_says_types_deletions_times_and_what_is_absent(tmp_path):
    manifest = {
        "transactionTime": "2026-11-22T09:40:58Z",
        "output": [
            {"type": "Patient", "url": "https://ehr.example.org/files/1.ndjson"},
            {"type": "Goal", "url": "https://ehr.example.org/files/absent.ndjson"},
        ],
        "deleted": [{"type": "Bundle", "url": "https://ehr.example.org/files/gone.ndjson?token=x"}],
        "error": [{"type": "OperationOutcome", "url": "https://ehr.example.org/files/errors.ndjson"}],
    }
    source = make_export(
        tmp_path,
        **{
            "manifest_json": json.dumps(manifest).encode(),
            "1_ndjson_gz": gzip.compress(PATIENT),
            "gone_ndjson": deletions("Patient/p2"),
            "errors_ndjson": b'{"resourceType":"OperationOutcome"}',
        },
    )
    listing = list_files(source)
    assert summary(listing) == [
        ("manifest.json", "manifest", None, False),
        ("1.ndjson.gz", "data", "Patient", True),
        ("gone.ndjson", "deleted", None, False),
    ]
    assert listing.absent == ("Goal",)
    assert listing.delivered_at == datetime(2026, 11, 22, 9, 40, 58, tzinfo=UTC)
    assert listing.notes == ("1 file of export errors announced by the manifest",)
    assert listing.files[0].dataset is None


@pytest.mark.parametrize("said", ["Quackenbush", ["Patient"], {"a": 1}])
def test_a_type_that_fhir_does_not_have_is_not_told_and_the_name_tells_it(tmp_path, said):
    manifest = {"output": [{"type": said, "url": "Patient.ndjson"}, {"type": said, "url": "http://[absent.ndjson"}]}
    source = make_export(tmp_path, manifest_json=json.dumps(manifest).encode(), Patient_ndjson=PATIENT)
    listing = list_files(source)
    assert summary(listing)[1:] == [("Patient.ndjson", "data", "Patient", False)]
    assert listing.absent == ("a type that FHIR R4 does not have",)


def test_a_refusal_never_repeats_a_word_that_is_no_type():
    for line in (b'{"resourceType":"Quackenbush","id":"p"}', b'{"resourceType":"Quackenbush"}'):
        for expected in ("Patient", None):
            (refusal,) = bulk(line, resource_type=expected) if expected else [judge_line(1, line, None)]
            assert "Quackenbush" not in str(refusal) or isinstance(refusal, Document)


def test_a_manifest_that_cannot_be_read_is_said_and_names_tell_the_types(tmp_path):
    source = make_export(tmp_path, manifest_json=b"{", Patient_ndjson=PATIENT)
    listing = list_files(source)
    assert summary(listing)[1:] == [("Patient.ndjson", "data", "Patient", False)]
    assert "manifest.json that is not the JSON object of a Bulk Data export" in listing.notes[0]


def test_hints_name_no_file(tmp_path):
    (tmp_path / "Ann_Example.ndjson").write_bytes(PATIENT)
    (file,) = list_files(source_of("fhir_bulk", tmp_path)).files
    assert "Ann" not in json.dumps(file.hint()) + file.label


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=400).filter(lambda content: not content.startswith(b"\x1f\x8b")))
def test_whatever_the_bytes_every_line_comes_out_once(content):
    items = bulk(content)
    places = sorted(item.place for item in items if not isinstance(item, Notice))
    blank = sum(item.count for item in items if isinstance(item, Notice))
    lines = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    lines = lines[:-1] if lines[-1] == b"" else lines
    assert len(places) == len(set(places)) == len(lines) - blank


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=80, deadline=None)
@given(st.dictionaries(st.sampled_from(["resourceType", "id", "x"]), _JSON | st.sampled_from(["Patient", "p1"])))
def test_only_resources_of_the_type_with_a_text_id_are_documents(resource):
    text = json.dumps(resource).encode()
    (item,) = bulk(text)
    is_good = resource.get("resourceType") == "Patient" and isinstance(resource.get("id"), str) and resource["id"] != ""
    if isinstance(item, Document):
        assert is_good
        assert item.resource["id"] == resource["id"]
    else:
        assert not is_good or item.reason_code in ("nul", "bad_id", "lone_surrogate", "number_out_of_range")
