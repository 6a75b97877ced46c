"""HL7 v2 messages of the north's wards as text: admissions and results, with what interfaces add to them."""

from dataclasses import dataclass
from datetime import datetime

from include.sample.block import Block
from include.sample.codes import LOINC_RESULTS
from include.sample.telling import Telling

AUTHORITY = "NORTH"
Segment = str


@dataclass(frozen=True, slots=True)
class Patient:
    """Who a message is about: the number it tells first, and how it tells the person."""

    number: str
    told: Telling
    birth: str
    sex: str
    ssn: str
    contact: str
    contact_phone: str


@dataclass(frozen=True, slots=True)
class Stay:
    """A stay on a ward; times are local."""

    number: str
    start: datetime
    end: datetime
    attending: str
    icd10: str
    reason: str


@dataclass(frozen=True, slots=True)
class Message:
    """A message's segments and how many resources it stands for by the v2-to-FHIR guide."""

    segments: tuple[Segment, ...]
    resources: int

    def as_bytes(self, end: str = "\r", codec: str = "utf-8") -> bytes:
        """The message, each segment with its end."""
        return "".join(segment + end for segment in self.segments).encode(codec)


def segment(name: str, fields: dict[int, str]) -> Segment:
    """A segment with these fields by their numbers, all others empty."""
    return "|".join([name, *(fields.get(number, "") for number in range(1, max(fields) + 1))])


def header(kind: str, at: datetime, control_id: str, *, version: str = "2.5.1", charset: str = "") -> Segment:
    """MSH. `kind` is for example ADT^A01^ADT_A01."""
    fields = ["MSH", "^~\\&", "WARDSYS", "NORTH", "PLUMBLINE", "DATA", stamp(at), "", kind, control_id, "P", version]
    return "|".join([*fields, *([""] * 5 + [charset] if charset else [])])


def stamp(at: datetime) -> str:
    """A time as HL7 v2 writes it, to the second."""
    return at.strftime("%Y%m%d%H%M%S")


def identification(patient: Patient, *, former: str = "") -> Segment:
    """PID; `former` is a name that is no more."""
    told = patient.told
    fields = {
        1: "1",
        3: f"{patient.number}^^^{AUTHORITY}^MR",
        5: f"{told.family}^{told.given}^^^^^L" + (f"~{former}^{told.given}^^^^^M" if former else ""),
        7: patient.birth.replace("-", ""),
        8: patient.sex,
        11: f"{told.street}^^{told.city}^{told.state}^{told.postal_code}^USA^H",
        13: f"{told.phone}^PRN^PH",
    }
    return segment("PID", fields | ({19: patient.ssn.replace("-", "")} if patient.ssn else {}))


def visit(stay: Stay, *, is_over: bool = False, end: datetime | None = None) -> Segment:
    """PV1 of an inpatient stay."""
    fields = {
        1: "1",
        2: "I",
        3: "4W^402^B^NORTH",
        7: f"1234^{stay.attending}",
        19: f"{stay.number}^^^{AUTHORITY}",
        44: stamp(stay.start),
    }
    return segment("PV1", fields | ({45: stamp(end or stay.end)} if is_over else {}))


def admission(patient: Patient, stay: Stay, at: datetime, control_id: str, *, event: str = "A01") -> Message:
    """ADT^A01 (or another event of a stay that has begun): the patient, the stay, its diagnosis; a contact, and a segment of the
    vendor's own with what nobody declared."""
    segments = (
        header(f"ADT^{event}^ADT_A01", at, control_id),
        segment("EVN", {1: event, 2: stamp(at)}),
        identification(patient),
        segment("NK1", {1: "1", 2: _as_name(patient.contact), 3: "SPO", 5: f"{patient.contact_phone}^PRN^PH"}),
        visit(stay),
        segment("DG1", {1: "1", 3: f"{stay.icd10}^{stay.reason}^I10", 5: stamp(stay.start), 6: "A"}),
        segment("ZPI", {1: "1", 2: patient.contact, 3: patient.contact_phone, 4: f"{patient.told.given} {patient.told.family}",
                        5: patient.ssn}),
    )  # fmt: skip
    return Message(segments, 3)


def _as_name(name: str) -> str:
    given, _, family = name.partition(" ")
    return f"{family}^{given}"


def event_of_stay(
    event: str,
    patient: Patient,
    stay: Stay,
    at: datetime,
    control_id: str,
    *,
    is_over: bool = False,
    end: datetime | None = None,
    former: str = "",
) -> Message:
    """ADT^A03, A08, A11 and the like: the patient and the stay as they now are."""
    segments = (
        header(f"ADT^{event}^ADT_A01", at, control_id),
        segment("EVN", {1: event, 2: stamp(at)}),
        identification(patient, former=former),
        visit(stay, is_over=is_over, end=end),
    )
    return Message(segments, 2)


def merge(patient: Patient, prior: str, at: datetime, control_id: str) -> Message:
    """ADT^A40: the record under the number `prior` is this patient's."""
    segments = (
        header("ADT^A40^ADT_A39", at, control_id),
        segment("EVN", {1: "A40", 2: stamp(at)}),
        identification(patient),
        segment("MRG", {1: f"{prior}^^^{AUTHORITY}^MR"}),
    )
    return Message(segments, 2)


def results(
    patient: Patient,
    order: str,
    at: datetime,
    control_id: str,
    values: dict[str, float],
    *,
    status: str = "F",
    note: str = "",
    taken: datetime | None = None,
    is_coded: bool = True,
) -> Message:
    """ORU^R01: a report with its results by LOINC code. `taken` is when the results say they were taken, if not at the report's time."""
    found = []
    for number, (code, value) in enumerate(values.items(), 1):
        display, unit = LOINC_RESULTS[code]
        found.append(
            segment("OBX", {1: str(number), 2: "NM", 3: f"{code}^{display}^LN" if is_coded else "", 5: str(value),
                            6: f"{unit}^^UCUM", 11: status, 14: stamp(taken or at)})
        )  # fmt: skip
    segments = (
        header("ORU^R01^ORU_R01", at, control_id),
        identification(patient),
        segment("OBR", {1: "1", 2: f"P{order}^WARDSYS", 3: f"F{order}^LAB", 4: "51990-0^Basic metabolic panel^LN", 7: stamp(at),
                        16: "1234^Pierce^Alan", 22: stamp(at), 24: "LAB", 25: status}),
        *found,
        *([segment("NTE", {1: "1", 3: note})] if note else []),
    )  # fmt: skip
    return Message(segments, 2 + len(values))


def birth_of(block: Block, at: int) -> str:
    """The day of birth, YYYY-MM-DD."""
    return str(block.people.birth[at])
