"""Who can read what is told as the grants are; changes of grants and policies get into the trail; the trail goes out as FHIR."""

from __future__ import annotations

import json
from datetime import date

import pytest

from include.audit import access
from include.audit.access import note_changes, review_access, show_review
from include.audit.anchor import verify_trail
from include.audit.fhir_export import event_of, export_events
from include.lifecycle.retrieve import retrieve
from include.warehouse.connect import OWNER, connect
from tests.months import store_month


def entries(settings, like):
    with connect("privacy_officer", settings=settings) as hot:
        query = "select action, subject, detail from audit.entry where action like %s order by entry_no"
        return hot.execute(query, [like]).fetchall()


def test_the_review_says_what_the_grants_say(fresh_hot):
    retrieve(
        store_month(fresh_hot, date(2026, 10, 1), records=1)[0].record_id,
        purpose="test",
        actor="me",
        settings=fresh_hot,
    )
    found = {(each.role, each.database, each.schema): each for each in review_access(fresh_hot)}
    assert ("privacy_officer", "hot", "audit") in found
    assert not [key for key in found if key[0] in ("analyst", "reader", "researcher") and key[1] == "hot"]
    assert found["lifecycle", "hot", "raw"].last_act is not None
    assert not found["lifecycle", "hot", "raw"].is_dormant
    assert found["checker", "hot", "raw"].is_dormant
    assert "Roles with no act in the trail for 90 days" in show_review(list(found.values()))


def test_a_grant_that_was_given_or_taken_is_told_once(fresh_hot):
    note_changes(fresh_hot)
    assert note_changes(fresh_hot) == dict.fromkeys(
        ("policies", "grants", "logins_refused", "tables_read", "sessions_by_hand"), 0
    )
    with connect(OWNER, settings=fresh_hot) as hot:
        hot.execute("grant select on restricted.person to checker")
        hot.execute("grant usage on schema restricted to checker")
    assert note_changes(fresh_hot)["grants"] == 1
    with connect(OWNER, settings=fresh_hot) as hot:
        hot.execute("revoke select on restricted.person from checker")
    assert note_changes(fresh_hot)["grants"] == 1
    told = [
        (action, role, detail["first"]) for action, role, detail in entries(fresh_hot, "grant.%n") if role == "checker"
    ]
    assert told[-2:] == [
        ("grant.given", "checker", ["select restricted.person"]),
        ("grant.taken", "checker", ["select restricted.person"]),
    ]


def test_a_policy_that_changed_is_told_by_its_hashes(fresh_hot, tmp_path, monkeypatch):
    (tmp_path / "a.yml").write_text("one: 1")
    monkeypatch.setattr(access, "POLICIES", tmp_path)
    assert note_changes(fresh_hot)["policies"] == 1
    (tmp_path / "a.yml").write_text("one: 2")
    assert note_changes(fresh_hot)["policies"] == 1
    ((_, name, detail),) = entries(fresh_hot, "policy.changed")
    assert (
        name == "a.yml" and len(detail["before"]) == len(detail["after"]) == 64 and detail["before"] != detail["after"]
    )


REQUIRED = ("type", "recorded", "agent", "source")  # cardinality 1 in FHIR R4 AuditEvent


def test_the_trail_goes_out_as_audit_events_that_name_nobody(fresh_hot):
    record = store_month(fresh_hot, date(2026, 10, 1), records=1)[0]
    retrieve(record.record_id, purpose="a dispute", actor="me", settings=fresh_hot)
    events = list(export_events(fresh_hot))
    assert events
    for event in events:
        assert all(event[name] for name in REQUIRED)
        assert event["source"]["observer"] and all("requestor" in agent for agent in event["agent"])
        assert event["outcome"] in ("0", "4", "8") and event["action"] in "CRUDE"
    read = next(event for event in events if event.get("meta"))
    assert read["meta"]["profile"] == ["https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.Read"]
    assert (read["type"]["code"], read["subtype"][0]["code"], read["action"], read["outcome"]) == (
        "rest",
        "read",
        "R",
        "0",
    )
    assert [agent["type"]["coding"][0]["code"] for agent in read["agent"]] == ["110152", "110153"]
    assert all(agent["network"] and agent["who"] for agent in read["agent"])
    assert [agent["requestor"] for agent in read["agent"]] == [True, False]
    assert read["purposeOfEvent"] == [{"text": "a dispute"}]
    assert "Dr Example" not in json.dumps(events)
    assert list(export_events(fresh_hot, after=len(events))) == []
    verdict = verify_trail(fresh_hot)
    assert events[-1]["entity"][1]["detail"][0]["valueString"] == verdict.last_hash


@pytest.mark.parametrize(
    ("action", "expected"), [("person.erased", "D"), ("partition.moved", "U"), ("hold.set", "C"), ("night.closed", "E")]
)
def test_acts_have_the_letter_of_what_they_did(action, expected):
    from include.audit.chain import Entry

    entry = Entry(1, "2026-11-25T00:00:00.000000", "lifecycle", action, None, None, "success", "{}", b"", b"\x01")
    assert event_of(entry, "db")["action"] == expected


# The fixed parts of BALP 1.1.4's profiles: agents by their type, and how often each may be there.
BALP_AGENTS = {"Read": ("110152", "110153"), "Delete": ("110150", "custodian")}


@pytest.mark.parametrize(("action", "profile"), [("record.unsealed", "Read"), ("file.destroyed", "Delete")])
def test_reads_and_deletions_have_the_agents_and_entities_that_balp_fixes(action, profile):
    from include.audit.chain import Entry

    at = "2026-11-25T00:00:00.000000"
    entry = Entry(7, at, "lifecycle C. Clerk", action, "token", "a dispute", "success", "{}", b"", b"\x01")
    event = event_of(entry, "db")
    assert event["meta"]["profile"] == [
        f"https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.{profile}"
    ]
    client, server, user = event["agent"]
    assert tuple(agent["type"]["coding"][0]["code"] for agent in (client, server)) == BALP_AGENTS[profile]
    assert all(agent["who"] and agent["network"] and "media" not in agent for agent in (client, server))
    assert (user["type"]["coding"][0]["code"], user["requestor"], "network" in user) == ("IRCP", True, False)
    assert user["who"]["identifier"]["value"] == "C. Clerk"
    data = [each for each in event["entity"] if each["type"]["code"] == "2"]
    assert [(each["role"]["code"], bool(each["what"])) for each in data] == [("4", True)]
    assert (event["type"]["code"], event["action"], event["outcome"]) == ("rest", profile[0], "0")
    failed = event_of(Entry(7, at, "lifecycle", action, None, None, "failure", "{}", b"", b"\x01"), "db")
    assert "meta" not in failed, "the profiles are for what succeeded"
