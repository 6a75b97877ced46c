"""Kind dicom: every instance is read or refused, headers only, whatever its encoding; nothing unnamed stays in clear."""

from __future__ import annotations

import gzip
import io
import json
import random
import resource
import struct
import warnings
import zlib
from pathlib import Path

import orjson
import pydicom
import pydicom.data
import pytest
import yaml
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from include.privacy.classification import load_classification
from include.privacy.documents import DocumentSplitter
from include.privacy.tokens import Tokeniser
from include.sources import dicom_files
from include.sources.convert import main as convert
from include.sources.dicom_policy import POLICY_FILE, DicomPolicyError, load_dicom_policy
from include.sources.dicom_study import HEADER_URL, RISK_URL, body_part
from include.sources.items import BrokenContainerError, Document, Notice, Reject
from include.sources.listing import Landed
from include.sources.registry import Source, load_sources
from tests.dicom_instances import NUMBER, PHONE, ROOT, SECRET_TAGS, coded, instance, written

FILES = Path(pydicom.data.__file__).parent / "test_files"
SOURCE = Source("pacs", "dicom", FILES, timezone="America/New_York")
SYNTAXES = [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]


def read(content: bytes, *, is_gzip: bool = False, source: Source = SOURCE) -> list:
    return list(dicom_files.read(source, lambda: io.BytesIO(content), Landed(is_gzip=is_gzip)))


def documents(content: bytes, **options) -> tuple[dict, dict]:
    patient, study = (item.resource for item in read(content, **options))
    return patient, study


def risk(study: dict) -> str:
    return next(each["valueCode"] for each in study["extension"] if each["url"] == RISK_URL)


def refused(content: bytes, **options) -> str:
    with pytest.raises(BrokenContainerError) as problem:
        read(content, **options)
    return problem.value.reason_code


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_an_instance_says_the_same_in_every_transfer_syntax(syntax) -> None:
    patient, study = documents(instance(syntax=syntax))
    assert patient["name"] == [{"family": "Quackenbush", "given": ["Zebedee"]}]
    assert (patient["id"], patient["birthDate"], patient["gender"]) == (NUMBER, "1980-02-29", "female")
    assert study["id"] == f"{ROOT}.1.1.1"
    assert study["identifier"][0] == {"system": "urn:dicom:uid", "value": f"urn:oid:{ROOT}.1"}
    assert study["started"] == "2026-03-01T10:15:00-05:00", "the source's own zone"
    assert study["subject"] == {"reference": f"Patient/{NUMBER}"}
    series = study["series"][0]
    assert (series["uid"], series["number"], series["modality"]["code"]) == (f"{ROOT}.1.1", 1, "CT")
    assert series["bodySite"] == {"system": "http://snomed.info/sct", "code": "816094009", "display": "Chest"}
    assert series["instance"] == [
        {"uid": f"{ROOT}.1.1.1", "sopClass": {"system": "urn:ietf:rfc:3986", "code": "urn:oid:1.2.840.10008.5.1.4.1.1.2"}, "number": 1}
    ]  # fmt: skip


