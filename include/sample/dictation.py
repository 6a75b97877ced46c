"""What is dictated: notes put together of words and identifiers, so that where each identifier stands is known to the character.

Classes are those of 45 CFR 164.514(b)(2) that notes bear: patient, relative and clinician names, telephone, record and social
security numbers, mail, addresses, dates, and ages over 89. Each is written in another way from note to note.
"""

import re
from dataclasses import dataclass, field

import numpy as np

from include.sample import names
from include.sample.block import Block
from include.sample.identities import Identity
from include.sample.places import PLACES

PATIENT, RELATIVE, CLINICIAN, PHONE = "patient name", "relative's name", "clinician's name", "telephone"
MRN, SSN, EMAIL, ADDRESS = "record number", "social security number", "mail address", "address"
DATE, AGE = "date", "age over 89"

# Sentences by turns; what stands in braces is an identifier.
OPENINGS = (
    "Patient: {inverted}   {mrn}   DOB: {born}\nDate of service: {day}",
    "{full} is seen on {day} for a cough. {mrn}.",
    "RE: {capitals}, born {born}, {mrn}",
    "Mr. {family} came in on {day} with a sprained ankle.",
    "Dictated {day}. {initialled} reports less pain.",
)
FINDINGS = (
    "Gait short-stepped as in Parkinson disease; no Graves ophthalmopathy.",
    "Bell palsy resolved. Chest X-ray without acute findings; will repeat if symptoms may recur.",
    "Lungs clear, abdomen soft. Long discussion about diet: rice, brown bread, little salt.",
    "Murphy sign negative, Foley removed, Glasgow coma scale 15. Hand strength good.",
    "Babinski absent on both sides. Continue current doses; blood pressure 128/76, BMI 27.4.",
)
KIN = (
    "Discussed with {contact}, the contact person.",
    "The {kinship}, {relative}, will help at home.",
    "Lives with {kinship} {relative_given}.",
)
STAFF = (
    "Seen with Dr. {clinician_family}.",
    "Referred to {clinician}, MD.",
    "Dr {clinician_initialled} agrees.",
    "Cosigned by {clinician}, RN.",
)
CALLS = ("Call {phone} with results.", "Cell: {phone};", "Reach at {phone}.", "tel {phone} after five.", "Phone {phone} or leave a message.")  # fmt: skip
NUMBERS = ("SSN {ssn}.", "Social security number: {ssn}.", "SS# {ssn}.")
RELATIONS = (("wife", 0), ("husband", 1), ("daughter", 0), ("son", 1), ("mother", 0), ("brother", 1), ("sister", 0))
CLINICIANS = (("Ottilie", "Vance"), ("Bertram", "Okonkwo"), ("Saoirse", "Delacroix"), ("Anselm", "Huang"), ("Mirela", "Petrov"))  # fmt: skip
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
_BRACES = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Mention:
    """An identifier as a note writes it. `plant` is its kind in the key's list of identifiers ('' for what proves nothing alone),
    `whole` what to look for there; `before` is said before it and identifies nobody."""

    written: str
    kind: str
    plant: str = ""
    whole: str = ""
    before: str = ""


@dataclass
class Dictated:
    """A note: its text, its day, and the identifiers in it as (start, end, class); `planted` are those a leak scan can look for."""

    day: str
    text: str = ""
    spans: list[tuple[int, int, str]] = field(default_factory=list)
    planted: list[tuple[str, str, str]] = field(default_factory=list)

    def say(self, sentence: str, mentions: dict[str, Mention]) -> None:
        """Add a sentence with its identifiers."""
        for place, part in enumerate(_BRACES.split(sentence)):
            if place % 2:
                self._mention(mentions[part])
            else:
                self.text += part

    def _mention(self, said: Mention) -> None:
        self.text += said.before
        start = len(self.text)
        self.text += said.written
        self.spans.append((start, len(self.text), said.kind))
        if said.plant:
            self.planted.append((said.plant, said.whole or said.written, f"note, {said.kind}"))


