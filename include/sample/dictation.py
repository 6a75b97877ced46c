"""What is dictated: notes put together of words and identifiers, so that where each identifier stands is known to the character.

Classes are those of 45 CFR 164.514(b)(2) that notes bear: patient, relative and clinician names, telephone, record and social
security numbers, mail, addresses, dates, and ages over 89. Each is written in another way from note to note.
"""

from dataclasses import dataclass, field

import numpy as np

from include.sample import names
from include.sample.block import Block
from include.sample.identities import Identity
from include.sample.places import PLACES

PATIENT, RELATIVE, CLINICIAN, PHONE, MRN = (
    "patient name",
    "relative's name",
    "clinician's name",
    "telephone",
    "record number",
)
SSN, EMAIL, ADDRESS, DATE, AGE = "social security number", "mail address", "address", "date", "age over 89"
RELATIONS = (("wife", 0), ("husband", 1), ("daughter", 0), ("son", 1), ("mother", 0), ("brother", 1), ("sister", 0))
CLINICIANS = (
    ("Ottilie", "Vance"),
    ("Bertram", "Okonkwo"),
    ("Saoirse", "Delacroix"),
    ("Anselm", "Huang"),
    ("Mirela", "Petrov"),
)
MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
FINDINGS = (
    "Gait short-stepped as in Parkinson disease; no Graves ophthalmopathy.",
    "Bell palsy resolved. Chest X-ray without acute findings; will repeat if symptoms may recur.",
    "Lungs clear, abdomen soft. Long discussion about diet: rice, brown bread, little salt.",
    "Murphy sign negative, Foley removed, Glasgow coma scale 15. Hand strength good.",
    "Babinski absent on both sides. Continue current doses; blood pressure 128/76, BMI 27.4.",
)


@dataclass
class Dictated:
    """A note: its text, its day, and the identifiers in it as [start, end, class]; `planted` are those a leak scan can look for."""

    day: str
    text: str = ""
    spans: list[tuple[int, int, str]] = field(default_factory=list)
    planted: list[tuple[str, str, str]] = field(default_factory=list)

    def say(self, words: str) -> "Dictated":
        """Add words that identify nobody."""
        self.text += words
        return self

    def name(self, value: str, kind: str, plant: str = "", whole: str = "") -> "Dictated":
        """Add an identifier of a class; `plant` is its kind in the key's list of identifiers, `whole` what to look for there."""
        start = len(self.text)
        self.text += value
        self.spans.append((start, len(self.text), kind))
        if plant:
            self.planted.append((plant, whole or value, f"note, {kind}"))
        return self


def dictate(block: Block, at: int, turn: int) -> Dictated:
    """Return the note number `turn` about person `at`; the ways of writing go round with it."""
    who, people = block.identities[at], block.people
    day = people.night - 5 - turn * 3 % 120
    note = Dictated(str(day))
    _open(note, who, turn, day, str(people.birth[at]), int(people.age[at]))
    note.say("\n\nEXAM: ").say(FINDINGS[turn % len(FINDINGS)]).say("\n\nPLAN: ")
    _mention_relative(note, who, turn)
    _mention_clinician(note, turn)
    _mention_numbers(note, who, turn)
    _mention_place(note, who, PLACES[people.place[at]].city, turn)
    note.say("Follow-up on ").name(_date_as(turn + 2, day + 30), DATE).say(".\n")
    return note


def _open(note: Dictated, who: Identity, turn: int, day: np.datetime64, birth: str, age: int) -> None:
    number = _number_as(turn, who.north_mrn)
    born = _date_as(turn + 1, np.datetime64(birth))
    match turn % 5:
        case 0:
            note.say("Patient: ").name(f"{who.family}, {who.given}", PATIENT, "inverted_name")
            note.say("   ").say(number[0]).name(number[1], MRN, "north_mrn", who.north_mrn).say("   DOB: ").name(
                born, DATE
            )
            note.say("\nDate of service: ").name(_date_as(turn, day), DATE)
        case 1:
            note.name(f"{who.given} {who.family}", PATIENT, "full_name").say(" is seen on ").name(
                _date_as(turn, day), DATE
            )
            note.say(" for a cough. ").say(number[0]).name(number[1], MRN, "north_mrn", who.north_mrn).say(".")
        case 2:
            note.say("RE: ").name(
                f"{who.given.upper()} {who.family.upper()}", PATIENT, "full_name", f"{who.given} {who.family}"
            )
            note.say(", born ").name(born, DATE).say(", ").say(number[0]).name(
                number[1], MRN, "north_mrn", who.north_mrn
            )
        case 3:
            title = "Mrs. " if turn % 2 else "Mr. "
            note.say(title).name(who.family, PATIENT).say(" came in on ").name(_date_as(turn, day), DATE).say(
                " with a sprained ankle."
            )
        case _:
            note.say("Dictated ").name(_date_as(turn, day), DATE).say(". ").name(
                f"{who.given} {who.middle[:1]}. {who.family}", PATIENT
            )
            note.say(" reports less pain.")
    if age > 89:
        note.say(" The patient is ").name(f"{age}", AGE).say(" years old.")


