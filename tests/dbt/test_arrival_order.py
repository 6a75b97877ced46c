"""Corrections and deletions of every kind that is delivered, as files or live, end in the same marts in whatever order they arrive.

Pulled kinds are in test_pulled_marts.py.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from datetime import date, timedelta
from itertools import permutations
from pathlib import Path

import pytest

from include.identity.resolve import resolve_persons
from include.intake.promote import promote_batch
from include.live.__main__ import landing_recipient
from include.live.inbox import STORED, Inbox, Incoming, keys_of
from include.live.mllp import read_header
from include.privacy.text.notes import deidentify_notes
from include.settings import Settings
from include.warehouse.tables import ensure_views
from tests.dbt.test_build import dbt, rows
from tests.deliveries import NIGHT, Delivery, ndjson
from tests.dicom_instances import instance
from tests.hl7v2_messages import admit, message, results

LAST = NIGHT + timedelta(days=2)
MARTS = ("persons", "encounters", "observations", "imaging_studies", "documents")
CONTRACT = """
owner: tests
tables:
  people:
    files: "people*.csv"
    data_class: patient_data
    key: [id]
    person: id
    updated_at: changed
    columns:
      id: {type: text, class: source_id, of: Patient}
      born: {type: date, class: quasi_identifier}
      changed: {type: timestamp, class: quasi_identifier}
    maps:
      - {to: patient, fields: {patient_id: id, birth_date: born}}
  visits:
    files: "visits*.csv"
    data_class: patient_data
    key: [id]
    person: patient
    updated_at: changed
    deleted_when: {state: [deleted]}
    columns:
      id: {type: text, class: source_id, of: Encounter}
      patient: {type: text, class: source_id, of: Patient}
      state: {type: text, class: clinical}
      started: {type: timestamp, class: quasi_identifier}
      changed: {type: timestamp, class: quasi_identifier}
    maps:
      - {to: encounter, fields: {encounter_id: id, patient_id: patient, status: state, started_at: started}, constants: {class_code: AMB}}
"""


def day_of(number: int) -> date:
    return NIGHT + timedelta(days=number - 1)


def told(resource_type: str, name: str, day: int, **elements) -> dict:
    """A resource as a day's version of it; it is about person p1 unless it says otherwise."""
    at = {"versionId": str(day), "lastUpdated": f"{day_of(day)}T05:00:00Z"}
    about = {} if resource_type == "Patient" else {"subject": {"reference": "Patient/p1"}}
    return {"resourceType": resource_type, "id": name, "meta": at, **about, **elements}


def visit(name: str, day: int, status: str) -> dict:
    period = {"start": "2026-10-01T10:00:00Z"}
    return told("Encounter", name, day, status=status, period=period, **{"class": {"code": "AMB"}})


def value(name: str, day: int, number: float) -> dict:
    code = {"coding": [{"system": "http://loinc.org", "code": "4548-4"}]}
    quantity = {"value": number, "unit": "%", "system": "http://unitsofmeasure.org", "code": "%"}
    return told(
        "Observation", name, day, status="final", code=code, valueQuantity=quantity, effectiveDateTime="2026-10-01"
    )


def resources(day: int) -> list[dict]:
    """What a FHIR source tells on a day: corrected on the second, contradicted on the third."""
    return {
        1: [told("Patient", "p1", 1, birthDate="1980-01-01"), visit("e1", 1, "planned"), visit("e2", 1, "finished"),
            visit("e3", 1, "finished"), value("o1", 1, 7.1), value("o2", 1, 6.0)],
        2: [told("Patient", "p1", 2, birthDate="1985-01-01"), visit("e1", 2, "cancelled"), value("o1", 2, 9.9)],
        3: [told("Patient", "p1", 3, birthDate="1990-01-01"), visit("e1", 3, "finished"), value("o1", 3, 8.8)],
    }[day]  # fmt: skip


