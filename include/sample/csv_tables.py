"""The south's extracts: the same care as tables, in that hospital's own codes and naive local times."""

from collections.abc import Iterator

import numpy as np

from include.sample import codes
from include.sample.block import Block
from include.sample.care import MEDICINE_CODES, VACCINES
from include.sample.clock import days, naive
from include.sample.codes import ACUTE, ALLERGIES, CHRONIC, FINDINGS, MEDICINES, PAYERS, PROCEDURES, RACES
from include.sample.fhir_visits import BEDSIDE_DELAY, LABORATORY_DELAY
from include.sample.notes import note_text
from include.sample.people import DECLINED, KNOWN, NORTH, SOUTH, UNKNOWN
from include.sample.places import PLACES
from include.sample.visits import CHRONIC_REASON

Row = list[str]
RACE_CODES = ("I", "A", "B", "", "M", "P", "W")  # in the order of codes.RACES; the south asks ethnicity apart
VISIT_CODES = ("O", "E", "I")
TEST_CODES = {"hba1c": "A1C", "glucose": "GLU", "creatinine": "CREA", "hemoglobin": "HGB", "ldl": "LDLC"}
PAYER_CODES = ("COMM", "MCD", "MCR", "SELF")
GENDER_CODES = ("", "FTM", "MTF", "NB", "")
HEADERS = {
    "patients": (
        "patient_id",
        "ssn",
        "last_name",
        "first_name",
        "birth_date",
        "death_date",
        "sex_cd",
        "gender_cd",
        "race_cd",
        "ethnic_cd",
        "lang_cd",
        "payer_cd",
        "street",
        "city",
        "state_cd",
        "zip",
        "home_phone",
        "email",
    ),
    "visits": (
        "visit_id",
        "patient_id",
        "visit_class",
        "started",
        "ended",
        "visit_status",
        "reason_icd",
        "disposition",
        "note",
    ),
    "diagnoses": (
        "dx_id",
        "patient_id",
        "visit_id",
        "icd10",
        "dx_text",
        "dx_kind",
        "dx_status",
        "onset",
        "resolved",
        "recorded",
    ),
    "vitals": (
        "vital_id",
        "patient_id",
        "visit_id",
        "taken_at",
        "sbp",
        "dbp",
        "height_cm",
        "weight_kg",
        "bmi",
        "pulse",
        "temp_c",
    ),
    "labs": ("lab_id", "patient_id", "visit_id", "test_code", "value", "unit", "result_status", "collected"),
    "screenings": ("screening_id", "patient_id", "visit_id", "question", "answer", "asked_at"),
    "prescriptions": ("rx_id", "patient_id", "visit_id", "rxnorm", "drug", "rx_status", "written", "prescriber"),
    "procedures": ("proc_id", "patient_id", "visit_id", "snomed", "proc_text", "proc_status", "done_at"),
    "immunizations": ("shot_id", "patient_id", "cvx", "vaccine", "shot_status", "given_on"),
    "allergies": ("allergy_id", "patient_id", "snomed", "substance", "kind", "recorded"),
    "coverage": ("coverage_id", "patient_id", "payer_cd", "valid_from", "member_number"),
}


def table_rows(block: Block) -> dict[str, Iterator[Row]]:
    """Return for each table of HEADERS its rows of this block; cells in the order of the header."""
    return {
        "patients": _patients(block),
        "visits": _visits(block),
        "diagnoses": _diagnoses(block),
        "vitals": _vitals(block),
        "labs": _labs(block),
        "screenings": _screenings(block),
        "prescriptions": _prescriptions(block),
        "procedures": _procedures(block),
        "immunizations": _immunizations(block),
        "allergies": _allergies(block),
        "coverage": _coverage(block),
    }


def visit_ids(block: Block) -> list[str]:
    """The south's id of every visit of a block, made there or not."""
    return block.ids("south visit", range(len(block.visits)), prefix="V")


