"""A person is erased from everywhere, on the real store and databases, whatever kind of source they came from."""

from __future__ import annotations

import importlib
import json
import os
import signal
from dataclasses import replace
from datetime import date, timedelta
from uuid import UUID

import pytest
import yaml

from include.identity.resolve import resolve_persons
from include.intake.promote import promote_batch
from include.lifecycle import store
from include.lifecycle.erase import ErasureError, erase_person, reach_of, resume_erasures
from include.lifecycle.erase_objects import erase_what_came_again
from include.lifecycle.erase_rows import remaining_rows
from include.lifecycle.erasure_ledger import read_ledger
from include.lifecycle.holds import HoldError, lift_hold, set_hold
from include.lifecycle.move import apply_plan
from include.lifecycle.plan import plan_night
from include.lifecycle.policy import load_retention
from include.lifecycle.reconcile import check_places, deep_check
from include.lifecycle.retrieve import RetrieveError, retrieve_with
from include.lifecycle.work import open_work
from include.privacy.consent import refresh_opt_outs
from include.privacy.keyring import load_keyring
from include.privacy.tokens import Tokeniser
from include.warehouse.connect import connect
from tests.deliveries import NIGHT, Delivery, ndjson, observation, patient
from tests.months import person, store_month

TWO = {"reason": "request of the person", "requested_by": "A. Officer", "approved_by": "B. Manager"}
P1, P2 = "person-0001", "person-0002"


def token_of(settings, source: str, known_as: str) -> UUID:
    return UUID(Tokeniser(load_keyring(settings.keyring_dir).token_key).id_token(source, "Patient", known_as))


def whose_number(settings, delivery, number: str) -> UUID:
    """The token of the patient whose record, brought back whole, has this number."""
    query = "select record_id, person_token from raw.resource where source = %s and resource_type = 'Patient'"
    with open_work(NIGHT, settings) as work:
        tokens = dict(work.hot.execute(query, [delivery.name]).fetchall())
        found = retrieve_with(work, list(tokens), purpose="test", actor="test")
        (token,) = {
            tokens[record.place.record_id] for record in found if number in json.dumps(record.content, default=str)
        }
    return token


def who(number: int, known_as: str) -> dict:
    return patient(number) | {"id": known_as, "identifier": [{"system": "urn:mrn", "value": f"MRN-{known_as}"}]}


def value_of(number: int, known_as: str) -> dict:
    return observation(number) | {"subject": {"reference": f"Patient/{known_as}"}}


def promote(delivery: Delivery) -> None:
    for batch in delivery.load():
        promote_batch(delivery.pass_gate(batch), delivery.settings)


def bulk(settings, folder) -> Delivery:
    broken = b'{"resourceType": "Observation", "id": "half", "subject": {"reference": "Patient/%b"' % P1.encode()
    other = b'{"resourceType": "Observation", "id": "half2", "subject": {"reference": "Patient/%b"' % P2.encode()
    delivery = Delivery.of(settings, folder)
    delivery.put("Patient.ndjson.gz", ndjson(who(1, P1), who(2, P2)))
    said = {"resourceType": "Consent", "id": "c1", "status": "active", "patient": {"reference": f"Patient/{P1}"}}
    delivery.put("Consent.ndjson", ndjson(said | {"provision": {"type": "deny"}, "dateTime": "2026-11-01"}))
    lines = (value_of(1, P1), broken, value_of(2, P2), other, value_of(3, P1))
    return delivery.put("Observation.ndjson", ndjson(*lines))


def bundles(settings, folder) -> Delivery:
    delivery = Delivery.of(settings, folder, kind="fhir_bundles")
    entries = [{"resource": resource} for resource in (who(1, P1), value_of(1, P1), who(2, P2), value_of(2, P2))]
    delivery.put("both.json", json.dumps({"resourceType": "Bundle", "type": "batch", "entry": entries}).encode())
    return delivery.put("alone.json.gz", json.dumps({"resourceType": "Bundle", "entry": entries[:2]}).encode())


def messages(settings, folder) -> Delivery:
    def text(number: int, known_as: str) -> str:
        head = f"MSH|^~\\&|LAB|H|P|H|20261101||ADT^A04|m{number}|P|2.5.1"
        return "\r".join([head, f"PID|1||{known_as}^^^H^MR||Doe^Jo||19800229|F", "PV1|1|O"]) + "\r"

    delivery = Delivery.of(settings, folder, kind="hl7v2")
    broken = f"MSH|^~\\&|LAB\rPID|1||{P1}^^^H^MR\r"
    return delivery.put("feed.hl7", (text(1, P1) + broken + text(2, P2) + text(3, P1) + text(4, P2)).encode())


