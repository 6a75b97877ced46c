"""Sealed notes become text without identifiers, with everything that any source knows of the person, and only when something changed."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest

from include.identity.resolve import resolve_persons
from include.intake.promote import promote_batch
from include.lifecycle.erase_rows import remaining_rows, remove_rows
from include.privacy import identifiers
from include.privacy.date_shift import make_shifter
from include.privacy.keyring import load_keyring
from include.privacy.text import notes as step
from include.privacy.text.notes import deidentify_notes
from include.privacy.text.policy import TextPolicy
from include.privacy.tokens import Tokeniser
from include.warehouse.audit import audit_candidate
from include.warehouse.connect import connect
from tests.deliveries import NIGHT, Delivery, ndjson, patient

MRN = {"system": "urn:oid:2.16.840.1.113883.19.5", "value": "88-4471"}
TEXT = "ASSESSMENT: Ottoline Vandersteen-Quigg (MRN 88-4471) seen 3/4/2021 with cousin Fenwick. BP 120/80, Foley catheter.\nPLAN: Rest."


def document(text: str | bytes = TEXT, content_type: str = "text/plain", **more) -> dict:
    data = text.encode() if isinstance(text, str) else text
    return {
        "resourceType": "DocumentReference", "id": "d1", "status": "current", "subject": {"reference": "Patient/p1"},
        "author": [{"display": "Perpetua Oyelaran"}],
        "content": [{"attachment": {"contentType": content_type, "data": base64.b64encode(data).decode()}}], **more,
    }  # fmt: skip


def known_patient(**more) -> dict:
    return patient(1, name=[{"family": "Vandersteen-Quigg", "given": ["Ottoline"]}], identifier=[MRN], **more)


@pytest.fixture
def north(fresh_hot, tmp_path) -> Delivery:
    return Delivery.of(fresh_hot, tmp_path)


def promote(delivery: Delivery) -> None:
    for batch in delivery.load():
        promote_batch(delivery.pass_gate(batch), delivery.settings)


def texts(delivery: Delivery) -> list[tuple]:
    with connect("transformer", "hot", delivery.settings) as hot:
        return hot.execute(
            "select state, form, text, section_headings from restricted.document_text order by read_at"
        ).fetchall()


def run(delivery: Delivery) -> dict[str, int]:
    resolve_persons(NIGHT, delivery.settings)
    return deidentify_notes(NIGHT, delivery.settings)


def test_a_note_loses_its_identifiers_once_and_is_read_again_when_more_is_known(north):
    promote(north.put("Patient.ndjson", ndjson(known_patient())).put("DocumentReference.ndjson", ndjson(document())))
    counts = run(north)
    assert (counts["read"], counts["persons"]) == (1, 1)
    ((state, form, text, headings),) = texts(north)
    assert (state, form, headings) == ("read", "plain", ["ASSESSMENT", "PLAN"])
    assert not any(part in text for part in ("Ottoline", "Vandersteen", "Quigg", "88-4471", "3/4"))
    assert "[DATE 2021]" in text
    assert "BP 120/80, Foley catheter" in text
    assert run(north)["read"] == 0
    promote(
        north.put(
            "Patient.ndjson",
            ndjson(
                known_patient(
                    contact=[{"name": {"text": "Foley Assessment"}}], meta={"lastUpdated": "2026-11-02T00:00:00Z"}
                )
            ),
        )
    )
    assert run(north)["read"] == 1
    assert "Foley" not in texts(north)[0][2]


def test_another_source_s_file_meets_the_person_by_number_and_knows_the_name(north, tmp_path):
    promote(north.put("Patient.ndjson", ndjson(known_patient())))
    scans = Delivery.of(
        north.settings,
        tmp_path,
        kind="clinical_notes",
        patient_id={"file_name": "(?P<patient>[0-9-]+)_(?P<date>[0-9]{8})"},
        identifier_system=MRN["system"],
    )
    promote(scans.put("88-4471_20210304.html", b"<p>vandersteen quigg OTTOLINE is well, says Perpetua.</p>"))
    assert run(scans)["read"] == 1
    ((state, form, text, _),) = texts(scans)
    assert (state, form) == ("read", "html")
    assert not any(part in text.lower() for part in ("vandersteen", "quigg", "ottoline", "perpetua"))


def test_years_and_ages_of_a_person_over_89_do_not_stand_in_their_notes(north):
    promote(
        north.put("Patient.ndjson", ndjson(known_patient(birthDate="1931-05-05"))).put(
            "DocumentReference.ndjson", ndjson(document("In 2001 a 70-year-old; seen 3/4/2021."))
        )
    )
    run(north)
    assert texts(north)[0][2] == "In [DATE] a [AGE]-year-old; seen [DATE]."


@pytest.mark.parametrize(
    ("given", "state"),
    [
        (document(b"\x89PNG", "image/png"), "unreadable"),
        (document(content=[{"attachment": {"url": "Binary/1"}}]), "no_text"),
        (document(b"%PDF-x", "application/pdf"), "unreadable"),
    ],
    ids=["picture", "absent", "broken"],
)
def test_what_cannot_be_read_is_said_and_stops_nothing(north, given, state):
    promote(north.put("Patient.ndjson", ndjson(known_patient())).put("DocumentReference.ndjson", ndjson(given)))
    run(north)
    assert texts(north) == [(state, None, None, [])]


def test_under_expert_determination_dates_move_by_the_persons_own_days(north, monkeypatch):
    policy = replace(TextPolicy.load(), profile="expert_determination")
    monkeypatch.setattr(step.TextPolicy, "load", lambda: policy)
    promote(north.put("Patient.ndjson", ndjson(known_patient())).put("DocumentReference.ndjson", ndjson(document())))
    run(north)
    with connect("transformer", "hot", north.settings) as hot:
        (person,) = hot.execute("select person_key::text from restricted.person_link").fetchone()
    days = make_shifter(Tokeniser(load_keyring(north.settings.keyring_dir).token_key), policy.most_days_shifted)(person)
    assert days != 0
    assert "3/4/2021" not in texts(north)[0][2]
    assert "2021-03-04" not in texts(north)[0][2]
    from datetime import date, timedelta

    assert (date(2021, 3, 4) + timedelta(days=days)).isoformat() in texts(north)[0][2]


def test_erasing_a_person_takes_the_text_along(north):
    promote(north.put("Patient.ndjson", ndjson(known_patient())).put("DocumentReference.ndjson", ndjson(document())))
    run(north)
    with connect("transformer", "hot", north.settings) as hot:
        token, person = hot.execute("select person_token, person_key from restricted.person_link").fetchone()
    remove_rows(north.settings, [token], [person])
    assert texts(north) == []
    assert "restricted.document_text" not in remaining_rows(north.settings, [token], [person])


def test_a_shift_is_never_zero_and_stays_within_what_the_policy_says():
    days_of = make_shifter(Tokeniser(b"k" * 32), 3)
    assert {days_of(str(person)) for person in range(500)} == {-3, -2, -1, 1, 2, 3}


def test_every_opening_is_audited_with_a_count(north):
    promote(north.put("Patient.ndjson", ndjson(known_patient())).put("DocumentReference.ndjson", ndjson(document())))
    run(north)
    with connect("postgres", "hot", north.settings) as hot:
        assert hot.execute("select detail from audit.entry where action = 'notes.opened'").fetchall() == [
            ({"persons": 1},)
        ]


@pytest.mark.parametrize("opens", ["notes", "leak scan"])
def test_an_opening_is_on_the_trail_before_anything_is_opened_and_keeps_nobody_waiting(north, monkeypatch, opens):
    promote(north.put("Patient.ndjson", ndjson(known_patient())).put("DocumentReference.ndjson", ndjson(document())))
    resolve_persons(NIGHT, north.settings)

    def others_write_and_we_are_killed(*_):
        with connect("loader", "hot", north.settings) as other:
            other.execute("set lock_timeout = '1s'")
            other.execute("select audit.append('test.entry')")
        raise KeyboardInterrupt

    monkeypatch.setattr(step, "_learn_documents", others_write_and_we_are_killed)
    monkeypatch.setattr(identifiers, "from_patient", others_write_and_we_are_killed)
    with pytest.raises(KeyboardInterrupt):
        deidentify_notes(NIGHT, north.settings) if opens == "notes" else audit_candidate(NIGHT, north.settings)
    with connect("privacy_officer", "hot", north.settings) as hot:
        told = {row[0] for row in hot.execute("select action from audit.entry")}
    assert {"test.entry", "notes.opened" if opens == "notes" else "identifiers.opened"} <= told