def _patients(block: Block) -> Iterator[Row]:
    people = block.people
    births, deaths = days(people.birth), days(people.death)
    for at in np.flatnonzero(people.hospitals & SOUTH).tolist():
        who, place = block.identities[at], PLACES[people.place[at]]
        language = int(people.language[at])
        # The number is missing where people known to both hospitals must be recognised without it.
        hidden = int(people.hospitals[at]) == NORTH + SOUTH and people.link[at] == 2
        yield [
            who.south_mrn,
            "" if hidden else who.ssn,
            who.south_family.upper(),
            who.south_given.upper(),
            births[at],
            deaths[at],
            "F" if people.female[at] else "M",
            GENDER_CODES[people.gender[at]],
            *race_and_ethnicity(int(people.origins[at]), int(people.answered[at])),
            codes.LANGUAGES[language][2] if language >= 0 else "UND",
            PAYER_CODES[people.payer[at]],
            who.street,
            place.city,
            place.state,
            who.postal_code,
            who.phone.replace("(", "").replace(") ", "-"),
            who.email,
        ]


def race_and_ethnicity(bits: int, answered: int) -> tuple[str, str]:
    """Return the south's two codes: races joined by ';' (U unknown, D declined, empty not asked) and H, N, U or D."""
    if answered != KNOWN:
        code = {UNKNOWN: "U", DECLINED: "D"}.get(answered, "")
        return code, code
    races = [code for place, code in enumerate(RACE_CODES) if bits >> place & 1 and code]
    return ";".join(races), "H" if bits >> codes.RACE_AT["hispanic"] & 1 else "N"


def race_translations() -> dict[str, str]:
    """Return what each code, and each combination of two that people give, means in OMB's categories."""
    single = {code: label for code, (_, label) in zip(RACE_CODES, RACES, strict=True) if code}
    pairs = {f"{one};{two}": f"{single[one]};{single[two]}" for one in single for two in single if one != two}
    return single | pairs | {"U": "Unknown", "D": "Declined"}


def payer_values() -> dict[str, str]:
    """The south's payer codes in the words of the payer typology."""
    return {south: display for south, (_, display, _) in zip(PAYER_CODES, PAYERS, strict=True)}


def _visits(block: Block) -> Iterator[Row]:
    visits, ids, people = block.visits, visit_ids(block), block.identities
    starts, ends = naive(visits.start), naive(visits.end)
    noted = set(block.care.notes.tolist())
    for at in np.flatnonzero(visits.hospital == SOUTH).tolist():
        reason, kind = int(visits.reason[at]), int(visits.kind[at])
        illness = CHRONIC[reason - CHRONIC_REASON] if reason >= CHRONIC_REASON else ACUTE[reason]
        yield [
            ids[at],
            people[visits.person[at]].south_mrn,
            VISIT_CODES[kind],
            starts[at],
            ends[at],
            "C",
            illness.icd10,
            "HOME" if kind == 2 else "",
            note_text(block, at) if at in noted else "",
        ]


def _diagnoses(block: Block) -> Iterator[Row]:
    problems, visits, ids, people = block.care.problems, block.visits, visit_ids(block), block.identities
    own, onsets = block.ids("south problem", range(len(problems.person)), prefix="D"), days(problems.onset)
    for at in np.flatnonzero(problems.hospital == SOUTH).tolist():
        illness = CHRONIC[problems.illness[at]]
        yield [
            own[at],
            people[problems.person[at]].south_mrn,
            "",
            illness.icd10,
            illness.display,
            "PL",
            "A",
            onsets[at],
            "",
            onsets[at],
        ]
    own, started = block.ids("south diagnosis", range(len(visits)), prefix="D"), days(visits.start)
    over = days(visits.end.astype("datetime64[D]") + 9)
    for at in block.care.diagnoses[visits.hospital[block.care.diagnoses] == SOUTH].tolist():
        illness = ACUTE[visits.reason[at]]
        past = visits.end[at] + np.timedelta64(10, "D") < block.people.night
        yield [
            own[at],
            people[visits.person[at]].south_mrn,
            ids[at],
            illness.icd10,
            illness.display,
            "VD",
            "R" if past else "A",
            started[at],
            over[at] if past else "",
            started[at],
        ]


def _vitals(block: Block) -> Iterator[Row]:
    visits, ids, people = block.visits, visit_ids(block), block.identities
    own, times = block.ids("south vitals", range(len(visits)), prefix="T"), naive(visits.start + BEDSIDE_DELAY)
    columns = ("systolic", "diastolic", "height", "weight", "bmi", "heart_rate", "temperature")
    cells = np.full((len(visits), len(columns)), np.nan)
    for place, key in enumerate(columns):
        at, values = block.findings.values[key]
        cells[at, place] = values
    taken = (visits.hospital == SOUTH) & ~np.isnan(cells).all(axis=1)
    for at in np.flatnonzero(taken).tolist():
        shown = [
            number_text(value, FINDINGS[key].digits) for key, value in zip(columns, cells[at].tolist(), strict=True)
        ]
        yield [own[at], people[visits.person[at]].south_mrn, ids[at], times[at], *shown]