def tables(settings, folder) -> Delivery:
    (folder / "visits.yml").write_text(yaml.safe_dump({
        "owner": "tests",
        "tables": {"visits": {
            "files": "visits.csv", "data_class": "patient_data", "key": ["visit"], "person": "patient",
            "columns": {
                "visit": {"type": "text", "class": "source_id", "of": "Encounter"},
                "patient": {"type": "text", "class": "source_id", "of": "Patient"},
                "note": {"type": "text", "class": "free_text"},
                "amount": {"type": "decimal", "class": "clinical"},
            },
        }},
    }))  # fmt: skip
    delivery = Delivery.of(settings, folder, kind="csv", contract="visits.yml")
    rows = ["visit,patient,note,amount", f'v1,{P1},"two\nlines",1', f"v2,{P2},x,2", f"v3,{P1},y,oops", f"v4,{P1},z,4"]
    return delivery.put("visits.csv", ("\n".join(rows) + "\n").encode())


def landed_text(delivery: Delivery) -> dict[str, str]:
    """What every version of every object in landing holds, opened."""
    import gzip

    import pyrage

    identity = pyrage.x25519.Identity.from_str(load_keyring(delivery.settings.keyring_dir).landing_identity)
    s3, bucket = store.open_store(delivery.settings), delivery.settings.bucket_landing
    texts = {}
    for found in s3.list_object_versions(Bucket=bucket, Prefix=f"objects/{delivery.name}/").get("Versions", ()):
        body = s3.get_object(Bucket=bucket, Key=found["Key"], VersionId=found["VersionId"])["Body"].read()
        plain = pyrage.decrypt(body, [identity])
        plain = gzip.decompress(plain) if plain[:2] == b"\x1f\x8b" else plain
        texts[f"{found['Key']} {found['VersionId']}"] = plain.decode()
    return texts


@pytest.mark.parametrize("make", [bulk, bundles, tables, messages])
def test_no_version_of_any_landing_object_holds_the_person_and_others_stay_readable(fresh_hot, tmp_path, make):
    delivery = make(fresh_hot, tmp_path)
    promote(delivery)
    settings = delivery.settings
    resolve_persons(NIGHT, settings)
    refresh_opt_outs(NIGHT, settings)
    before = landed_text(delivery)
    assert any(P1 in text for text in before.values())
    refused = delivery.refusals()
    token = token_of(settings, delivery.name, P1) if make is not messages else whose_number(settings, delivery, P1)
    with open_work(NIGHT, settings) as work:
        reach = reach_of(work, token)
        erasure_id = erase_person(work, token, **TWO)
        assert reach.sources == (delivery.name,)
    after = landed_text(delivery)
    assert len(after) == len(before)
    assert not any(P1 in text for text in after.values())
    assert any(P2 in text for text in after.values())
    with connect("lifecycle", settings=settings) as hot:
        receipt = hot.execute("select receipt from lifecycle.erasure where erasure_id = %s", [erasure_id]).fetchone()[0]
    assert remaining_rows(settings, reach.tokens, reach.person_keys) == {}
    assert receipt["counts"]["records_in_hot"] == reach.records["hot"]
    assert receipt["counts"]["objects_rewritten"] == len([text for text in before.values() if P1 in text])
    assert not any(word in json.dumps(receipt) for word in (P1, str(token), *map(str, reach.person_keys)))
    if make is bulk:
        assert ("line 2", "record", "malformed_json", 1) in refused
        states = sorted((row["place"], row["state"]) for row in delivery.rows("quarantine", "quality"))
        assert states == [("line 2", "dismissed"), ("line 4", "open")]


def test_landing_read_again_gives_the_others_at_their_places_and_refuses_the_person(fresh_hot, tmp_path, monkeypatch):
    delivery = bulk(fresh_hot, tmp_path)
    promote(delivery)
    with open_work(NIGHT, delivery.settings) as work:
        erase_person(work, token_of(delivery.settings, delivery.name, P1), **TWO)
    again = delivery.put("Observation.ndjson", ndjson(value_of(9, P1), value_of(10, P2)))
    (batch,) = again.load(NIGHT + timedelta(days=1))
    assert again.counts(batch)[1:] == (2, 1, 0, 1)
    assert ("line 1", "record", "erased_person", 1) in again.refusals()
    # The night's own tiering does it, also on a night on which nothing else is due.
    monkeypatch.setenv("PLUMBLINE_SOURCES", str(delivery.settings.sources_file))
    plan_night(NIGHT + timedelta(days=1))
    assert apply_plan(NIGHT + timedelta(days=1))["objects_without_erased"] == 1
    with open_work(NIGHT + timedelta(days=1), delivery.settings) as work:
        assert erase_what_came_again(work) == 0
    assert not any(P1 in text for text in landed_text(delivery).values())
    assert again.load(NIGHT + timedelta(days=2)) == [batch], "the source still has the file, and landing still knows it"