def gone(day: int) -> dict:
    """Entries of deletions: one on each of the later days, of what no other day changes."""
    names = {1: [], 2: ["e2"], 3: ["e3"]}[day]
    entries = [{"request": {"method": "DELETE", "url": f"Encounter/{name}"}} for name in names]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def bulk(folder: Path, day: int) -> None:
    for resource_type in ("Patient", "Encounter", "Observation"):
        of_type = [each for each in resources(day) if each["resourceType"] == resource_type]
        (folder / f"{resource_type}.ndjson").write_bytes(ndjson(*of_type))
    (folder / "deleted").mkdir()
    if day > 1:
        (folder / "deleted" / "gone.ndjson").write_bytes(ndjson(gone(day)))


def bundles(folder: Path, day: int) -> None:
    entries = [{"resource": each} for each in resources(day)] + gone(day)["entry"]
    (folder / "day.json").write_text(json.dumps({"resourceType": "Bundle", "type": "transaction", "entry": entries}))


def tables(folder: Path, day: int) -> None:
    born, state = {1: ("1951", "planned"), 2: ("1952", "cancelled"), 3: ("1953", "finished")}[day]
    (folder / "people.csv").write_text(f"id,born,changed\nc1,{born}-05-05,{day_of(day)} 05:00\n")
    lines = [f"v1,c1,{state},2026-10-01 10:00,{day_of(day)} 05:00"]
    lines += [f"v2,c1,{'deleted' if day == 2 else 'finished'},2026-10-02 10:00,{day_of(2 if day == 2 else 1)} 05:00"]
    (folder / "visits.csv").write_text("\n".join(["id,patient,state,started,changed", *lines]) + "\n")


def sent_on(day: int, first: int) -> list[bytes]:
    """Messages about two people from number ``first`` on. The third day ends with one that was sent before all others of it."""
    second = first + 1
    sent = {
        1: [admit(first, "A1"), admit(second, "A2"), results(first, "A3"), note("A4", "First words.", first)],
        2: [admit(first, "B1", "A11"), admit(second, "B2", "A03"), results(first, "B3", "C", "9.1"),
            note("B4", "Second words.", first)],
        3: [admit(first, "C1", "A08"), admit(second, "C2", "A23"), results(first, "C3", "C", "8.1"),
            note("C4", "Third words.", first), results(first, "C5", "C", "1.1")],
    }[day]  # fmt: skip
    return [
        each.replace(b"20261120083000-0500", f"{day_of(day):%Y%m%d}{hour}3000-0500".encode(), 1)
        for each, hour in zip(sent, ["08", "08", "08", "08", "07"], strict=False)
    ]


def messages(folder: Path, day: int) -> None:
    (folder / "day.hl7").write_bytes(b"".join(sent_on(day, 1)))


def note(control: str, text: str, number: int) -> bytes:
    return message(
        "MDM^T02",
        f"TXA|1|PN|TX|20261119||||||||D{number}||||x|AU",
        f"OBX|1|TX|11506-3^Note^LN||{text}||||||F",
        control=control,
        number=number,
    )


async def send_live(delivery: Delivery, day: int) -> None:
    """The same about others, taken in by the listener's inbox."""
    inbox = Inbox(delivery.settings, landing_recipient(delivery.settings))
    await inbox.start()
    waiting = []
    for content in sent_on(day, 11):
        for others, own in (
            (b"Quackenbush", b"Fernsby"),
            (b"19800229", b"19700331" if b"|P11^" in content else b"19740902"),
            (b"12 Oak St", b"9 Ash Rd"),
            (b"078-05-1120", b""),
        ):
            content = content.replace(others, own)
        header = read_header(content)
        kind = header.field(9).decode()
        waiting.append(Incoming(delivery.name, kind, content, keys_of(inbox.salt, delivery.name, header, content)))
        inbox.put(waiting[-1])
    await inbox.stop()
    assert {each.outcome.result() for each in waiting} == {STORED}


def pictures(folder: Path, day: int) -> None:
    said = {1: (1, None), 2: (2, None), 3: (1, "YES")}[day]
    more = {"BurnedInAnnotation": said[1]} if said[1] else {}
    (folder / f"IM{day}").write_bytes(instance(number=said[0], **more))


