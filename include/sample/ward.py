"""The wards' feed: HL7 v2 messages of people whom the north knows, in files of several shapes, with what goes wrong on a wire.

Admissions come in a batch envelope, others as MLLP frames left in a file, results one after another. Every message says in the
answer key how many resources it stands for; what corrects, merges or overtakes another says what must be left in the end.
"""

import gzip
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from io import BytesIO
from pathlib import Path

import numpy as np

from include.sample import names
from include.sample.answer_key import DUPLICATE, QUARANTINED, AnswerKey, Defect, PlantedIdentifier
from include.sample.block import Block
from include.sample.codes import ACUTE
from include.sample.delivery import hash_file
from include.sample.fhir_defects import OVER_LIMIT, PLAUSIBILITY, STRUCTURAL
from include.sample.people import NORTH as NORTH_BIT
from include.sample.telling import tell
from include.sample.visits import CHRONIC_REASON, INPATIENT
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

SOURCE, DATASET = "ward", "resource"
BATCH, FRAMES, RESULTS = "admissions.hl7", "admissions_mllp.dat", "results.hl7"
FEWEST, ONE_IN, MOST = 10, 80, 240  # people of a block, and of all
FEWEST_FOR_GATE = 8  # so few people's messages would make a defect too large a share of them
START, END = b"\x0b", b"\x1c\r"


@dataclass
class MessageFile:
    """One file of the feed, put together in memory: a feed's share of the people is capped."""

    name: str
    parts: list[bytes] = field(default_factory=list)
    messages: int = 0

    def add(self, content: bytes) -> int:
        """Add a message and return its place."""
        self.parts.append(content)
        self.messages += 1
        return self.messages