def test_rows_in_sealed_files_become_noise_and_other_rows_of_the_same_files_stay(fresh_hot):
    labs = load_retention().rule("lab_results")
    stored = store_month(fresh_hot, date(2018, 1, 10), records=12, people=3)
    night = labs.leaves_hot_on(date(2018, 1, 1))
    plan_night(night)
    apply_plan(night)
    mine = [record for record in stored if record.person_token == person(1)]
    others = [record for record in stored if record.person_token != person(1)]
    with open_work(night, fresh_hot) as work:
        erase_person(work, person(1), **TWO)
        with pytest.raises(RetrieveError, match="a record was erased"):
            list(retrieve_with(work, [mine[0].record_id], purpose="test", actor="test"))
        found = list(retrieve_with(work, [record.record_id for record in others], purpose="test", actor="test"))
        receipt = work.hot.execute("select receipt from lifecycle.erasure").fetchone()[0]
    assert {record.place.record_id: record.content for record in found} == {r.record_id: r.content for r in others}
    assert [(file["tier"], file["rows_unreadable"]) for file in receipt["unreadable_files"]] == [("cold", 4)]
    assert check_places(fresh_hot) == deep_check(fresh_hot) == []


def test_a_hold_forbids_it_with_the_reason_and_nothing_is_erased(fresh_hot):
    store_month(fresh_hot, date(2018, 1, 10), records=6, people=2)
    held = {"reason": "litigation 12", "requested_by": "C. Counsel", "approved_by": "D. Officer"}
    hold = set_hold(NIGHT, data_class="lab_results", settings=fresh_hot, **held)
    with open_work(NIGHT, fresh_hot) as work:
        with pytest.raises(ErasureError, match="litigation 12"):
            erase_person(work, person(1), **TWO)
        with pytest.raises(HoldError, match="a second person"):
            erase_person(work, person(1), **{**TWO, "approved_by": TWO["requested_by"]})
        assert work.hot.execute("select count(*) from lifecycle.record where tier = 'hot'").fetchone() == (6,)
        assert list(read_ledger(fresh_hot)) == []
        lift_hold(hold, NIGHT, settings=fresh_hot, **held)
        erase_person(work, person(1), **TWO)
        assert work.hot.execute("select count(*) from lifecycle.record where tier = 'hot'").fetchone() == (3,)


BOUNDARIES = (
    ("erase.write_entry", "after"),
    ("erase_landing.rewrite", "after"),
    ("erase_objects._catalogue", "after"),
    ("erase.destroy_person_keys", "after"),
    ("erase.remove_rows", "after"),
    ("erase._out_of_databases", "after"),
    ("erase._write_receipt", "before"),
)


def killed_at(settings, token, boundary):
    path, when = boundary
    pid = os.fork()
    if pid == 0:
        try:
            module, name = path.split(".")
            holder = importlib.import_module(f"include.lifecycle.{module}")
            real = getattr(holder, name)

            def mortal(*arguments, **named):
                if when == "after":
                    real(*arguments, **named)
                os.kill(os.getpid(), signal.SIGKILL)

            setattr(holder, name, mortal)
            with open_work(NIGHT, settings) as work:
                erase_person(work, token, **TWO)
        finally:
            os._exit(3)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL, f"{path} was never reached"


def test_killed_at_every_boundary_the_next_run_finishes_and_nothing_is_left(fresh_hot, tmp_path):
    for number, boundary in enumerate(BOUNDARIES):
        folder = tmp_path / str(number)
        folder.mkdir()
        delivery = bulk(fresh_hot, folder)
        promote(delivery)
        settings = replace(delivery.settings)
        token = token_of(settings, delivery.name, P1)
        killed_at(settings, token, boundary)
        assert any(P2 in text for text in landed_text(delivery).values())
        with open_work(NIGHT, settings) as work:
            assert resume_erasures(work) == 1, boundary
            assert resume_erasures(work) == 0
            assert work.hot.execute(
                "select state from lifecycle.erasure join lifecycle.erasure_person using (erasure_id) where person_token = %s",
                [token],
            ).fetchall() == [("done",)]
        assert not any(P1 in text for text in landed_text(delivery).values()), boundary
        assert remaining_rows(settings, [token], []) == {}, boundary
    assert len(list(read_ledger(fresh_hot))) == len(BOUNDARIES)
