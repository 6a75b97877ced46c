"""Which messages the wards send about a stay: as it should be, overtaken, merged, corrected, renamed, repeated; and broken ones.

What corrects, merges or overtakes another says in the answer key what must be left in the end.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

import numpy as np

from include.sample import names
from include.sample.answer_key import DUPLICATE, Defect, PlantedIdentifier
from include.sample.block import Block
from include.sample.codes import ACUTE, FINDINGS
from include.sample.contradictions import note_move, note_values
from include.sample.fhir_defects import OVER_LIMIT, PLAUSIBILITY, STRUCTURAL
from include.sample.fhir_visits import BEDSIDE_DELAY
from include.sample.north import SOURCE as NORTH
from include.sample.people import NORTH as NORTH_BIT
from include.sample.telling import tell
from include.sample.visits import CHRONIC_REASON, INPATIENT
from include.sample.ward import BATCH, DATASET, FRAMES, RESULTS, SOURCE, START, Feed
from include.sample.ward_messages import (
    Message,
    Patient,
    Stay,
    admission,
    birth_of,
    event_of_stay,
    header,
    identification,
    merge,
    results,
    segment,
    stamp,
)

FEWEST, ONE_IN, MOST = 10, 80, 240  # people of a block, and of all
FEWEST_FOR_GATE = 8  # so few people's messages would make a defect too large a share of them
HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class _Case:
    """One person's stay with everything that its messages need. `name` is the file that they go to, `registered` the family name
    that the north has."""

    person: int
    patient: Patient
    stay: Stay
    name: str
    registered: str


def write_block(feed: Feed, block: Block) -> dict[int, dict[str, str]]:
    """Send the messages of some stays of a block; return under which numbers the feed knows whom (by position)."""
    known: dict[int, dict[str, str]] = {}
    pulses = dict(zip(*(each.tolist() for each in block.findings.values["heart_rate"]), strict=True))
    for at, visit in _stays(block, min(max(FEWEST, len(block.people) // ONE_IN), MOST - feed.people)):
        turn = feed.people
        case = _case(block, at, visit, turn)
        known[at] = {SOURCE: case.patient.number} | _send_case(feed, case, turn)
        _send_shared_reading(feed, case, turn, pulses[visit])
        note_move(feed.key, SOURCE, block, case.patient.told)
        if turn == 0:
            _send_unreadable(feed, case)
        if FEWEST_FOR_GATE <= turn < FEWEST_FOR_GATE + len(_IMPLAUSIBLE):
            _send_implausible(feed, case, _IMPLAUSIBLE[turn - FEWEST_FOR_GATE])
        feed.people += 1
    return known


def _stays(block: Block, most: int) -> list[tuple[int, int]]:
    """Some people's last stay in the north that ended some days ago: (person, visit)."""
    visits, last = block.visits, {}
    ended = visits.end.astype("datetime64[D]") + 4 < block.people.night
    alive = np.isnat(block.people.death[visits.person])
    chosen = (
        (visits.kind == INPATIENT) & (visits.hospital == NORTH_BIT) & (visits.reason < CHRONIC_REASON) & ended & alive
    )
    for visit in np.flatnonzero(chosen).tolist():
        last[int(visits.person[visit])] = visit
    return sorted(last.items())[: max(most, 0)]


def _case(block: Block, at: int, visit: int, turn: int) -> _Case:
    visits, who, illness = block.visits, block.identities[at], ACUTE[block.visits.reason[visit]]
    given, _, family = names.CLINICIANS[visits.clinician[visit]].partition(" ")
    stay = Stay(
        number=block.ids("ward visit", [visit], prefix="V")[0],
        start=visits.start[visit].astype(datetime),
        end=visits.end[visit].astype(datetime),
        attending=f"{family}^{given}",
        icd10=illness.icd10,
        reason=illness.display,
    )
    told = tell(block, at, turn, has_number=True)
    patient = Patient(
        number=who.north_mrn,
        told=told,
        birth=birth_of(block, at),
        sex="F" if block.people.female[at] else "M",
        ssn=who.ssn,
        contact=f"{who.contact_given} {who.family}",
        contact_phone=who.contact_phone,
    )
    return _Case(int(block.people.number[at]), patient, stay, FRAMES if turn % 2 else BATCH, who.family)


def _send_case(feed: Feed, case: _Case, turn: int) -> dict[str, str]:
    """The messages of one stay, each person's with another turn of events; returns a further number that was merged away."""
    _plant(feed, case)
    further = _EVENTS[turn % len(_EVENTS)](feed, case) or {}
    _expect(feed, case, status="finished", end=case.stay.end)
    _send_results(feed, case, turn)
    if turn % len(_EVENTS) == 0:
        _send_cancelled(feed, case)
    return further


def _comes(feed: Feed, case: _Case) -> Message:
    return admission(case.patient, case.stay, case.stay.start, feed.next_control_id())


def _leaves(feed: Feed, case: _Case, *, end: datetime | None = None) -> Message:
    at = case.stay.end
    return event_of_stay("A03", case.patient, case.stay, at, feed.next_control_id(), is_over=True, end=end)


