"""Short clinical notes that name people, as real ones do: in the north's documents and the south's note column."""

from include.sample import names
from include.sample.block import Block
from include.sample.codes import ACUTE, CHRONIC
from include.sample.places import PLACES
from include.sample.visits import CHRONIC_REASON, EMERGENCY, INPATIENT

OPENINGS = (
    "{given} {family} (MRN {mrn}, DOB {birth}) was seen on {date} for {reason}.",
    "{date}: {family}, {given}. {age} year old presenting with {reason}.",
    "Seen today, {date}: {given}. Chief complaint: {reason}.",
)
FINDINGS = (
    "Chest X-ray without acute findings; will repeat if symptoms may recur.",
    "Gait short-stepped as in Parkinson disease; no Graves ophthalmopathy. Hand strength good.",
    "Exam unremarkable. Bell palsy resolved. Long discussion about diet: rice, brown bread, little salt.",
    "Afebrile, lungs clear, abdomen soft. Continue current doses.",
)
CLOSINGS = (
    "Reached {contact} at {contact_phone} about the plan. Lives at {street}, {city}.",
    "Call {phone} with results or write to {email}. Discussed with Dr. {clinician}.",
    "{contact} drove {given} home. SSN on file {ssn}. Follow-up in two weeks with Dr. {clinician}.",
)


def note_text(block: Block, visit: int) -> str:
    """Return the note of a visit: who, when and why, a finding full of words that are also names, and contacts."""
    visits, who = block.visits, block.identities[block.visits.person[visit]]
    reason = int(visits.reason[visit])
    illness = CHRONIC[reason - CHRONIC_REASON] if reason >= CHRONIC_REASON else ACUTE[reason]
    words = {
        "given": who.given,
        "family": who.family,
        "mrn": who.north_mrn,
        "phone": who.phone,
        "email": who.email,
        "ssn": who.ssn or "none",
        "birth": str(block.people.birth[visits.person[visit]]),
        "date": str(visits.start[visit].astype("datetime64[D]")),
        "age": int(block.people.age[visits.person[visit]]),
        "reason": illness.display[0].lower() + illness.display[1:],
        "contact": f"{who.contact_given} {who.family}",
        "contact_phone": who.contact_phone,
        "street": who.street or "no address",
        "city": _city(block, visit),
        "clinician": names.CLINICIANS[visits.clinician[visit]].split()[1],
    }
    parts = [
        OPENINGS[visit % len(OPENINGS)],
        FINDINGS[visit // 3 % len(FINDINGS)],
        CLOSINGS[visit // 7 % len(CLOSINGS)],
    ]
    if visits.kind[visit] in (EMERGENCY, INPATIENT):
        parts.insert(1, "Arrived by ambulance." if visit % 2 else "Walked in.")
    return " ".join(parts).format(**words)


def _city(block: Block, visit: int) -> str:
    return PLACES[block.people.place[block.visits.person[visit]]].city
