"""Hostile files of every kind that is read as a file: each record is loaded or refused, nothing crashes, hangs or grows.

HL7 v2 and MLLP are in test_hl7v2_fuzz.py, DICOM in test_sources_dicom.py. 'make fuzz' runs the long ones for minutes each
(FUZZ_SECONDS), from another seed each time (FUZZ_SEED repeats one).
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import logging
import os
import random
import resource
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from include.privacy.text.attachments import MOST_CHARACTERS, UnreadableError, read_attachment
from include.sources.clinical_notes import Options
from include.sources.items import BrokenContainerError, Document, Item, Notice, Reject, Row
from tests.deliveries import ndjson, observation, patient
from tests.reading import read, source_of, tables_source

CONTRACT = """
owner: data engineering
tables:
  people:
    files: "people*.csv"
    data_class: patient_data
    key: [id]
    person: id
    columns:
      id: {type: text, class: source_id, of: Patient}
      sex: {type: text, class: clinical}
      born: {type: date, class: quasi_identifier}
      amount: {type: decimal, class: clinical}
      seen: {type: timestamp, class: quasi_identifier}
      is_smoker: {type: boolean, class: clinical}
"""
LINES = ndjson(patient(1), observation(1), patient(2), observation(2, 2), observation(3))
BUNDLE = json.dumps(
    {"resourceType": "Bundle", "type": "transaction", "entry": [
        {"fullUrl": "urn:uuid:1", "resource": patient(1), "request": {"method": "POST", "url": "Patient"}},
        {"resource": observation(1) | {"subject": {"reference": "urn:uuid:1"}}},
        {"request": {"method": "DELETE", "url": "Observation/o9"}}, {"resource": observation(2)}, {},
    ]}
).encode()  # fmt: skip
TABLE = (
    b'id,sex,born,amount,seen,is_smoker\np1,F,1980-02-29,1.50,2026-11-20 08:30,true\np2,"M, x",1990-01-01,,2026-11-20T08:30:00Z,n\n'
    b'p3,"a ""b""\nc",,-0.1,,\np4,,2000-13-01,x,y,z\n'
)
TEXT = b"MRN: 4711\nDate: 2026-11-20\n\nHISTORY: Chest pain since Tuesday. Seen by Dr. Ann Roe.\n"
RTF = rb"{\rtf1\ansi\deff0{\fonttbl{\f0 Arial;}}\f0\fs20 MRN: 4711\par HISTORY: \b chest\b0  pain \'e9\u8364? {\*\bkmkstart a}x\par}"
HTML = b"<html><head><title>t</title><script>x()</script></head><body><h1>MRN: 4711</h1><p>Chest <b>pain</b> &amp; fever &#233;</p></body></html>"
CCDA = (
    b'<?xml version="1.0"?><ClinicalDocument xmlns="urn:hl7-org:v3"><component><structuredBody><component><section><title>Plan</title>'
    b"<text><paragraph>MRN: 4711</paragraph><list><item>aspirin</item></list></text></section></component></structuredBody></component>"
    b"</ClinicalDocument>"
)


def pdf(text: bytes = b"MRN: 4711 Chest pain") -> bytes:
    """A page of text as PDF, its table of references right."""
    stream = b"BT /F1 12 Tf 72 720 Td (" + text + b") Tj ET"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%b\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    out, places = io.BytesIO(), []
    out.write(b"%PDF-1.4\n")
    for number, content in enumerate(objects, 1):
        places.append(out.tell())
        out.write(b"%d 0 obj\n%b\nendobj\n" % (number, content))
    start = out.tell()
    out.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    out.writelines(b"%010d 00000 n \n" % place for place in places)
    out.write(b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start))
    return out.getvalue()


PDF = pdf()
ODD = [
    b"{", b"}", b"[", b"]", b'"', b",", b":", b"\\", b"\\u0000", b"\\ud800", b"\n", b"\r", b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80",
    b"null", b"NaN", b"1e999", b"-0", b"9" * 400, b"[" * 2000, b'{"a":' * 1200, b"resourceType", b'"id":1', b"\x1f\x8b\x08", b"'", b";", b"\t", b"|",
    b"\\par", b"\\'zz", b"\\u-99999?", b"\\bin99999999 ", b"{\\*", b"<", b">", b"&#0;", b"&x;", b"<!DOCTYPE a [<!ENTITY x 'y'>]>", b"]]>", b"<![CDATA[",
    b"<section>", b"<b>" * 600, b"obj", b"stream", b"endstream", b"/Kids [2 0 R]", b"/Length -1", b"/Length 99999999999", b"/Filter /FlateDecode",
    b"xref", b"trailer", b"%%EOF", b"R", b"2026-02-30", b"0000-00-00", b"true", b"\xe2\x80\xa8", b"=cmd|' /C calc'!A0",
]  # fmt: skip


def damaged(rng: random.Random, whole: bytes, others: list[bytes]) -> bytes:
    """A file after some of what happens to files, or what somebody does to them."""
    for _ in range(rng.randrange(6)):
        at = rng.randrange(len(whole) + 1)
        end = min(len(whole), at + rng.randrange(60))
        kind = rng.randrange(6)
        if kind == 0:
            whole = whole[:at]
        elif kind == 1:
            whole = whole[:at] + rng.choice(ODD) + whole[at:]
        elif kind == 2:
            whole = whole[:at] + rng.choice(ODD) + whole[end:]
        elif kind == 3:
            whole = whole[:end] + whole[at:]
        elif kind == 4:
            whole = whole[:at] + rng.randbytes(rng.randrange(8)) + whole[end:]
        else:
            whole = whole[:at] + rng.choice(others)[rng.randrange(40) :] + whole[at:]
    return whole[:200_000]


def items_of(source, content: bytes, **file) -> list[Item] | None:
    """What a reader yields; None for a container that it says is broken."""
    begun = time.process_time()
    try:
        items = read(source, content, **file)
    except BrokenContainerError as problem:
        assert problem.reason_code and problem.found
        items = None
    assert time.process_time() - begun < 20, "a file made to be slow"
    for item in items or ():
        assert isinstance(item, (Document, Row, Reject, Notice))
        if isinstance(item, Document):
            assert isinstance(item.resource["resourceType"], str) and isinstance(item.resource["id"], str)
        if isinstance(item, Reject):
            assert item.found and item.expected and item.action
    return items


def places_of(items: list[Item]) -> list[int]:
    return [item.place for item in items if isinstance(item, (Document, Row, Reject))]


BULK = source_of("fhir_bulk", max_record_bytes=100_000)
BUNDLES = source_of("fhir_bundles", max_record_bytes=100_000)
NOTES = source_of("clinical_notes", options=Options("header", "MRN", "urn:mrn"), max_record_bytes=1_000_000)


def check_lines(content: bytes) -> None:
    """Every line that is not blank is a document or a refusal, once."""
    items = items_of(BULK, content, is_gzip=content.startswith(b"\x1f\x8b"))
    if items is not None and not content.startswith(b"\x1f\x8b"):
        told = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
        assert sorted(places_of(items)) == [number for number, line in enumerate(told, 1) if line.strip()]


def check_bundle(content: bytes) -> None:
    """Every entry is a document, a refusal or idle, once."""
    items = items_of(BUNDLES, content, is_gzip=content.startswith(b"\x1f\x8b"))
    if items is None:
        return
    places = places_of(items)
    assert len(set(places)) == len(places)
    try:
        bundle = json.loads(content)
    except (ValueError, RecursionError):
        return
    if isinstance(bundle, dict) and bundle.get("resourceType") == "Bundle" and isinstance(bundle.get("entry"), list):
        idle = sum(item.count for item in items if isinstance(item, Notice) and item.code == "idle_entry")
        assert len(places) + idle == len(bundle["entry"]) or content.count(b'"entry"') > 1


def checker_of_tables(folder: Path) -> Callable[[bytes], None]:
    source = tables_source(folder, CONTRACT, max_record_bytes=100_000)

    def check(content: bytes) -> None:
        """Every row is loaded or refused, once; where there are no quotes, a row is a line."""
        items = items_of(source, content, dataset="people", is_gzip=content.startswith(b"\x1f\x8b"))
        if items is None:
            return
        places = places_of(items)
        assert len(set(places)) == len(places)
        if (
            content.isascii()
            and content.startswith(TABLE[:33])
            and not set(b'"\r\0\x0b\x0c\x1c\x1d\x1e\x85') & set(content)
        ):
            rows = [
                row
                for row in csv.reader(io.StringIO(content.decode(), newline=""))
                if len(row) > 1 or "".join(row).strip()
            ]
            assert len(places) == len(rows) - 1

    return check


def check_note(content: bytes) -> None:
    """A note is a document with its patient, or one refusal."""
    for name in ("a.txt", "a.rtf", "a.html", "a.xml", "a.pdf"):
        items = items_of(NOTES, content, name=name, is_gzip=content.startswith(b"\x1f\x8b"))
        if items is not None:
            assert [type(item) for item in items] in ([Reject], [Document, Document], [Document, Reject])


def check_attachment(content: bytes) -> None:
    """An attachment is a text, or says why it is none."""
    for media in (
        "",
        "text/html; charset=utf-16",
        "application/rtf",
        "text/xml",
        "application/pdf",
        "text/plain; charset=nonsense",
    ):
        begun = time.process_time()
        try:
            assert len(read_attachment(content, media).text) <= MOST_CHARACTERS
        except UnreadableError as why:
            assert str(why) in {
                "over_large", "no_text_form", "broken", "unknown_encoding", "has_doctype", "encrypted", "pictures_only",
            }  # fmt: skip
        assert time.process_time() - begun < 20, "an attachment made to be slow"


KINDS = {
    "lines": (check_lines, [LINES, gzip.compress(LINES, mtime=0)]),
    "bundle": (check_bundle, [BUNDLE, json.dumps(patient(1)).encode(), gzip.compress(BUNDLE, mtime=0)]),
    "table": (checker_of_tables, [TABLE, TABLE.replace(b",", b"\t"), gzip.compress(TABLE, mtime=0)]),
    "note": (check_note, [TEXT, RTF, HTML, CCDA, PDF]),
    "attachment": (check_attachment, [TEXT, RTF, HTML, CCDA, PDF]),
}


def checker(name: str, folder: Path) -> Callable[[bytes], None]:
    check = KINDS[name][0]
    return check(folder) if check is checker_of_tables else check


def fuzz(name: str, folder: Path, seed: int, is_over: Callable[[int], bool]) -> int:
    check, whole = checker(name, folder), KINDS[name][1]
    rng, rounds = random.Random(seed), 0
    while not is_over(rounds):
        content = damaged(rng, rng.choice(whole), whole)
        try:
            check(content)
        except BaseException:
            (folder / "failing").write_bytes(content)
            print(f"kind {name}, seed {seed}, round {rounds}: {len(content)} bytes in {folder / 'failing'}")
            raise
        rounds += 1
    return rounds


@pytest.mark.parametrize("name", KINDS)
def test_damaged_files_are_loaded_or_refused(name, tmp_path):
    for content in KINDS[name][1]:
        checker(name, tmp_path)(content)
    assert fuzz(name, tmp_path, 20261, lambda rounds: rounds >= (150 if name in ("note", "attachment") else 400))


DEEP = b'{"resourceType":"Patient","id":"d","extension":' + b"[" * 900 + b"]" * 900 + b"}"
SLOW = {
    "lines": [DEEP * 20, b"{" * 90_000, b'"' * 90_000, b"\n" * 100_000, b"\\u0000" * 20_000, b" " * 90_000 + b"\n"],
    "bundle": [b'{"resourceType":"Bundle","entry":[' + b"{}," * 30_000 + b"{}]}", b"[" * 90_000, BUNDLE[:-1] * 200],
    "table": [
        TABLE + b'"' * 90_000, TABLE + b"," * 90_000, TABLE + b"p9,\n" * 20_000, TABLE + b'p9,"' + b"x\n" * 40_000, b"\0" * 50_000,
    ],
    "note": [b"MRN: 1" + b" " * 200_000 + b"x", b"MRN" * 60_000, b"MRN: " * 40_000, TEXT * 2_000],
    "attachment": [
        b"{\\rtf1" + b"{" * 100_000, b"{\\rtf1" + b"\\'" * 80_000, b"{\\rtf1" + b"\\u99999?" * 20_000, b"<html>" + b"<b>" * 60_000, b"<html>" + b"<" * 90_000,
        CCDA.replace(b"aspirin", b"<item>" * 20_000), b'<!DOCTYPE a [<!ENTITY b "' + b"c" * 9_000 + b'">]><a>' + b"&b;" * 9_000 + b"</a>",
        PDF.replace(b"/Kids [3 0 R]", b"/Kids [2 0 R]"), PDF.replace(b"/Count 1", b"/Count 99999999"), pdf(b"(" * 50_000), pdf(b"\\" * 50_001),
        PDF.replace(b"/Length", b"/Length 1 0 R /X"), b"%PDF-1.4\n" + b"1 0 obj\n" * 20_000, b"a" * 300_000, b"a-" * 100_000,
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", SLOW)
def test_files_made_to_be_slow_are_not(name, tmp_path):
    check = checker(name, tmp_path)
    for content in SLOW[name]:
        check(content)


def test_what_parsers_complain_of_reaches_no_log(caplog, capfd):
    """pypdf quotes the bytes around what it cannot read."""
    caplog.set_level(logging.DEBUG)
    rng = random.Random(5)
    for _ in range(60):
        check_attachment(damaged(rng, pdf(b"MRN: 4711 SECRETNAME"), [b"<< /A SECRETNAME 4711 "]))
    told = caplog.text + "".join(capfd.readouterr())
    assert "SECRETNAME" not in told and "4711" not in told


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_fuzz_files_for_minutes_without_growth(name, tmp_path):
    """Memory at the end is what it was after the first tenth; a failing file and its seed are told."""
    seconds, seed = (
        float(os.environ.get("FUZZ_SECONDS", "90")),
        int(os.environ.get("FUZZ_SEED", time.time_ns() % 10**9)),
    )
    begun, grown = time.monotonic(), 0

    def is_over(rounds: int) -> bool:
        nonlocal grown
        if not grown and time.monotonic() - begun > seconds / 10:
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return time.monotonic() - begun > seconds

    assert fuzz(name, tmp_path, seed, is_over) > 100
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < grown + (64 << 10), "memory grows"