def _send_in_order(feed: Feed, case: _Case) -> None:
    feed.send(case.name, _comes(feed, case))
    feed.send(case.name, _leaves(feed, case))


def _send_overtaken(feed: Feed, case: _Case) -> None:
    """The discharge comes before the admission."""
    comes, leaves = _comes(feed, case), _leaves(feed, case)
    feed.send(case.name, leaves)
    feed.send(case.name, comes)


def _send_merged(feed: Feed, case: _Case) -> dict[str, str]:
    """Admitted under a number of the emergency room, which turns out to be the patient's."""
    stay, number = case.stay, f"T{int(case.patient.number[1:]) + 7:08d}"
    told = replace(case.patient.told, family="Unidentified", given="Trauma")
    unknown = replace(case.patient, number=number, told=told, ssn="", birth="")
    feed.send(case.name, admission(unknown, stay, stay.start, feed.next_control_id()))
    feed.send(case.name, merge(case.patient, number, stay.start + HOUR, feed.next_control_id()))
    feed.send(case.name, _leaves(feed, case))
    feed.key.add_identifier(PlantedIdentifier(case.person, "merged_number", number, where="HL7 MRG.1"))
    return {f"{SOURCE}_merged": number}


def _send_corrected(feed: Feed, case: _Case) -> None:
    """Discharged a day too late, then corrected."""
    stay = case.stay
    feed.send(case.name, _comes(feed, case))
    feed.send(case.name, _leaves(feed, case, end=stay.end + timedelta(days=1)))
    right = event_of_stay("A08", case.patient, stay, stay.end + 2 * HOUR, feed.next_control_id(), is_over=True)
    feed.send(case.name, right)


def _send_renamed(feed: Feed, case: _Case) -> None:
    """Admitted under the name that the north has; a later message says the new one."""
    stay, old = case.stay, replace(case.patient, told=replace(case.patient.told, family=case.registered))
    feed.send(case.name, admission(old, stay, stay.start, feed.next_control_id()))
    at, number = stay.start + HOUR, feed.next_control_id()
    feed.send(case.name, event_of_stay("A08", case.patient, stay, at, number, former=case.registered))
    feed.send(case.name, _leaves(feed, case))


def _send_repeated(feed: Feed, case: _Case) -> None:
    """The discharge is sent twice."""
    feed.send(case.name, _comes(feed, case))
    _send_twice(feed, case.name, _leaves(feed, case))


def _send_twice(feed: Feed, name: str, message: Message) -> None:
    first, again = feed.send(name, message), feed.send(name, message)
    place = (SOURCE, DATASET, feed.file(name).name, again)
    feed.key.add_defect(
        Defect("repeated_message", STRUCTURAL, *place, DUPLICATE, record=str(first), records=message.resources)
    )


# By turns; telling.WITH_NUMBER goes round with it, so that the renamed are those who married.
_EVENTS: tuple[Callable[[Feed, _Case], dict[str, str] | None], ...] = (
    _send_in_order,
    _send_overtaken,
    _send_merged,
    _send_corrected,
    _send_renamed,
    _send_repeated,
)


def _expect(feed: Feed, case: _Case, *, status: str, end: datetime | None, number: str = "") -> None:
    feed.key.add_outcome(
        {"source": SOURCE, "of": "stay", "number": number or case.stay.number, "status": status,
         "end": end.isoformat() if end else None}
    )  # fmt: skip


def _send_cancelled(feed: Feed, case: _Case) -> None:
    """An admission that never was."""
    stay = replace(case.stay, number=f"{case.stay.number}c", start=case.stay.start + timedelta(minutes=3))
    feed.send(case.name, event_of_stay("A01", case.patient, stay, stay.start, feed.next_control_id()))
    feed.send(
        case.name, event_of_stay("A11", case.patient, stay, stay.start + timedelta(minutes=9), feed.next_control_id())
    )
    _expect(feed, case, status="cancelled", end=None, number=stay.number)


def _send_results(feed: Feed, case: _Case, turn: int) -> None:
    """A report of the stay, corrected afterwards for some; its note names people."""
    at, order = case.stay.start + timedelta(hours=5, minutes=7), f"{case.stay.number[1:]}"
    values = {"2160-0": round(0.7 + turn % 9 / 10, 2), "718-7": round(12 + turn % 5 / 2, 1)}
    told = case.patient.told
    note = f"Called {case.patient.contact} at {case.patient.contact_phone}; {told.given} {told.family} asks for a copy."
    feed.send(RESULTS, results(case.patient, order, at, feed.next_control_id(), values, note=note))
    final = values
    if turn % 3 == 0:
        final = {code: round(value + 0.3, 2) for code, value in values.items()}
        later = at + timedelta(minutes=40)
        corrected = results(case.patient, order, later, feed.next_control_id(), final, status="C", taken=at)
        feed.send(RESULTS, corrected)
    for code, value in final.items():
        row = {"source": SOURCE, "of": "result", "patient": case.patient.number, "code": code, "at": at.isoformat()}
        feed.key.add_outcome(row | {"value": value})


