"""Opt-outs are honoured by purpose, from the next night on and backwards, and only those who may read for a purpose do."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import psycopg
import pytest

from include.identity.resolve import resolve_persons
from include.intake.promote import promote_batch
from include.privacy.consent import ConsentError, record_opt_out, refresh_opt_outs
from include.privacy.keyring import load_keyring
from include.privacy.tokens import Tokeniser
from include.warehouse.connect import connect
from include.warehouse.publish import publish
from tests.deliveries import NIGHT, Delivery, ndjson, patient

REASONS = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
NEXT = NIGHT + timedelta(days=1)


def known(number):
    return patient(number) | {
        "identifier": [{"system": "urn:mrn", "value": f"MRN-{number}"}],
        "birthDate": f"19{number + 50}-01-01",
    }


def denial(number, person, purpose, *, status="active", version="1", day="2026-11-01", **provision):
    return {
        "resourceType": "Consent", "id": f"c{number}", "status": status, "meta": {"versionId": version},
        "patient": {"reference": f"Patient/p{person}"}, "dateTime": day,
        "provision": {"type": "deny", "purpose": [{"system": REASONS, "code": purpose}], **provision},
    }  # fmt: skip


@pytest.fixture
def clinic(fresh_hot, tmp_path):
    clinic = Delivery.of(fresh_hot, tmp_path)
    clinic.put("Patient.ndjson", ndjson(*map(known, range(1, 6))))
    said = (
        denial(1, 1, "HRESCH"),
        denial(2, 2, "PUBHLTH"),
        denial(3, 3, "HRESCH", period={"end": str(NIGHT - timedelta(days=1))}),
        denial(4, 4, "HRESCH", period={"start": f"{NIGHT.year + 1}"}),
    )
    return clinic.put("Consent.ndjson", ndjson(*said))


def night_of(clinic, night):
    for batch in clinic.load(night):
        promote_batch(clinic.pass_gate(batch), clinic.settings)
    resolve_persons(night, clinic.settings)
    counts = refresh_opt_outs(night, clinic.settings)
    with connect("transformer", settings=clinic.settings) as hot:
        hot.execute("drop table if exists candidate_clinical.persons")
        hot.execute(
            "create table candidate_clinical.persons as select person_key, 2019 as first_event_year from restricted.person"
        )
        hot.execute("comment on table candidate_clinical.persons is 'One row per person.'")
        for column in ("person_key", "first_event_year"):
            hot.execute(f"comment on column candidate_clinical.persons.{column} is 'x'")
    publish(night, clinic.settings)
    return counts


def seen_by(settings, role, schema):
    with connect(role, "warm", settings) as warm:
        return {row[0] for row in warm.execute(f"select person_key from {schema}.persons").fetchall()}


def key_of(clinic, number) -> UUID:
    with connect("transformer", settings=clinic.settings) as hot:
        return hot.execute(
            "select person_key from restricted.person_link where person_token = %s", [token_of(clinic, number)]
        ).fetchone()[0]


def token_of(clinic, number) -> UUID:
    key = load_keyring(clinic.settings.keyring_dir).token_key
    return UUID(Tokeniser(key).id_token(clinic.name, "Patient", f"p{number}"))


def test_each_purpose_loses_who_said_no_to_it_for_all_years_until_they_say_otherwise(clinic):
    assert night_of(clinic, NIGHT) == {"research": 1, "quality": 0, "public_health": 1}
    everybody = seen_by(clinic.settings, "analyst", "clinical")
    keys = {number: key_of(clinic, number) for number in range(1, 6)}
    assert len(everybody) == 5
    assert seen_by(clinic.settings, "researcher", "research") == everybody - {keys[1]}
    assert seen_by(clinic.settings, "public_health", "public_health") == everybody - {keys[2]}

    record_opt_out(token_of(clinic, 4), "research", by="Front desk", settings=clinic.settings)
    withdrawn = denial(1, 1, "HRESCH", status="inactive", version="2", day="2026-11-22")
    clinic.put("Consent.ndjson", ndjson(withdrawn, denial(5, 5, "HQUALIMP")))
    assert night_of(clinic, NEXT) == {"research": 1, "quality": 1, "public_health": 1}
    assert seen_by(clinic.settings, "researcher", "research") == everybody - {keys[4]}
    with connect("reader", "warm", clinic.settings) as warm:
        told = warm.execute(
            "select purpose, because, people from governance.opt_outs where night = %s order by 1, 2", [NEXT]
        )
        assert told.fetchall() == [
            ("public_health", "consent", 0),
            ("quality", "consent", 0),
            ("research", "opt_out", 0),
        ]

    record_opt_out(token_of(clinic, 4), "research", by="Front desk", withdraw=True, settings=clinic.settings)
    assert refresh_opt_outs(NEXT, clinic.settings)["research"] == 0


def test_who_reads_for_a_purpose_reads_nothing_else(clinic):
    night_of(clinic, NIGHT)
    for role, other in (("researcher", "clinical"), ("researcher", "public_health"), ("public_health", "research")):
        with connect(role, "warm", clinic.settings) as warm, pytest.raises(psycopg.errors.InsufficientPrivilege):
            warm.execute(f"select * from {other}.persons")
    with connect("researcher", "warm", clinic.settings) as warm, pytest.raises(psycopg.errors.InsufficientPrivilege):
        warm.execute("select * from purposes.opted_out")
    with pytest.raises(ConsentError, match="purpose 'marketing'"):
        record_opt_out(token_of(clinic, 1), "marketing", by="x", settings=clinic.settings)