def notes(folder: Path, day: int) -> None:
    (folder / f"day{day}.txt").write_text(f"MRN: 4711\nDate: {day_of(day)}\n\nPLAN: Rest for {day} days.\n")


LIVE = "live"
KINDS = {
    LIVE: (None, {"kind": "hl7v2", "listen": 0}),
    "fhir_bulk": (bulk, {}),
    "fhir_bundles": (bundles, {}),
    "csv": (tables, {"contract": "people.yml"}),
    "hl7v2": (messages, {}),
    "dicom": (pictures, {}),
    "clinical_notes": (notes, {"patient_id": {"header": "MRN"}}),
}


def bring_in(settings: Settings, folder: Path, order: tuple[int, ...]) -> list[tuple]:
    """Three days of every kind; their batches enter in an order. The marts that they end in."""
    folder.mkdir()
    (folder / "people.yml").write_text(CONTRACT)
    deliveries = {kind: Delivery.of(settings, folder, **{"kind": kind, **words}) for kind, (_, words) in KINDS.items()}
    last = list(deliveries.values())[-1]
    settings = last.settings  # the only one that names every source
    batches: dict[int, list[tuple[Delivery, str]]] = {}
    known: set[str] = set()
    for day in (1, 2, 3):
        for kind, delivery in deliveries.items():
            shutil.rmtree(delivery.folder)
            delivery.folder.mkdir()
            delivery.settings = settings
            if kind == LIVE:
                asyncio.run(send_live(delivery, day))
            else:
                KINDS[kind][0](delivery.folder, day)
            new = [batch for batch in delivery.load(day_of(day)) if batch not in known]
            known.update(new)
            batches.setdefault(day, []).extend((delivery, batch) for batch in new)
    for day in order:
        for delivery, batch in batches[day]:
            promote_batch(delivery.pass_gate(batch), settings)
    ensure_views(settings)
    resolve_persons(LAST, settings)
    deidentify_notes(LAST, settings)
    wanted = [f"+{mart}" for mart in MARTS]
    dbt(settings, "build", "-s", *wanted, "--resource-type", "seed", "--resource-type", "model", night=LAST)
    return shown(settings)


def shown(settings: Settings) -> list[tuple]:
    """Every row of the marts without keys, which are drawn."""
    of_one = (
        "select '{0} ' || (select jsonb_object_agg(k, v)::text from jsonb_each(to_jsonb(t)) e (k, v) where k not like '%\\_key')"
        " from candidate_clinical.{0} t"
    )
    return rows(settings, " union all ".join(of_one.format(mart) for mart in MARTS) + " order by 1")


def test_every_kind_ends_in_the_same_marts_in_order_and_in_the_order_turned_around(renew_hot, tmp_path):
    """Turned around, what was deleted comes after its deletion, and every correction before what it corrects."""
    usual = bring_in(renew_hot(), tmp_path / "usual", (1, 2, 3))
    assert bring_in(renew_hot(), tmp_path / "late", (3, 2, 1)) == usual
    found: dict[str, list[dict]] = {mart: [] for mart in MARTS}
    for (row,) in usual:
        mart, _, text = row.partition(" ")
        found[mart].append(json.loads(text))
    assert sorted(each["birth_year"] or 0 for each in found["persons"]) == [0, 1953, 1970, 1974, 1980, 1980, 1990, 1990]
    values = sorted(float(each["value_number"]) for each in found["observations"] if each["code"] == "4548-4")
    assert values == [6.0, 6.0, 8.1, 8.1, 8.8, 8.8]
    assert [each["instance_count"] for each in found["imaging_studies"]] == [2]
    assert sorted(each["deidentified_text"] or "" for each in found["documents"])[-2:] == ["Third words."] * 2


@pytest.mark.slow
def test_every_kind_ends_in_the_same_marts_in_every_order(renew_hot, tmp_path):
    usual, *others = permutations((1, 2, 3))
    expected = bring_in(renew_hot(), tmp_path / "usual", usual)
    for order in others:
        assert bring_in(renew_hot(), tmp_path / "".join(map(str, order)), order) == expected, order