def _mention_relative(note: Dictated, who: Identity, turn: int) -> None:
    relation, sex = RELATIONS[turn % len(RELATIONS)]
    given = names.GIVEN["white"][sex][turn * 5 % 16]
    if turn % 3 == 0:
        note.say("Discussed with ").name(f"{who.contact_given} {who.family}", RELATIVE, "contact_name").say(
            ", the contact person. "
        )
    elif turn % 3 == 1:
        other = _other_family(who, turn)
        note.say(f"The {relation}, ").name(f"{given} {other}", RELATIVE, "relative_name").say(", will help at home. ")
    else:
        note.say(f"Lives with {relation} ").name(given, RELATIVE).say(". ")


def _other_family(who: Identity, turn: int) -> str:
    others = [name for name in names.FAMILY["white"] if name != who.family]
    return others[turn * 7 % len(others)]


def _mention_clinician(note: Dictated, turn: int) -> None:
    given, family = CLINICIANS[turn % len(CLINICIANS)]
    match turn % 4:
        case 0:
            note.say("Seen with Dr. ").name(family, CLINICIAN).say(". ")
        case 1:
            note.say("Referred to ").name(f"{given} {family}", CLINICIAN).say(", MD. ")
        case 2:
            note.say("Dr ").name(f"{given[0]}. {family}", CLINICIAN).say(" agrees. ")
        case _:
            note.say("Cosigned by ").name(f"{given} {family}", CLINICIAN).say(", RN. ")


def _mention_numbers(note: Dictated, who: Identity, turn: int) -> None:
    phone = "".join(letter for letter in who.phone if letter.isdigit())
    note.say(("Call ", "Cell: ", "Reach at ", "tel ", "Phone ")[turn % 5]).name(
        _phone_as(turn, phone), PHONE, "phone", who.phone
    )
    note.say((" with results. ", "; ", ". ", " after five. ", " or leave a message. ")[turn % 5])
    if turn % 2 == 0 and who.ssn:
        note.say(("SSN ", "Social security number: ", "SS# ")[turn // 2 % 3]).name(
            _ssn_as(turn // 2, who.ssn), SSN, "ssn", who.ssn
        ).say(". ")
    if turn % 3 != 1:
        mail = who.email if turn % 4 else who.email.upper()
        note.say("Portal messages go to ").name(mail, EMAIL, "email", who.email).say(". ")


def _mention_place(note: Dictated, who: Identity, city: str, turn: int) -> None:
    if turn % 2:
        note.say("Lives at ").name(f"{who.street}, {city}", ADDRESS, "street", who.street).say(". ")
    elif who.postal_code:
        note.say("Home: ").name(f"{who.street}, {city} {who.postal_code}", ADDRESS, "street", who.street).say(". ")


def _number_as(turn: int, number: str) -> tuple[str, str]:
    """What is written before a record number, and how it is written."""
    digits = number[1:]
    return (
        ("MRN: ", number),
        ("MR# ", number.lower()),
        ("Medical record no. ", f"N {digits[:4]} {digits[4:]}"),
        ("MRN", f"#{number}"),
        ("chart ", f"N-{digits}"),
    )[turn % 5]


def _phone_as(turn: int, digits: str) -> str:
    area, exchange, line = digits[:3], digits[3:6], digits[6:]
    return (
        f"({area}) {exchange}-{line}",
        f"{area}.{exchange}.{line}",
        f"{area}-{exchange}-{line}",
        digits,
        f"+1 {area} {exchange} {line}",
        f"({area}){exchange}-{line}",
        f"1-{area}-{exchange}-{line} x12",
    )[turn % 7]


def _ssn_as(turn: int, number: str) -> str:
    return (number, number.replace("-", " "), number.replace("-", ""))[turn % 3]


def _date_as(turn: int, day: np.datetime64) -> str:
    year, month, date = (int(part) for part in str(day).split("-"))
    return (
        f"{month:02d}/{date:02d}/{year}",
        f"{MONTHS[month - 1]} {date}, {year}",
        f"{year}-{month:02d}-{date:02d}",
        f"{date} {MONTHS[month - 1][:3]} {year}",
        f"{month}/{date}/{year % 100:02d}",
        f"{month}-{date}-{year}",
    )[turn % 6]