def _send_shared_reading(feed: Feed, case: _Case, turn: int, pulse: float) -> None:
    """The pulse that the north tells as well, of the same minute; every fifth as somebody mistyped it."""
    at = case.stay.start + BEDSIDE_DELAY.astype(timedelta)
    is_mistyped = turn % 5 == 2
    told = {FINDINGS["heart_rate"].loinc: pulse + 9 if is_mistyped else pulse}
    feed.send(RESULTS, results(case.patient, f"8{case.stay.number[2:]}", at, feed.next_control_id(), told))
    if is_mistyped:
        note_values(feed.key, (SOURCE, NORTH))


def _plant(feed: Feed, case: _Case) -> None:
    told, person = case.patient.told, case.person
    for kind, value, where in (
        ("contact_name", case.patient.contact, "HL7 ZPI.2"),
        ("contact_phone", case.patient.contact_phone, "HL7 ZPI.3"),
        ("ssn", case.patient.ssn, "HL7 ZPI.5"),
        ("visit_number", case.stay.number, "HL7 PV1.19"),
        ("full_name", f"{told.given} {told.family}", "HL7 NTE.3"),
        ("street", told.street, "HL7 PID.11"),
        ("phone", told.phone, "HL7 PID.13"),
    ):
        feed.key.add_identifier(PlantedIdentifier(person, kind, value, where=where))


def _send_unreadable(feed: Feed, case: _Case) -> None:
    """One message of each kind that cannot be read."""
    at, patient = case.stay.start, case.patient
    pid = identification(patient)

    def lines(*segments: str) -> bytes:
        return "".join(each + "\r" for each in segments).encode()

    def head(**more: str) -> str:
        return header("ADT^A04^ADT_A01", at, feed.next_control_id(), **more)

    whole = lines(head(), segment("EVN", {1: "A04", 2: stamp(at)}), pid)
    feed.refuse(FRAMES, "truncated_message", START + whole[: len(whole) * 2 // 3], is_framed=False)
    feed.send(FRAMES, event_of_stay("A08", patient, case.stay, at + timedelta(minutes=1), feed.next_control_id()))
    feed.refuse(FRAMES, "bad_segment", lines(head(), pid, "4W|402|bed"))
    feed.refuse(FRAMES, "missing_patient", lines(head(), segment("EVN", {1: "A04"})))
    feed.refuse(FRAMES, "missing_patient_id", lines(head(), segment("PID", {1: "1", 5: "Doe^Jo", 8: "F"})))
    feed.refuse(FRAMES, "missing_message_type", lines(header("", at, feed.next_control_id()), pid))
    feed.refuse(RESULTS, "unsupported_version", lines(head(version="3.0"), pid))
    feed.refuse(RESULTS, "unknown_charset", lines(head(charset="KLINGON"), pid))
    feed.refuse(
        RESULTS, "invalid_charset", lines(head(charset="UNICODE UTF-8"), pid).replace(b"^^^^^L", b"\xff\xfe^^^^^L")
    )
    feed.refuse(RESULTS, "nul", lines(head(), pid, segment("NTE", {1: "1", 3: "x\0y"})))
    feed.refuse(RESULTS, "over_long_message", lines(head(), pid, segment("NTE", {1: "1", 3: "blank " * (OVER_LIMIT // 6)})))  # fmt: skip


_IMPLAUSIBLE = ("value_impossible", "date_in_future", "code_missing", "end_before_start")


def _send_implausible(feed: Feed, case: _Case, kind: str) -> None:
    """A message that can be read, of which one resource cannot be meant."""
    at, order = case.stay.start + timedelta(hours=9), f"9{case.stay.number[2:]}"
    if kind == "end_before_start":
        stay = replace(case.stay, number=f"{case.stay.number}b")
        wrong = stay.start - timedelta(days=365)
        message = event_of_stay("A03", case.patient, stay, stay.end, feed.next_control_id(), is_over=True, end=wrong)
        name = FRAMES
    else:
        value = 990.0 if kind == "value_impossible" else 1.1
        taken = at.replace(year=2038) if kind == "date_in_future" else None
        message = results(case.patient, order, at, feed.next_control_id(), {"2160-0": value}, taken=taken, is_coded=kind != "code_missing")  # fmt: skip
        name = RESULTS
    feed.note(name, kind, PLAUSIBILITY, feed.send(name, message))


def write_later(feed: Feed, block: Block, day: int, night: date) -> None:
    """A later delivery: a result that came late and one old message again, for another person each day."""
    stays = _stays(block, FEWEST)
    if not stays:
        return
    at, visit = stays[day % len(stays)]
    case = _case(block, at, visit, day % len(stays))
    late = datetime.combine(night, time()) - timedelta(days=2)
    message = results(case.patient, f"7{day:04d}{case.stay.number[6:]}", late, feed.next_control_id(), {"2160-0": 1.0})
    _send_twice(feed, RESULTS, message)
    feed.refuse(RESULTS, "missing_patient", header("ADT^A04^ADT_A01", late, feed.next_control_id()).encode() + b"\r")