@dataclass
class Feed:
    """The feed being written to `folder`; `suffix` tells one delivery from another."""

    folder: Path
    key: AnswerKey
    suffix: str = ""
    people: int = 0
    sent: int = 0
    files: dict[str, MessageFile] = field(default_factory=dict)

    def file(self, name: str) -> MessageFile:
        """A file by its name without the suffix."""
        stem, _, ending = name.partition(".")
        return self.files.setdefault(name, MessageFile(f"{stem}{self.suffix}.{ending}"))

    def next_control_id(self) -> str:
        """A message's number, counting up."""
        self.sent += 1
        return f"W{self.suffix.strip('_')}{self.sent:06d}"

    def send(self, name: str, message: Message) -> int:
        """Add a good message, in the shape of its file, and count its resources."""
        self.key.counts[SOURCE, DATASET].received += message.resources
        return self.file(name).add(self._framed(name, message.as_bytes()))

    def _framed(self, name: str, content: bytes) -> bytes:
        return START + content + END if name == FRAMES else content

    def refuse(self, name: str, kind: str, content: bytes, *, is_framed: bool = True) -> None:
        """Add a message that cannot be read: one record, in quarantine."""
        place = self.file(name).add(self._framed(name, content) if is_framed else content)
        self.note(name, kind, STRUCTURAL, place)

    def note(self, name: str, kind: str, family: str, place: int, *, reasons: tuple[str, ...] = ()) -> None:
        """Write down what is refused. A structural defect is a record of its own; one at the gate is counted with its message."""
        self.key.counts[SOURCE, DATASET].received += family == STRUCTURAL
        self.key.add_defect(
            Defect(kind, family, SOURCE, DATASET, self.file(name).name, place, QUARANTINED, reasons or (kind,))
        )

    def close(self, *, is_whole: bool = True) -> None:
        """Write the files; the batch's envelope announces one message more than it holds where `is_whole` is False."""
        for name, file in self.files.items():
            content = b"".join(file.parts)
            if name == BATCH:
                content = self._enveloped(file, content, is_whole=is_whole)
            self._write(file.name, content)

    def _enveloped(self, file: MessageFile, content: bytes, *, is_whole: bool) -> bytes:
        before, stray = b"FHS|^~\\&|WARDSYS\rBHS|^~\\&|WARDSYS\r", b""
        if not is_whole:
            stray = b"page 1 of the ward printer\r"
            self.note(BATCH, "stray_text", STRUCTURAL, 0)
            self.note(BATCH, "batch_count", STRUCTURAL, file.messages)
        return before + stray + content + f"BTS|{file.messages + (not is_whole)}\rFTS|1\r".encode()

    def _write(self, name: str, content: bytes) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_bytes(content)
        self.key.hashes[SOURCE, name] = hash_file(self.folder / name)

    def write_broken_files(self) -> None:
        """Write a file that holds no message at all, and one that is cut off in transfer."""
        packed = BytesIO()
        with gzip.GzipFile("", "wb", 4, packed, mtime=0) as out:
            out.write(
                b"".join(
                    segment("MSH", {1: f"^~\\&|LOST|{number * 7919 % 104729}"}).encode() + b"\r"
                    for number in range(400)
                )
            )
        for name, kind, content, reasons in (
            ("pager_log.txt", "not_hl7v2", b"03:12 call 4W\n03:40 bed 402 ready\n", ("not_hl7v2",)),
            ("results_002.hl7.gz", "truncated_gzip", packed.getvalue()[: len(packed.getvalue()) * 6 // 10], ("truncated_gzip", "broken_gzip")),
        ):  # fmt: skip
            self._write(name, content)
            self.key.counts[SOURCE, DATASET].received += 1
            self.key.add_defect(Defect(kind, STRUCTURAL, SOURCE, DATASET, name, 0, QUARANTINED, reasons))


@dataclass(frozen=True, slots=True)
class _Case:
    """One person's stay with everything that its messages need."""

    person: int
    patient: Patient
    stay: Stay


def write_block(feed: Feed, block: Block) -> dict[int, dict[str, str]]:
    """Send the messages of some stays of a block; return under which numbers the feed knows whom (by position)."""
    known: dict[int, dict[str, str]] = {}
    for case_at, visit in _stays(block, min(max(FEWEST, len(block.people) // ONE_IN), MOST - feed.people)):
        case = _case(block, case_at, visit, feed.people)
        known[case_at] = {SOURCE: case.patient.number} | _send_case(feed, case, feed.people)
        if feed.people == 0:
            _send_unreadable(feed, case)
        if FEWEST_FOR_GATE <= feed.people < FEWEST_FOR_GATE + len(_IMPLAUSIBLE):
            _send_implausible(feed, case, _IMPLAUSIBLE[feed.people - FEWEST_FOR_GATE])
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
    return _Case(int(block.people.number[at]), patient, stay)


def _send_case(feed: Feed, case: _Case, turn: int) -> dict[str, str]:
    """The messages of one stay, each person's with another turn of events; returns a further number that was merged away."""
    name = FRAMES if turn % 2 else BATCH
    stay, patient, hour = case.stay, case.patient, timedelta(hours=1)
    _plant(feed, case)
    further: dict[str, str] = {}
    leaves = event_of_stay("A03", patient, stay, stay.end, feed.next_control_id(), is_over=True)
    comes = admission(patient, stay, stay.start, feed.next_control_id())
    match turn % 6:
        case 1:  # the discharge overtakes the admission
            feed.send(name, leaves)
            feed.send(name, comes)
        case 2:  # admitted under a number of the emergency room, which turns out to be the patient's
            prior = f"T{int(patient.number[1:]) + 7:08d}"
            unknown = replace(
                patient,
                number=prior,
                told=replace(patient.told, family="Unidentified", given="Trauma"),
                ssn="",
                birth="",
            )
            feed.send(name, admission(unknown, stay, stay.start, feed.next_control_id()))
            feed.send(name, merge(patient, prior, stay.start + hour, feed.next_control_id()))
            feed.send(name, leaves)
            feed.key.add_identifier(PlantedIdentifier(case.person, "merged_number", prior, where="HL7 MRG.1"))
            further = {f"{SOURCE}_merged": prior}
        case 3:  # discharged a day too late, then corrected
            feed.send(name, comes)
            wrong = stay.end + timedelta(days=1)
            feed.send(
                name, event_of_stay("A03", patient, stay, stay.end, feed.next_control_id(), is_over=True, end=wrong)
            )
            right = event_of_stay("A08", patient, stay, stay.end + 2 * hour, feed.next_control_id(), is_over=True)
            feed.send(name, right)
        case 4:  # the name changed, and a later message says so
            feed.send(name, admission(_as_registered(case), stay, stay.start, feed.next_control_id()))
            feed.send(
                name,
                event_of_stay(
                    "A08",
                    patient,
                    stay,
                    stay.start + hour,
                    feed.next_control_id(),
                    former=case.patient.contact.partition(" ")[2],
                ),
            )
            feed.send(name, leaves)
        case 5:  # sent twice
            feed.send(name, comes)
            place = feed.send(name, leaves)
            again = feed.send(name, leaves)
            file = feed.file(name).name
            feed.key.add_defect(
                Defect(
                    "repeated_message",
                    STRUCTURAL,
                    SOURCE,
                    DATASET,
                    file,
                    again,
                    DUPLICATE,
                    record=str(place),
                    records=leaves.resources,
                )
            )
        case _:
            feed.send(name, comes)
            feed.send(name, leaves)
    _expect(feed, case, status="finished", end=stay.end)
    _send_results(feed, case, turn)
    if turn % 6 == 0:
        _send_cancelled(feed, name, case)
    return further  # fmt: skip


def _as_registered(case: _Case) -> Patient:
    """The patient under the name that the north has."""
    family = case.patient.contact.partition(" ")[2]
    return replace(case.patient, told=replace(case.patient.told, family=family))


def _expect(feed: Feed, case: _Case, *, status: str, end: datetime | None, number: str = "") -> None:
    feed.key.add_outcome(
        {"source": SOURCE, "of": "stay", "number": number or case.stay.number, "status": status,
         "end": end.isoformat() if end else None}
    )  # fmt: skip


def _send_cancelled(feed: Feed, name: str, case: _Case) -> None:
    """An admission that never was."""
    stay = replace(case.stay, number=f"{case.stay.number}c", start=case.stay.start + timedelta(minutes=3))
    feed.send(name, event_of_stay("A01", case.patient, stay, stay.start, feed.next_control_id()))
    feed.send(name, event_of_stay("A11", case.patient, stay, stay.start + timedelta(minutes=9), feed.next_control_id()))
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
    feed.send(RESULTS, message)
    place = feed.send(RESULTS, message)
    feed.key.add_defect(
        Defect("repeated_message", STRUCTURAL, SOURCE, DATASET, feed.file(RESULTS).name, place, DUPLICATE, records=message.resources)
    )  # fmt: skip
    feed.refuse(RESULTS, "missing_patient", header("ADT^A04^ADT_A01", late, feed.next_control_id()).encode() + b"\r")