def dictate(block: Block, at: int, turn: int) -> Dictated:
    """Return the note number `turn` about person `at`; the ways of writing go round with it."""
    who, people = block.identities[at], block.people
    day, age = people.night - 5 - turn * 3 % 120, int(people.age[at])
    relation, sex = RELATIONS[turn % len(RELATIONS)]
    mentions = {
        **_patient(who),
        **_numbers(who, turn),
        **_others(who, turn, sex),
        "address": _address(who, PLACES[people.place[at]].city, turn),
        "day": Mention(_date_as(turn, day), DATE),
        "born": Mention(_date_as(turn + 1, people.birth[at]), DATE),
        "next": Mention(_date_as(turn + 2, day + 30), DATE),
        "age": Mention(str(age), AGE),
    }
    sentences = [
        OPENINGS[turn % len(OPENINGS)] + (" The patient is {age} years old." if age > 89 else ""),
        f"\n\nEXAM: {FINDINGS[turn % len(FINDINGS)]}\n\nPLAN: " + KIN[turn % len(KIN)].replace("{kinship}", relation),
        STAFF[turn % len(STAFF)],
        CALLS[turn % len(CALLS)],
        NUMBERS[turn // 2 % len(NUMBERS)] if turn % 2 == 0 and who.ssn else "",
        "Portal messages go to {email}." if turn % 3 != 1 else "",
        "Lives at {address}." if turn % 2 else "Home: {address}.",
        "Follow-up on {next}.\n",
    ]
    note = Dictated(str(day))
    note.say(" ".join(filter(None, sentences)), mentions)
    return note


def _patient(who: Identity) -> dict[str, Mention]:
    return {
        "full": Mention(who.full_name, PATIENT, "full_name"),
        "capitals": Mention(who.full_name.upper(), PATIENT, "full_name", who.full_name),
        "inverted": Mention(f"{who.family}, {who.given}", PATIENT, "inverted_name"),
        "family": Mention(who.family, PATIENT),
        "initialled": Mention(f"{who.given} {who.middle[:1]}. {who.family}", PATIENT),
        "contact": Mention(f"{who.contact_given} {who.family}", RELATIVE, "contact_name"),
    }


def _numbers(who: Identity, turn: int) -> dict[str, Mention]:
    label, number = _number_as(turn, who.north_mrn)
    phone = "".join(filter(str.isdigit, who.phone))
    mail = who.email if turn % 4 else who.email.upper()
    return {
        "mrn": Mention(number, MRN, "north_mrn", who.north_mrn, before=label),
        "phone": Mention(_phone_as(turn, phone), PHONE, "phone", who.phone),
        "ssn": Mention(_ssn_as(turn // 2, who.ssn), SSN, "ssn", who.ssn),
        "email": Mention(mail, EMAIL, "email", who.email),
    }


def _others(who: Identity, turn: int, sex: int) -> dict[str, Mention]:
    """A relative of another name, and somebody who treats the patient; neither stands in any record."""
    given, family = CLINICIANS[turn % len(CLINICIANS)]
    kin = names.GIVEN["white"][sex][turn * 5 % 16]
    other = [name for name in names.FAMILY["white"] if name != who.family]
    return {
        "relative": Mention(f"{kin} {other[turn * 7 % len(other)]}", RELATIVE, "relative_name"),
        "relative_given": Mention(kin, RELATIVE),
        "clinician": Mention(f"{given} {family}", CLINICIAN),
        "clinician_family": Mention(family, CLINICIAN),
        "clinician_initialled": Mention(f"{given[0]}. {family}", CLINICIAN),
    }


def _address(who: Identity, city: str, turn: int) -> Mention:
    code = f" {who.postal_code}" if turn % 2 == 0 and who.postal_code else ""
    return Mention(f"{who.street}, {city}{code}", ADDRESS, "street", who.street)


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
