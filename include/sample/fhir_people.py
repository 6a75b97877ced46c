"""Patients and their coverage as FHIR R4, in the shape US Core gives them."""

from collections.abc import Iterator

from include.sample import codes
from include.sample.block import Block
from include.sample.clock import days
from include.sample.identities import Identity
from include.sample.people import DECLINED, KNOWN, NORTH, UNKNOWN
from include.sample.places import PLACES

SUBSCRIBER = "http://terminology.hl7.org/CodeSystem/subscriber-relationship"
CORE = "http://hl7.org/fhir/us/core/StructureDefinition/"
GENDER_IDENTITIES = (
    None,
    ("407377005", "Female-to-male transsexual"),
    ("407376001", "Male-to-female transsexual"),
    ("33791000087105", "Identifies as nonbinary gender"),
    None,
)
NO_ANSWER = {UNKNOWN: ("UNK", "Unknown"), DECLINED: ("ASKU", "Asked but no answer")}
HISPANIC = codes.RACE_AT["hispanic"]


def patients(block: Block, *, updated: str) -> Iterator[dict]:
    """Yield a Patient for everyone the north knows; `updated` is the instant of their last change."""
    people, ids = block.people, block.patient_ids
    births, deaths = days(people.birth), days(people.death)
    for at in (people.hospitals & NORTH).nonzero()[0].tolist():
        who = block.identities[at]
        yield {
            "resourceType": "Patient",
            "id": ids[at],
            "meta": {"versionId": "1", "lastUpdated": updated, "profile": [CORE + "us-core-patient"]},
            "extension": _extensions(block, at),
            "identifier": _identifiers(who),
            "active": True,
            "name": [{"use": "official", "family": who.family, "given": [who.given, who.middle]}],
            "telecom": [
                {"system": "phone", "value": who.phone, "use": "home"},
                {"system": "email", "value": who.email},
            ],
            "gender": "other" if people.gender[at] == 4 else ("female" if people.female[at] else "male"),
            "birthDate": births[at],
            **_death(deaths[at]),
            **({"address": [_address(who, int(people.place[at]))]} if who.postal_code else {}),
            **_language(int(people.language[at])),
            "contact": [
                {
                    "relationship": [
                        {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0131", "code": "C"}]}
                    ],
                    "name": {"family": who.family, "given": [who.contact_given]},
                    "telecom": [{"system": "phone", "value": who.contact_phone}],
                }
            ],
        }


def _extensions(block: Block, at: int) -> list[dict]:
    people, answered = block.people, int(block.people.answered[at])
    bits, extensions = int(people.origins[at]), []
    if answered in NO_ANSWER:
        code, display = NO_ANSWER[answered]
        coding = {"system": codes.NULL_FLAVOR, "code": code, "display": display}
        extensions += [_answers("us-core-race", [coding], display), _answers("us-core-ethnicity", [coding], display)]
    elif answered == KNOWN:
        extensions += _race_and_ethnicity(bits)
    extensions.append({"url": CORE + "us-core-birthsex", "valueCode": "F" if people.female[at] else "M"})
    identity = GENDER_IDENTITIES[people.gender[at]]
    if identity:
        coding = {"system": codes.SNOMED, "code": identity[0], "display": identity[1]}
        extensions.append({"url": CORE + "us-core-genderIdentity", "valueCodeableConcept": {"coding": [coding]}})
    return extensions


def _race_and_ethnicity(bits: int) -> list[dict]:
    races = [
        {"system": codes.OMB, "code": code, "display": display}
        for place, (code, display) in enumerate(codes.RACES)
        if bits >> place & 1 and place != HISPANIC
    ]
    code, display = ("2135-2", "Hispanic or Latino") if bits >> HISPANIC & 1 else ("2186-5", "Not Hispanic or Latino")
    ethnicity = _answers("us-core-ethnicity", [{"system": codes.OMB, "code": code, "display": display}], display)
    if not races:
        return [ethnicity]
    return [_answers("us-core-race", races, ", ".join(race["display"] for race in races)), ethnicity]


def _answers(name: str, codings: list[dict], text: str) -> dict:
    parts = [{"url": "ombCategory", "valueCoding": coding} for coding in codings]
    return {"url": CORE + name, "extension": [*parts, {"url": "text", "valueString": text}]}


def _identifiers(who: Identity) -> list[dict]:
    kind = "http://terminology.hl7.org/CodeSystem/v2-0203"
    known = [("MR", codes.NORTH_MRN, who.north_mrn)] + ([("SS", codes.SSN, who.ssn)] if who.ssn else [])
    return [
        {"type": {"coding": [{"system": kind, "code": code}]}, "system": system, "value": value}
        for code, system, value in known
    ]


def _death(day: str) -> dict:
    return {"deceasedDateTime": day} if day else {"deceasedBoolean": False}


def _address(who: Identity, place: int) -> dict:
    where = PLACES[place]
    return {
        "use": "home",
        "line": [who.street],
        "city": where.city,
        "state": where.state,
        "postalCode": who.postal_code,
        "country": "US",
    }


def _language(position: int) -> dict:
    if position < 0:
        return {}
    code, display, _ = codes.LANGUAGES[position]
    coding = {"system": "urn:ietf:bcp:47", "code": code, "display": display}
    return {"communication": [{"language": {"coding": [coding]}, "preferred": True}]}


def coverages(block: Block) -> Iterator[dict]:
    """Yield a Coverage for everyone the north knows; people who pay themselves have one that says so."""
    people, patient = block.people, block.patient_ids
    ids = block.ids("coverage", range(len(people)), prefix="cov-")
    starts = days(people.history_start)
    for at in (people.hospitals & NORTH).nonzero()[0].tolist():
        code, display, key = codes.PAYERS[people.payer[at]]
        yield {
            "resourceType": "Coverage",
            "id": ids[at],
            "status": "active",
            "type": {"coding": [{"system": codes.PAYER_TYPES, "code": code, "display": display}], "text": display},
            "subscriberId": block.identities[at].subscriber,
            "beneficiary": {"reference": f"Patient/{patient[at]}"},
            "relationship": {"coding": [{"system": SUBSCRIBER, "code": "self"}]},
            "period": {"start": starts[at]},
            "payor": [{"reference": f"Organization/payer-{key}", "display": display}],
        }