def test_pydicom_s_own_files_come_out_as_pydicom_reads_them_or_are_refused() -> None:
    """What pydicom finds of study, series, instance and patient is what we found; what it cannot tell is refused."""
    seen = refusals = 0
    for file in dicom_files.list_files(SOURCE).files:
        content = file.path.read_bytes()
        try:
            items = read(content, is_gzip=file.is_gzip)
        except BrokenContainerError as problem:
            assert problem.reason_code in {"not_dicom", "truncated_file"}, file.path.name
            refusals += 1
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            known = pydicom.dcmread(
                io.BytesIO(gzip.decompress(content) if file.is_gzip else content), stop_before_pixels=True, force=True
            )
        uids = [str(known.get(name) or "") for name in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")]
        if isinstance(items[-1], Reject):
            assert items[-1].reason_code == "missing_uid" and not all(uids), file.path.name
            refusals += 1
            continue
        if isinstance(items[-1], Notice):
            continue
        study = items[-1].resource
        found = [study["id"], study["identifier"][0]["value"].removeprefix("urn:oid:"), study["series"][0]["uid"]]
        assert found == uids, file.path.name
        assert study.get("modality", [{}])[0].get("code", "") == str(known.get("Modality") or "").upper(), (
            file.path.name
        )
        if known.get("PatientID"):
            assert items[0].resource["identifier"][0]["value"] == str(known.PatientID).strip(), file.path.name
        seen += 1
    assert seen > 100 and 5 <= refusals < 30


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "truncated_file"),
        (b"%PDF-1.7 not a picture" * 20, "not_dicom"),
        (json.dumps({"resourceType": "Patient", "id": "1"}).encode(), "not_dicom"),
        (instance()[:-10], "truncated_file"),
        (instance()[:400], "truncated_file"),
        (instance()[:140], "truncated_file"),
        (instance(syntax=DeflatedExplicitVRLittleEndian)[:-6], "truncated_file"),
        (gzip.compress(instance(), mtime=0)[:-30], "truncated_gzip"),
    ],
)
def test_what_is_no_whole_dicom_file_is_refused_with_the_reason(content: bytes, reason: str) -> None:
    assert refused(content, is_gzip=content.startswith(b"\x1f\x8b")) == reason


def test_damaged_deflate_is_refused() -> None:
    whole = bytearray(instance(syntax=DeflatedExplicitVRLittleEndian))
    whole[-60:-20] = bytes(40)
    assert refused(bytes(whole)) in {"broken_deflate", "truncated_file"}


def test_an_instance_without_its_uids_is_refused_and_its_patient_id_is_not_quoted() -> None:
    item = read(instance(StudyInstanceUID=None))[0]
    assert isinstance(item, Reject) and item.reason_code == "missing_uid"
    assert NUMBER not in json.dumps(item)


def test_directories_of_media_are_passed_over_by_name_and_by_content(tmp_path) -> None:
    (tmp_path / "DICOMDIR").write_bytes((FILES / "dicomdirtests" / "DICOMDIR").read_bytes())
    (tmp_path / "IM0001").write_bytes(instance())
    listing = dicom_files.list_files(Source("pacs", "dicom", tmp_path))
    assert [file.path.name for file in listing.files] == ["IM0001"] and listing.ignored == 1
    assert read((tmp_path / "DICOMDIR").read_bytes()) == [Notice("dicom_directory", 1)]


def test_names_of_any_character_set_are_read() -> None:
    names = {
        "ISO_IR 192": ("Müller^Jürgen", "Müller"),
        "ISO_IR 100": ("Müller^Jürgen", "Müller"),
        "ISO_IR 144": ("Люкceмбypг", "Люкceмбypг"),
    }
    for charset, (said, family) in names.items():
        patient, _ = documents(instance(SpecificCharacterSet=charset, PatientName=said))
        assert patient["name"][0]["family"] == family, charset
    for file, family in (("chrH31.dcm", "Yamada"), ("chrI2.dcm", "Hong")):
        path = next(iter((FILES.parent / "charset_files").glob(file)), None)
        if path:
            item = read(path.read_bytes())[0]
            assert isinstance(item, Reject) or item.resource["name"][0]["family"] == family


