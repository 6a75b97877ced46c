"""The trail as FHIR R4 AuditEvents, for a hospital's own audit repository.

Reads of a record follow IHE BALP 1.1.4, profile IHE.BasicAudit.Read (https://profiles.ihe.net/ITI/BALP); deletions its
profile Delete. Both are for what succeeded; other acts, and what failed, are plain R4 AuditEvents. Each carries its number and
hash, so that it can be held against the chain. Nothing in it is a patient's value: records and persons are named by tokens.
"""

from __future__ import annotations

from collections.abc import Iterator

from include.audit.chain import Entry, read_entries
from include.settings import Settings

PROFILES = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit."
SYSTEM = "urn:plumbline:audit"
_DCM = "http://dicom.nema.org/resources/ontology/DCM"
_EVENT_TYPE = "http://terminology.hl7.org/CodeSystem/audit-event-type"
_REST = "http://hl7.org/fhir/restful-interaction"
_ENTITY_TYPE = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
_ROLE = "http://terminology.hl7.org/CodeSystem/object-role"
_PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
_PROVENANCE = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
# Who asks and who answers, as the profiles name them: a read flows from server to client; a deletion has an owner of the data.
_CLIENT = {False: (_DCM, "110152", "Destination Role ID"), True: (_DCM, "110150", "Application")}
_SERVER = {False: (_DCM, "110153", "Source Role ID"), True: (_PROVENANCE, "custodian", "Custodian")}
_READS = ("record.unsealed", "record.read")
_DELETES = ("person.erased", "file.destroyed")
_OUTCOMES = {"success": "0", "attempt": "0", "failure": "8"}


def export_events(settings: Settings, after: int = 0) -> Iterator[dict]:
    """AuditEvents of every entry later than number ``after``, in order."""
    from include.warehouse.connect import connect

    with connect("privacy_officer", settings=settings, autocommit=True) as hot:
        for entry in read_entries(hot):
            if entry.entry_no > after:
                yield event_of(entry, settings.pg_host)


def event_of(entry: Entry, server: str) -> dict:
    """One entry as an AuditEvent. Pure."""
    is_read = entry.action in _READS and entry.outcome == "success"
    is_delete = entry.action in _DELETES and entry.outcome == "success"
    event = {
        "resourceType": "AuditEvent",
        "id": f"entry-{entry.entry_no}",
        "type": {"system": _EVENT_TYPE, "code": "rest" if is_read or is_delete else "object"},
        "subtype": [_subtype(entry, is_read, is_delete)],
        "action": _action(entry.action),
        "recorded": f"{entry.at}Z",
        "outcome": _OUTCOMES.get(entry.outcome, "4"),
        "outcomeDesc": entry.outcome,
        "agent": _agents(entry, server, is_delete=is_delete),
        "source": {
            "observer": {"display": "Plumbline"},
            "type": [_coding("http://terminology.hl7.org/CodeSystem/security-source-type", "4")],
        },
        "entity": [_data(entry), _chained(entry)],
    }
    if is_read or is_delete:
        event["meta"] = {"profile": [PROFILES + ("Read" if is_read else "Delete")]}
    if entry.purpose:
        event["purposeOfEvent"] = [{"text": entry.purpose}]
    return event


def _subtype(entry: Entry, is_read: bool, is_delete: bool) -> dict:
    if is_read or is_delete:
        return _coding(_REST, "read" if is_read else "delete")
    return _coding(SYSTEM, entry.action)


def _action(action: str) -> str:
    """C create, R read, U update, D delete, E execute."""
    verb = action.partition(".")[2]
    if action in _READS or verb in ("opened", "lent", "previewed", "read"):
        return "R"
    if verb in ("destroyed", "erased", "expired", "removed", "bytes_removed"):
        return "D"
    if verb in ("made", "begun", "promoted", "set", "recorded"):
        return "C"
    return "U" if verb in ("moved", "archived", "lifted", "rotated", "rewrapped", "changed", "given", "taken") else "E"


def _agents(entry: Entry, server: str, *, is_delete: bool) -> list[dict]:
    """The program that asked, under its database role; the database that answered; and the person behind it where one is named."""
    role, _, person = entry.actor.partition(" ")
    client = {
        "type": {"coding": [_coding(*_CLIENT[is_delete])]},
        "who": {"identifier": {"system": f"{SYSTEM}:role", "value": role}, "display": role},
        "requestor": not person,
        "network": {"address": role, "type": "1"},
    }
    answering = {
        "type": {"coding": [_coding(*_SERVER[is_delete])]},
        "who": {"identifier": {"system": f"{SYSTEM}:database", "value": "hot"}, "display": "Plumbline, database hot"},
        "requestor": False,
        "network": {"address": server, "type": "1"},
    }
    user = {
        "type": {"coding": [_coding(_PARTICIPATION, "IRCP", "information recipient")]},
        "who": {"identifier": {"system": f"{SYSTEM}:person", "value": person}, "display": person},
        "requestor": True,
    }
    return [client, answering, *([user] if person else [])]


def _data(entry: Entry) -> dict:
    return {
        "what": {"identifier": {"system": SYSTEM, "value": entry.subject or "-"}},
        "type": _coding(_ENTITY_TYPE, "2"),
        "role": _coding(_ROLE, "4"),
        "detail": [{"type": "detail", "valueString": entry.detail}],
    }


def _chained(entry: Entry) -> dict:
    return {
        "what": {"identifier": {"system": f"{SYSTEM}:entry", "value": str(entry.entry_no)}},
        "type": _coding(_ENTITY_TYPE, "4"),
        "detail": [{"type": "hash", "valueString": entry.hash.hex()}, {"type": "action", "valueString": entry.action}],
    }


def _coding(system: str, code: str, display: str | None = None) -> dict:
    return {"system": system, "code": code, **({"display": display} if display else {})}
