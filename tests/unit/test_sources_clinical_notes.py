"""Kind clinical_notes: whose a note is, by name, header or manifest; each a DocumentReference; and attachments' texts."""

from __future__ import annotations

import base64
import gzip
from contextlib import suppress
from pathlib import Path

import pytest

from include.privacy.text.attachments import UnreadableError, read_attachment
from include.sources.clinical_notes import list_files, read
from include.sources.items import BrokenContainerError, Reject
from include.sources.registry import SourcesError, load_sources

CDA = (
    '<ClinicalDocument xmlns="urn:hl7-org:v3"><recordTarget><name>Hidden</name></recordTarget><component><section>'
    "<title>Plan</title><text><paragraph>Rest</paragraph><table><tr><td>Aspirin</td><td>81 mg</td></tr></table></text>"
    "</section></component></ClinicalDocument>"
)


def source_of(folder: Path, words: str):
    (folder / "sources.yml").write_text(f"sources:\n  - {{name: scans, kind: clinical_notes, path: notes, {words}}}\n")
    (folder / "notes").mkdir(exist_ok=True)
    return load_sources(folder / "sources.yml")[0]


def items(source) -> list:
    return [
        item
        for file in list_files(source).files
        if file.dataset
        for item in read(source, lambda f=file: f.path.open("rb"), file)
    ]


def test_the_file_s_name_says_whose_a_note_is_and_when(tmp_path):
    source = source_of(
        tmp_path, 'patient_id: {file_name: "(?P<patient>[0-9]+)_(?P<date>[0-9]{8})"}, identifier_system: "urn:oid:1.2"'
    )
    (tmp_path / "notes" / "4711_20240131.txt").write_text("Doing well.")
    (tmp_path / "notes" / "nobody.txt").write_text("Whose?")
    (tmp_path / "notes" / "ignored.jpg").write_bytes(b"x")
    patient, document, refused = items(source)
    assert patient.resource["identifier"] == [{"system": "urn:oid:1.2", "value": "4711"}]
    assert document.resource["subject"] == {"reference": "Patient/4711"}
    assert document.resource["context"]["period"]["start"] == "2024-01-31"
    assert base64.b64decode(document.resource["content"][0]["attachment"]["data"]) == b"Doing well."
    assert isinstance(refused, Reject)
    assert refused.reason_code == "no_patient_id"
    assert list_files(source).ignored == 1


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.txt", b"MRN: 88-1\nText"),
        ("a.html", b"<p>MRN: 88-1</p><p>x</p>"),
        ("a.rtf", rb"{\rtf1 MRN: 88-1\par x}"),
        ("a.txt.gz", gzip.compress(b"mrn = 88-1\n", mtime=0)),
    ],
)
def test_a_header_line_says_whose_a_note_is_in_every_form(tmp_path, name, data):
    source = source_of(tmp_path, "patient_id: {header: MRN}")
    (tmp_path / "notes" / name).write_bytes(data)
    (document,) = items(source)
    assert document.resource["subject"]["reference"] == "Patient/88-1"


def test_a_manifest_says_whose_notes_are_and_what_they_are(tmp_path):
    source = source_of(tmp_path, "patient_id: {manifest: list.csv}")
    (tmp_path / "notes" / "deep").mkdir()
    (tmp_path / "notes" / "deep" / "n1.pdf").write_bytes(b"%PDF-1.4")
    (tmp_path / "notes" / "list.csv").write_text("file,patient_id,type_code,date\ndeep/n1.pdf,p 1,18842-5,2023-05-06\n")
    listing = list_files(source)
    assert [file.role for file in listing.files] == ["manifest", "data"]
    (document,) = items(source)
    assert document.resource["type"]["coding"][0]["code"] == "18842-5"
    assert " " not in document.resource["subject"]["reference"]