def test_no_tag_that_the_policy_does_not_name_stays_in_clear_and_uids_are_tokens() -> None:
    splitter = DocumentSplitter(load_classification(), Tokeniser(b"k" * 32), "pacs")
    items = read(instance(ReferringPhysicianName="Physician^Ursula", BodyPartExamined="ZEBEDEES LEG"))
    groups, unreadable = splitter.split([item.content for item in items])
    clear = b"".join(body for group in groups for body in group.bodies).decode()
    sealed = b"".join(text for group in groups for text in group.sealed).decode()
    assert unreadable == []
    for secret in (
        *SECRET_TAGS.values(),
        "Quackenbush",
        "Zebedee",
        NUMBER,
        PHONE,
        ROOT,
        "QUACK",
        "ZEBEDEES",
        HEADER_URL,
    ):
        assert secret not in clear
    assert HEADER_URL in sealed and ROOT in sealed
    study = json.loads(next(g.bodies[0] for g in groups if g.resource_type == "ImagingStudy"))
    assert study["identifier"][0]["value"].startswith("urn:uuid:")
    assert study["series"][0]["uid"].startswith("urn:uuid:") and study["series"][0]["instance"][0]["uid"].startswith(
        "urn:uuid:"
    )
    assert study["series"][0]["instance"][0]["sopClass"]["code"] == "urn:oid:1.2.840.10008.5.1.4.1.1.2"
    assert study["modality"] == [{"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "CT"}]
    tokens = next(g.matches[0] for g in groups if g.resource_type == "Patient")
    assert any(token.startswith("id:") for token in tokens)


def test_the_sealed_header_holds_every_tag_but_no_pixels() -> None:
    _, study = documents(instance(pixels=50_000))
    kept = next(each["valueBase64Binary"] for each in study["extension"] if each["url"] == HEADER_URL)
    assert len(kept) < 8_000


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({}, "not suspected"),
        ({"BurnedInAnnotation": "YES"}, "declared"),
        ({"BurnedInAnnotation": "NO"}, "denied"),
        ({"Modality": "US"}, "suspected"),
        ({"Modality": "US", "BurnedInAnnotation": "NO"}, "suspected"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, "suspected"),
        ({"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]}, "suspected"),
        ({"ConversionType": "WSD"}, "suspected"),
    ],
)
def test_the_risk_of_names_in_the_pixels_is_told(tags: dict, expected: str) -> None:
    assert risk(documents(instance(**tags))[1]) == expected


def test_times_keep_their_zone_and_odd_dates_are_left_to_the_classification() -> None:
    assert documents(instance(TimezoneOffsetFromUTC="+0530"))[1]["started"] == "2026-03-01T10:15:00+05:30"
    assert documents(instance(StudyTime=None))[1]["started"] == "2026-03-01"
    assert documents(instance(StudyDate="2026.03.01", StudyTime="10:15"))[1]["started"] == "2026-03-01T10:15:00-05:00"
    assert documents(instance(StudyDate="20261399", StudyTime=None))[1]["started"] == "20261399"


def test_codes_keep_their_system_and_words_of_one_s_own_are_no_body_site() -> None:
    _, study = documents(
        instance(
            ProcedureCodeSequence=coded("24627-2", "LN", "Chest CT"),
            AnatomicRegionSequence=coded("39607008", "SCT", "Lung"),
        )
    )
    assert study["procedureCode"][0]["coding"][0] == {
        "system": "http://loinc.org",
        "code": "24627-2",
        "display": "Chest CT",
    }
    assert study["series"][0]["bodySite"]["code"] == "39607008"
    assert body_part("LSPINE")["display"] == "Lumbar spine" and body_part("BRAIN")["code"] == "12738006"
    assert body_part("MR SMITH") is None


def test_without_a_number_the_study_stands_for_its_patient_and_without_anything_there_is_none() -> None:
    patient, study = documents(instance(PatientID=None))
    assert patient["id"] == f"study-{ROOT}.1" and study["subject"]["reference"] == f"Patient/study-{ROOT}.1"
    only = read(instance(PatientID=None, PatientName=None, PatientBirthDate=None))
    assert [item.resource["resourceType"] for item in only] == ["ImagingStudy"] and "subject" not in only[0].resource


def test_numbers_of_different_issuers_are_different_people() -> None:
    one, other = (documents(instance(IssuerOfPatientID=issuer))[0] for issuer in ("NORTH", "SOUTH"))
    assert one["id"] != other["id"] and one["identifier"][0]["system"] == "NORTH"


def test_numbers_without_an_issuer_meet_other_sources_only_where_their_system_is_declared(tmp_path) -> None:
    (tmp_path / "sources.yml").write_text(
        "sources: [{name: pacs, kind: dicom, path: x, identifier_system: 'http://north.example.org/mrn'}]"
    )
    declared = load_sources(tmp_path / "sources.yml")[0]
    assert documents(instance(), source=declared)[0]["identifier"] == [
        {"system": "http://north.example.org/mrn", "value": NUMBER}
    ]
    tokens = {}
    for name in ("pacs", "other"):
        groups, _ = DocumentSplitter(load_classification(), Tokeniser(b"k" * 32), name).split(
            [read(instance())[0].content]
        )
        tokens[name] = {token for token in groups[0].matches[0] if token.startswith("id:")}
    assert tokens["pacs"] and tokens["pacs"].isdisjoint(tokens["other"])


def test_a_study_is_the_set_of_its_instances_in_whatever_order_they_come() -> None:
    items = [
        item.resource for n in range(1, 4) for series in (1, 2) for item in read(instance(series=series, number=n))
    ]
    whole = dicom_files.combine(items)
    shuffled = items + items[:3]
    random.Random(7).shuffle(shuffled)
    assert orjson.dumps(dicom_files.combine(shuffled), option=orjson.OPT_SORT_KEYS) == orjson.dumps(
        whole, option=orjson.OPT_SORT_KEYS
    )
    patient, study = whole
    assert patient["resourceType"] == "Patient"
    assert (study["id"], study["numberOfSeries"], study["numberOfInstances"]) == (f"{ROOT}.1", 2, 6)
    assert [part["number"] for part in study["series"][0]["instance"]] == [1, 2, 3]


def test_a_bomb_is_refused_without_filling_the_memory(monkeypatch) -> None:
    monkeypatch.setattr(dicom_files, "MOST_UNPACKED", 8 << 20)
    monkeypatch.setattr("include.sources.dicom_elements.MOST_UNPACKED", 8 << 20)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    start = instance(pixels=0, syntax=ExplicitVRLittleEndian)
    meta = instance(pixels=0, syntax=DeflatedExplicitVRLittleEndian)
    length = 132 + 12 + struct.unpack("<I", meta[140:144])[0]
    body = start[132 + 12 + struct.unpack("<I", start[140:144])[0] :] + struct.pack(
        "<HH2sHI", 0x7FE0, 0x10, b"OB", 0, 0x7FFFFFFE
    )
    packed = packer.compress(body) + b"".join(packer.compress(bytes(1 << 20)) for _ in range(64)) + packer.flush()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(BrokenContainerError) as problem:
        dicom_files.read_header([meta[:length] + packed].__iter__(), most_header=1 << 20, most_unpacked=8 << 20)
    assert problem.value.reason_code == "unpacks_without_end"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40_000, "kilobytes"


def test_a_header_without_end_is_refused_and_a_large_value_is_passed_over() -> None:
    plain = instance(pixels=0)
    long = plain + b"".join(struct.pack("<HH2sHI", 0x4FFE, n, b"OB", 0, 60_000) + bytes(60_000) for n in range(1, 20))
    small = Source("pacs", "dicom", FILES, max_record_bytes=100_000)
    assert refused(long, source=small) == "over_long_header"
    large = plain + struct.pack("<HH2sHI", 0x4FFE, 1, b"OB", 0, 5_000_000) + bytes(5_000_000)
    assert len(read(large, source=small)) == 2


def test_the_kind_is_declared_like_the_others(tmp_path) -> None:
    (tmp_path / "sources.yml").write_text("sources: [{name: pacs, kind: dicom, path: images, required: true}]")
    assert load_sources(tmp_path / "sources.yml")[0].kind == "dicom"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda said: said["tags"].update(PatientNaem={"as": "clear", "profile": "-", "why": "x"}), "PatientNaem"),
        (lambda said: said["tags"]["PatientName"].update({"as": "clear"}), "Basic Profile"),
        (lambda said: said["tags"]["Modality"].pop("why"), "Modality"),
        (lambda said: said["burned_in"].pop("modalities"), "modalities"),
        (lambda said: said.update(deny=[]), "deny"),
    ],
)
def test_a_policy_that_lets_names_pass_or_says_unknown_words_is_refused(tmp_path, change, says: str) -> None:
    said = yaml.safe_load(POLICY_FILE.read_text())
    change(said)
    (tmp_path / "dicom.yml").write_text(yaml.safe_dump(said))
    with pytest.raises(DicomPolicyError, match=says):
        load_dicom_policy(tmp_path / "dicom.yml")


