"""A night on an HL7 v2 feed, in files and live: admissions, results, a vaccine, a merge, a deletion and bad messages, to the marts."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import pytest
import yaml

from bench.one_night import run_night
from include.live.inbox import Inbox, Incoming, keys_of
from include.live.mllp import read_header
from include.privacy.keyring import load_keyring
from include.reports.facts import read_facts
from include.settings import Settings
from include.warehouse.connect import connect
from tests.hl7v2_messages import admit, message, results

NIGHT = date(2026, 11, 22)
SHOT = [
    "ORC|RE||{n}^IIS",
    "RXA|0|1|20261118||88^influenza, unspecified^CVX|0.5|mL^mL^UCUM||00^New^NIP001||||||||||CP|A",
]


def person(content: bytes, number: int) -> bytes:
    """Everybody with a social security number of their own."""
    return content.replace(b"078-05-1120", f"078-05-{1000 + number}".encode())


def live_messages() -> list[bytes]:
    """Arrived over MLLP: the discharge of everybody, and person 5's record merged into person 6's."""
    left = [person(admit(n, f"L{n}", "A03", left="20261120081500"), n) for n in range(30)]
    merge = person(message("ADT^A40^ADT_A39", "MRG|P5^^^GHH^MR", control="L900", number=6), 6)
    return [*(at(each, "0930") for each in left), at(merge, "0945")]


def at(content: bytes, time: str) -> bytes:
    """The same message, sent at another time of that day."""
    return content.replace(b"202611200830", f"20261120{time}".encode(), 1)


def write_files(folder: Path) -> None:
    """Delivered as files: admissions in a batch, results, a vaccine each, a bad message, and one that says more than is mapped."""
    folder.mkdir()
    admissions = b"".join(person(admit(n, f"F{n}"), n) for n in range(30))
    (folder / "adt.hl7").write_bytes(b"FHS|^~\\&|A\rBHS|^~\\&|A\r" + admissions + b"BTS|30\rFTS|1\r")
    (folder / "oru.hl7").write_bytes(b"".join(person(results(n, f"R{n}"), n) for n in range(30)))
    corrected = person(results(3, "R93", status="C", value="9.4").replace(b"20261120083000", b"20261121083000", 1), 3)
    (folder / "late.hl7").write_bytes(corrected)
    shots = [message("VXU^V04", *[line.format(n=n) for line in SHOT], control=f"V{n}", number=n) for n in range(30)]
    (folder / "vxu.hl7").write_bytes(b"".join(person(each, n) for n, each in enumerate(shots)))
    (folder / "odd.hl7").write_bytes(
        b"MSH|^~\\&|A|B|C|D|20261120||ACK|9|P|2.3\r" + person(admit(1, "Z1"), 1) + b"ZBE|1\r"
    )


async def take_in(settings: Settings, messages: list[bytes]) -> list[str]:
    """Put messages into the inbox as the listener does."""
    box = Inbox(settings, load_keyring(settings.keyring_dir).landing_recipient)
    await box.start()
    waiting = [
        Incoming("feed", "ADT^A03", each, keys_of(box.salt, "feed", read_header(each), each)) for each in messages
    ]
    for incoming in waiting:
        box.put(incoming)
    outcomes = [await incoming.outcome for incoming in waiting]
    await box.stop()
    return outcomes


@pytest.fixture
def night(fresh_hot, tmp_path, monkeypatch) -> Settings:
    import asyncio

    write_files(tmp_path / "feed")
    sources = tmp_path / "sources.yml"
    entry = {
        "name": "feed",
        "kind": "hl7v2",
        "path": "feed",
        "timezone": "America/New_York",
        "listen": 0,
        "required": True,
    }
    sources.write_text(yaml.safe_dump({"sources": [entry]}))
    monkeypatch.setenv("PLUMBLINE_SOURCES", str(sources))
    settings = Settings.from_environment(os.environ)
    assert set(asyncio.run(take_in(settings, live_messages()))) == {"stored"}
    run_night(NIGHT, settings)
    return settings


def rows(settings: Settings, query: str) -> list[tuple]:
    with connect("analyst", "warm", settings) as warm:
        return warm.execute(query).fetchall()


def test_a_feed_of_files_and_live_messages_reaches_the_marts_in_one_night(night):
    facts = read_facts(NIGHT, night)
    assert facts.night.published, facts.night.reasons
    (source,) = facts.sources
    assert source.received == source.loaded + source.duplicate + source.quarantined
    refused = {row.reason_code: row.records for row in facts.refused}
    assert refused == {"missing_patient": 1}
    assert ("ADT^A01", "ZBE.1") in {(row.message_type, row.field) for row in facts.unmapped}

    # 30 people, of whom one was merged into another
    assert rows(night, "select count(*) from clinical.persons") == [(29,)]
    # the live discharge is newer than the admission in the file: one visit each, ended
    assert rows(night, "select class_code, status, count(*) from clinical.encounters group by 1, 2") == [
        ("IMP", "finished", 30)
    ]
    assert rows(night, "select count(*) from clinical.immunizations") == [(30,)]
    assert rows(night, "select count(*) from clinical.reports") == [(30,)]
    # the corrected value took the place of the first
    values = dict(
        rows(night, "select value_number, count(*) from clinical.observations where code = '4548-4' group by 1")
    )
    assert {float(value): number for value, number in values.items()} == {7.1: 29, 9.4: 1}
    # a result message says less of a person than an admission: what that said stays
    assert rows(night, "select sex, race, zip3, count(*) from clinical.persons group by 1, 2, 3") == [
        ("female", "White", "019", 29)
    ]