def test_an_empty_note_is_refused_as_a_file(tmp_path):
    source = source_of(tmp_path, "patient_id: {header: MRN}")
    (tmp_path / "notes" / "a.txt").write_bytes(b" \n")
    with pytest.raises(BrokenContainerError, match="an empty file"):
        items(source)


@pytest.mark.parametrize(
    "words",
    ["patient_id: {nowhere: x}", 'patient_id: {file_name: "([0-9]+)"}', "patient_id: {header: MRN}, type: {name: x}"],
)
def test_words_that_say_nothing_are_refused_at_once(tmp_path, words):
    with pytest.raises(SourcesError, match="scans"):
        source_of(tmp_path, words)


@pytest.mark.parametrize(
    ("data", "said", "form", "text"),
    [
        ("naïve ü".encode(), "text/plain", "plain", "naïve ü"),
        ("naïve".encode("cp1252"), "text/plain", "plain", "naïve"),
        (b"<html><head><title>t</title></head><body><p>One</p><script>x</script>Two<br>Three</body></html>", "text/html", "html", "One\nTwo\nThree"),
        (rb"{\rtf1\ansi Caf\'e9\par Two}", "application/rtf", "rtf", "Café\nTwo"),
    ],
)  # fmt: skip
def test_texts_are_read_by_what_their_bytes_are(data, said, form, text):
    found = read_attachment(data, said)
    assert (found.form, found.text) == (form, text)


def test_of_a_clinical_document_the_narrative_is_read_and_not_its_header():
    found = read_attachment(CDA.encode(), "text/xml")
    assert found.form == "ccda"
    assert found.text.startswith("Plan:\n")
    assert "Aspirin" in found.text
    assert "81 mg" in found.text
    assert "Hidden" not in found.text


def test_a_pdf_s_text_is_read(tmp_path):
    from pypdf import PdfWriter
    from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

    writer = PdfWriter()
    page = writer.add_blank_page(200, 200)
    font = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Font"),
            NameObject("/Subtype"): NameObject("/Type1"),
            NameObject("/BaseFont"): NameObject("/Helvetica"),
        }
    )
    page[NameObject("/Resources")] = DictionaryObject(
        {NameObject("/Font"): DictionaryObject({NameObject("/F1"): font})}
    )
    stream = DecodedStreamObject()
    stream.set_data(b"BT /F1 12 Tf 10 100 Td (Chest pain resolved) Tj ET")
    page[NameObject("/Contents")] = writer._add_object(stream)
    writer.write(tmp_path / "a.pdf")
    assert read_attachment((tmp_path / "a.pdf").read_bytes(), "application/pdf").text == "Chest pain resolved"


BOMB = b'<!DOCTYPE a [<!ENTITY b "bbbbbbbbbb"><!ENTITY c "&b;&b;&b;">]><ClinicalDocument xmlns="urn:hl7-org:v3"><section><text>&c;</text></section></ClinicalDocument>'


@pytest.mark.parametrize("data", [BOMB, b"<a", b"%PDF-1.7 nothing", b"\x89PNG\r\n"])
def test_hostile_and_broken_attachments_give_no_text_and_no_other_error(data):
    with pytest.raises(UnreadableError):
        read_attachment(data, "image/png" if data[:1] == b"\x89" else "application/xml")


def test_an_attachment_reads_no_file_of_this_machine(tmp_path):
    (tmp_path / "canary").write_text("canary of this machine")
    narrative = f"""<!DOCTYPE a [<!ENTITY x SYSTEM "{(tmp_path / "canary").as_uri()}">]><ClinicalDocument xmlns="urn:hl7-org:v3">
        <component><structuredBody><component><section><text>seen %s</text></section></component></structuredBody></component>
        </ClinicalDocument>"""
    with suppress(UnreadableError):
        assert "canary" not in read_attachment((narrative % "&x;").encode(), "application/xml").text
    assert "seen well" in read_attachment((narrative.partition("]>")[2] % "well").encode(), "application/xml").text