def corpus() -> list[bytes]:
    """Whole files to damage: one of each transfer syntax, with sequences, and small real ones."""
    made = [instance(syntax=syntax, ProcedureCodeSequence=coded("1", "99X", "x")) for syntax in SYNTAXES]
    real = [path.read_bytes() for path in sorted(FILES.glob("*.dcm")) if path.stat().st_size < 20_000]
    return [*made, *real]


def damaged(content: bytes, rng: random.Random) -> bytes:
    """The same file after one of the things that happen to files, or that somebody does to them."""
    at = rng.randrange(len(content))
    kind = rng.randrange(5)
    if kind == 0:
        return content[:at]
    if kind == 1:
        return content[:at] + rng.randbytes(rng.randrange(1, 9)) + content[at + 4 :]
    if kind == 2:
        return content[:at] + b"\xff\xff\xff\xff" + content[at + 4 :]
    if kind == 3:
        return content[:at] + content[at // 2 :]
    head = rng.randrange(128, min(len(content), 600)) if len(content) > 200 else at
    return content[:head] + rng.randbytes(2) + content[head + 2 :]


def fuzz(rounds: int, seed: int) -> None:
    rng = random.Random(seed)
    files = corpus()
    for _ in range(rounds):
        content = damaged(rng.choice(files), rng)
        try:
            items = read(content, is_gzip=content.startswith(b"\x1f\x8b"))
        except BrokenContainerError:
            continue
        for item in items:
            assert isinstance(item, (Document, Reject, Notice))
            if isinstance(item, Document):
                json.loads(item.content)


def test_damaged_files_are_read_or_refused() -> None:
    fuzz(600, seed=3)


@pytest.mark.slow
def test_fuzz_dicom_for_minutes() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for seed in range(60):
        fuzz(2_000, seed=seed)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000, "memory grows"


def test_written_data_sets_without_preamble_are_read() -> None:
    whole = instance()
    length = 132 + 12 + struct.unpack("<I", whole[140:144])[0]
    assert len(read(whole[length:])) == 2
    assert len(read(whole[132:])) == 2
    data = pydicom.dcmread(io.BytesIO(whole))
    assert written(data, ExplicitVRLittleEndian).startswith(bytes(128))


def test_converting_a_folder_writes_one_study_whatever_the_number_of_its_files(tmp_path) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    for series in (1, 2):
        for number in (1, 2, 3):
            (tmp_path / "in" / "deep" / f"IM{series}{number}").write_bytes(instance(series=series, number=number))
    (tmp_path / "in" / "short.dcm").write_bytes(instance(study=2)[:-9])
    assert convert(["--kind", "dicom", "--in", str(tmp_path / "in"), "--out", str(tmp_path / "out")]) == 1
    study, *more = [json.loads(line) for line in (tmp_path / "out" / "ImagingStudy.ndjson").read_text().splitlines()]
    assert more == [] and (study["numberOfSeries"], study["numberOfInstances"]) == (2, 6)
    assert len((tmp_path / "out" / "Patient.ndjson").read_text().splitlines()) == 1
    assert "truncated_file" in (tmp_path / "out" / "rejects.ndjson").read_text()