def number_text(value: float, digits: int) -> str:
    """A number as the south prints it, empty for none."""
    return "" if value != value else f"{value:.{digits}f}"


def _labs(block: Block) -> Iterator[Row]:
    visits, ids, people = block.visits, visit_ids(block), block.identities
    times = naive(visits.start + LABORATORY_DELAY)
    for key, test in TEST_CODES.items():
        at, values = block.findings.values[key]
        own = block.ids(f"south {key}", range(len(visits)), prefix="L")
        for visit, value in zip(at.tolist(), values.tolist(), strict=True):
            if visits.hospital[visit] == SOUTH:
                yield [
                    own[visit],
                    people[visits.person[visit]].south_mrn,
                    ids[visit],
                    test,
                    number_text(value, FINDINGS[key].digits),
                    FINDINGS[key].unit,
                    "F",
                    times[visit],
                ]


def _screenings(block: Block) -> Iterator[Row]:
    visits, ids, people = block.visits, visit_ids(block), block.identities
    times = naive(visits.start + BEDSIDE_DELAY)
    for (question, _, no, yes, _), (at, needs) in zip(codes.SCREENING, block.findings.needs, strict=True):
        own = block.ids(f"south {question}", range(len(visits)), prefix="Q")
        for visit, need in zip(at.tolist(), needs.tolist(), strict=True):
            if visits.hospital[visit] == SOUTH:
                yield [
                    own[visit],
                    people[visits.person[visit]].south_mrn,
                    ids[visit],
                    question,
                    (yes if need else no)[0],
                    times[visit],
                ]


def _prescriptions(block: Block) -> Iterator[Row]:
    visits, ids, people = block.visits, visit_ids(block), block.identities
    at, medicine = block.care.medicines
    own, written = block.ids("south medicine", at, prefix="R"), naive(visits.start[at])
    for place in np.flatnonzero(visits.hospital[at] == SOUTH).tolist():
        visit, code = int(at[place]), MEDICINE_CODES[medicine[place]]
        recent = visits.start[visit] > block.people.night - 180
        yield [
            own[place],
            people[visits.person[visit]].south_mrn,
            ids[visit],
            code,
            MEDICINES[code],
            "A" if recent else "C",
            written[place],
            f"C{visits.clinician[visit]}",
        ]


def _procedures(block: Block) -> Iterator[Row]:
    visits, ids, people = block.visits, visit_ids(block), block.identities
    at, which = block.care.procedures
    own, done = block.ids("south procedure", range(len(at)), prefix="P"), naive(visits.start[at])
    for place in np.flatnonzero(visits.hospital[at] == SOUTH).tolist():
        visit, (_, code, display) = int(at[place]), PROCEDURES[which[place]]
        yield [own[place], people[visits.person[visit]].south_mrn, ids[visit], code, display, "C", done[place]]


def _immunizations(block: Block) -> Iterator[Row]:
    shots, people = block.care.shots, block.identities
    own, given = block.ids("south shot", range(len(shots.person)), prefix="I"), days(shots.day)
    for at in np.flatnonzero(shots.hospital == SOUTH).tolist():
        code, display = VACCINES[shots.vaccine[at]]
        yield [own[at], people[shots.person[at]].south_mrn, code, display, "G", given[at]]


def _allergies(block: Block) -> Iterator[Row]:
    person, which, hospital = block.care.allergies
    own, recorded = block.ids("south allergy", range(len(person)), prefix="A"), days(block.people.history_start)
    for at in np.flatnonzero(hospital == SOUTH).tolist():
        code, display, category = ALLERGIES[which[at]]
        yield [own[at], block.identities[person[at]].south_mrn, code, display, category, recorded[person[at]]]


def _coverage(block: Block) -> Iterator[Row]:
    people = block.people
    own, starts = block.ids("south coverage", range(len(people)), prefix="K"), days(people.history_start)
    for at in np.flatnonzero(people.hospitals & SOUTH).tolist():
        who = block.identities[at]
        yield [own[at], who.south_mrn, PAYER_CODES[people.payer[at]], starts[at], who.subscriber]
