"""What make check is asked for and cannot do is told in words, before anything is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.quality.catalogue.asked import find
from include.sources.registry import SourcesError


def refusal(asked: str, **more) -> str:
    with pytest.raises(SourcesError) as refused:
        find(asked, **more)
    return f"{refused.value.found} | {refused.value.action}"


def test_what_cannot_be_checked_is_told_with_what_to_say_instead(tmp_path: Path):
    folder = tmp_path / "delivery"
    folder.mkdir()
    assert "no SOURCE" in refusal("")
    assert "there is no" in refusal(str(tmp_path / "nowhere"))
    assert "none of 0 files" in refusal(str(folder))
    (folder / "odd.bin").write_bytes(b"odd")
    assert "say it: KIND=" in refusal(str(folder))
    assert "no kind is called 'hl7'" in refusal(str(folder), kind="hl7")
    assert "no database URL" in refusal(str(folder), kind="database")
    (folder / "a.csv").write_text("id\n1\n")
    assert "CONTRACT=contract.yml" in refusal(str(folder))
    assert "'patient_id' does not say one of" in refusal(str(folder), kind="clinical_notes")
    (folder / "a.txt").write_text("MRN: 1")
    notes = find(str(folder), "clinical_notes", words=["patient_id={header: MRN}; identifier_system=urn:x;files=*.txt"])
    assert (notes.options.place, notes.options.said, notes.files) == ("header", "MRN", ("*.txt",))
    assert "SET=files=… is not YAML" in refusal(str(folder), kind="hl7v2", words=["files=[a"])


def test_files_tell_their_kind_by_name_or_by_what_they_begin_with(tmp_path: Path):
    for name, content, kind in (
        ("Patient.ndjson.gz", b"", "fhir_bulk"), ("a.hl7", b"", "hl7v2"), ("bundle.json", b"{}", "fhir_bundles"),
        ("IM0001", bytes(128) + b"DICM", "dicom"), ("x.dcm", b"", "dicom"),
    ):  # fmt: skip
        folder = tmp_path / name
        folder.mkdir()
        (folder / name).write_bytes(content)
        assert find(str(folder)).kind == kind
