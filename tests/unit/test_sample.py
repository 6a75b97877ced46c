"""The synthetic health system: the same each time, like real care, and with a key that says exactly what is in it."""

import gzip
import hashlib
import json
import sqlite3
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pydicom
import pytest

from include.sample.block import draw_block
from include.sample.clock import is_summer, with_offset
from include.sample.codes import ACUTE_AT, CHRONIC_AT
from include.sample.further_sources import FOLDERS as FURTHER
from include.sample.make import DEFAULT_PEOPLE, DEFAULT_SEED, Request, SampleError, make_sample
from include.sample.next_night import make_next_night
from include.sample.people import namesakes, twins
from include.sample.places import PLACES, RESTRICTED_ZIP3
from include.sample.score import RECORDS, place_of, read_key, read_rows, score_pairs
from include.sample.visits import CHRONIC_REASON
from include.sources.items import BrokenContainerError, Notice, Reject
from include.sources.listing import Landed, SourceFile
from include.sources.pulling import PullJob, Unbooked
from include.sources.registry import Source, load_sources, reader_of

NIGHT = date(2026, 11, 22)
SEED, PEOPLE = 7, 600


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sample of 600 people."""
    folder = tmp_path_factory.mktemp("sample")
    make_sample(Request(folder, SEED, PEOPLE, NIGHT))
    return folder


@pytest.fixture(scope="module")
def key(sample: Path) -> dict:
    """Its answer key."""
    return read_key(sample / "answer_key")


@pytest.fixture(scope="module")
def block():
    """A block of 2,000 people, as drawn."""
    return draw_block(SEED, 0, 2_000, NIGHT)


def hashes(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def resources(sample: Path, resource_type: str) -> list[dict]:
    """The good resources of a type, read without the platform's readers."""
    bad = {
        (row["file"], row["place"])
        for row in read_rows(sample / "answer_key" / "defects.jsonl")
        if row["source"] == "north"
    }
    found = []
    for path in sorted((sample / "north" / "fhir_bulk").glob(f"{resource_type}.ndjson.gz")):
        lines = gzip.decompress(path.read_bytes()).split(b"\n")[:-1]
        found += [json.loads(line) for place, line in enumerate(lines, 1) if (path.name, place) not in bad]
    return found


def rows(sample: Path, table: str) -> list[dict[str, str]]:
    """The good rows of a table, read without the platform's readers."""
    bad = {
        (row["file"], row["place"])
        for row in read_rows(sample / "answer_key" / "defects.jsonl")
        if row["source"] == "south"
    }
    path = next((sample / "south").glob(f"{table}.csv*"))
    content = path.read_bytes()
    lines = (gzip.decompress(content) if path.suffix == ".gz" else content).split(b"\n")[:-1]
    header = lines[0].decode().split(",")
    import csv

    good = [line.decode() for place, line in enumerate(lines, 1) if place > 1 and (path.name, place) not in bad]
    return [dict(zip(header, cells, strict=False)) for cells in csv.reader(good)]


def test_the_same_seed_writes_the_same_bytes(sample: Path, tmp_path: Path) -> None:
    make_sample(Request(tmp_path, SEED, PEOPLE, NIGHT))
    assert hashes(tmp_path) == hashes(sample)


def test_another_seed_writes_other_patients(sample: Path, tmp_path: Path) -> None:
    make_sample(Request(tmp_path, SEED + 1, 100, NIGHT))
    name = "north/fhir_bulk/Patient.ndjson.gz"
    assert hashes(tmp_path)[name] != hashes(sample)[name]


def test_a_run_replaces_what_an_earlier_one_wrote_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    make_sample(Request(tmp_path, SEED, 100, NIGHT))
    (tmp_path / "north" / "fhir_bulk" / "Leftover.ndjson").write_text("{}")
    make_sample(Request(tmp_path, SEED, 100, NIGHT))
    assert (tmp_path / "mine.txt").exists() and not (tmp_path / "north" / "fhir_bulk" / "Leftover.ndjson").exists()


def test_the_readers_refuse_exactly_what_the_key_calls_structural(sample: Path, key: dict) -> None:
    planted = {place_of(row): row for row in key["defects"] if row["handling"] == "quarantined"}
    refused: dict[tuple[str, int], str] = {}
    for source, file in delivered(sample):
        sha256 = hashlib.sha256(file.path.read_bytes()).hexdigest()
        file_is = f"{source.name}/{file.path.name}" if source.kind == "database" else sha256
        refused |= {(file_is, place): reason for place, reason in refusals(source, file)}
    assert refused, "nothing was refused, so nothing is compared"
    assert not set(refused) - set(planted), "the readers refused what nobody planted"
    wrong = [
        (planted[place]["kind"], reason)
        for place, reason in refused.items()
        if reason not in planted[place]["reason_codes"]
    ]
    assert not wrong
    at_load = {
        place for place, row in planted.items() if row["family"] == "structural" and row["kind"] != "duplicate_id"
    }
    assert at_load == set(refused)


def delivered(sample: Path) -> list[tuple[Source, SourceFile]]:
    """Every file of records of every source; the database is pulled as a night does, into a folder beside the sample."""
    found = []
    for source in load_sources(sample / "sources.yml"):
        reader = reader_of(source)
        if hasattr(reader, "pull"):
            folder = sample.with_name(f"{sample.name}_pulled_{source.name}")
            folder.mkdir(exist_ok=True)
            reader.pull(source, PullJob(folder, NIGHT, Unbooked(), lambda name: name, lambda **counts: None))
            source = replace(source, path=folder)
        found += [(source, file) for file in reader.list_files(source).files if file.role != "manifest"]
    return found


def read(source: Source, file: SourceFile) -> list:
    """The items of a file."""
    name = file.path.relative_to(source.path).as_posix()
    landed = replace(Landed.from_hint(file.hint()), name=name)
    return list(reader_of(source).read(source, lambda: file.path.open("rb"), landed))


def refusals(source: Source, file: SourceFile) -> list[tuple[int, str]]:
    try:
        items = read(source, file)
    except BrokenContainerError as error:
        return [(0, error.reason_code)]
    return [(item.place, item.reason_code) for item in items if isinstance(item, Reject)]


def test_the_key_counts_every_record_that_the_readers_meet(sample: Path, key: dict) -> None:
    met: Counter[tuple[str, str]] = Counter()
    for source, file in delivered(sample):
        try:
            items = read(source, file)
        except BrokenContainerError:
            met[source.name, file.dataset] += 1
            continue
        met[source.name, file.dataset] += sum(not isinstance(item, Notice) for item in items)
    assert {(row["source"], row["dataset"]): row["received"] for row in key["counts"]} == met
    assert all(
        row["received"] == row["loaded"] + row["duplicate"] + sum(row["quarantined"].values()) for row in key["counts"]
    )


def test_defects_stay_below_one_and_a_half_percent_of_every_large_dataset(key: dict) -> None:
    large = [row for row in key["counts"] if row["received"] >= 100 and row["source"] in ("north", "south")]
    assert large
    for row in large:
        assert sum(row["quarantined"].values()) <= 0.015 * row["received"], row["dataset"]


@pytest.mark.parametrize("people", [120, 600])
def test_what_fails_at_the_gate_holds_no_batch_of_a_small_source_back(people: int, tmp_path: Path) -> None:
    """A tenth of a batch's records may fail; structural defects never get to the gate."""
    make_sample(Request(tmp_path, SEED, people, NIGHT))
    key = read_key(tmp_path / "answer_key")
    at_gate = Counter((row["source"], row["dataset"]) for row in key["defects"] if row["family"] == "plausibility")
    small = [row for row in key["counts"] if row["source"] in FURTHER]
    assert {row["source"] for row in small} == set(FURTHER)
    for row in small:
        assert at_gate[row["source"], row["dataset"]] <= 0.07 * row["loaded"], row["dataset"]


@pytest.fixture(scope="module")
def whole_key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The answer key of the sample that `make nightly DAY=2026-11-25` makes: 2,000 people."""
    folder = tmp_path_factory.mktemp("whole")
    make_sample(Request(folder, DEFAULT_SEED, DEFAULT_PEOPLE, date(2026, 11, 25)))
    return folder / "answer_key"


def test_the_readme_s_table_of_truth_says_what_is_planted(whole_key: Path, project: Path) -> None:
    """`make score` says what is found of it; a night on 400 people is scored in tests/integration/test_sample_truth.py."""
    table = {
        cells[0].partition(" (")[0]: cells[1:]
        for line in (project / "README.md").read_text().splitlines()
        if line.startswith("| ") and len(cells := [cell.strip() for cell in line.strip("| ").split(" |")]) >= 2
    }
    rows = read_key(whole_key)["defects"]
    told = [row for row in rows if row["kind"].endswith("_told_otherwise")]
    for name, chosen in {
        "structural": [row for row in rows if (row["family"], row["handling"]) == ("structural", "quarantined")],
        "plausibility": [row for row in rows if (row["family"], row["handling"]) == ("plausibility", "quarantined")],
        "let in and counted by a check": [row for row in rows if row["family"] == "counted" and row not in told],
        "told otherwise by two sources of one person": told,
    }.items():
        assert table[name][:2] == [str(len({row["kind"] for row in chosen})), str(len(chosen))], name
        assert table[name][2] == table[name][1] and table[name][3] == "1.000", f"{name}: all of it is found"
    persons = [
        row | {record: f"{record} {row[record]}" for record in RECORDS if row.get(record)}
        for row in read_rows(whole_key / "persons.jsonl")
    ]
    pairs = score_pairs(persons, [])["tellable"]
    spans = sum(len(row["spans"]) for row in read_rows(whole_key / "notes.jsonl"))
    assert table["pairs of one person's records across seven sources"][1] == str(pairs)
    assert table["identifiers in dictated notes"][1] == str(spans)
    assert table["identifiers left in clear anywhere"][0] == "0"


def test_every_kind_of_defect_is_planted_in_two_thousand_people(whole_key: Path) -> None:
    from include.sample import csv_defects, fhir_defects

    planted = {(row["source"], row["kind"]) for row in read_key(whole_key)["defects"]}
    expected = {("north", defect.kind) for defect in fhir_defects.DEFECTS} | {
        ("south", defect.kind) for defect in csv_defects.DEFECTS
    }
    expected |= {
        ("north", "truncated_gzip"),
        ("south", "undeclared_column"),
        ("south", "missing_optional_column"),
        ("south", "missing_column"),
        ("registry", "stale_source"),
        ("south", "held_back_batch"),
    }
    assert expected <= planted


def test_the_night_is_to_end_amber_and_the_key_says_why(key: dict) -> None:
    assert key["verdict"] == "amber"
    assert {reason["kind"] for reason in key["amber_reasons"]} == {
        "held_back_batch",
        "stale_source",
        "drift",
        "export_errors",
        "duplicate_key",
    }


def test_illnesses_and_events_fit_the_person(block) -> None:
    people, visits = block.people, block.visits
    children = people.age < 18
    assert children.sum() > 100 and not block.illnesses.of("hypertension")[children].any()
    pregnant = people.female[visits.person[visits.reason == ACUTE_AT["pregnancy"]]]
    assert len(pregnant) > 10 and pregnant.all()
    assert (visits.end > visits.start).all()
    days = visits.start.astype("datetime64[D]")
    assert (days >= people.birth[visits.person]).all() and (days < people.night).all()
    dead = ~np.isnat(people.death[visits.person])
    assert dead.any() and (days[dead] <= people.death[visits.person][dead]).all()
    shots = block.care.shots
    assert (shots.day >= people.birth[shots.person]).all() and (shots.day < people.night).all()
    onset = block.illnesses.onset
    ill = block.illnesses.has
    assert (onset[ill] >= np.broadcast_to(people.birth[:, None], onset.shape)[ill]).all()


def test_visits_for_a_chronic_illness_come_after_it_began(block) -> None:
    visits = block.visits
    chronic = np.flatnonzero(visits.reason >= CHRONIC_REASON)
    onset = block.illnesses.onset[visits.person[chronic], visits.reason[chronic] - CHRONIC_REASON]
    assert len(chronic) > 1_000 and (onset <= visits.start[chronic]).all()


def test_prevalence_grows_with_age_and_values_follow_illness(block) -> None:
    age, pressure = block.people.age, block.illnesses.of("hypertension")
    shares = [pressure[(age >= low) & (age < high)].mean() for low, high in ((18, 45), (45, 65), (65, 80))]
    assert shares == sorted(shares) and shares[2] > 0.5
    at, glucose = block.findings.values["glucose"]
    diabetic = block.illnesses.diabetes[block.visits.person[at]]
    assert glucose[diabetic].mean() > glucose[~diabetic].mean() + 40
    assert block.illnesses.has[:, CHRONIC_AT["parkinson"]].any()


def test_the_old_the_small_areas_and_every_answer_about_race_are_there(block) -> None:
    people = block.people
    assert (people.age > 89).sum() >= 20
    assert sum(PLACES[place].postal_code[:3] in RESTRICTED_ZIP3 for place in people.place) >= 20
    assert set(np.unique(people.answered)) == {0, 1, 2, 3}
    bits = np.array([bin(origins).count("1") for origins in people.origins])
    assert (bits > 1).sum() > 50
    assert all((people.origins >> place & 1).any() for place in range(7))


def test_hundreds_are_known_to_both_hospitals_and_namesakes_and_twins_are_not_the_same_person(block) -> None:
    assert 200 <= (block.people.hospitals == 3).sum() <= 500
    for pairs in (namesakes(len(block.people)), twins(len(block.people))):
        assert len(pairs)
        for at in pairs:
            one, two = block.identities[at], block.identities[at + 1]
            assert block.people.birth[at] == block.people.birth[at + 1] and one.family == two.family
            assert (one.given == two.given) != (one.street == two.street)
            assert one.ssn != two.ssn or not one.ssn


def test_numbers_that_identify_are_never_given_twice() -> None:
    seen: Counter[str] = Counter()
    for first in (0, 2_000, 60_000_000):
        for who in draw_block(SEED, first, 2_000, NIGHT).identities:
            seen.update(number for number in (who.ssn, who.north_mrn, who.south_mrn, who.subscriber) if number)
    assert len(seen) > 20_000 and max(seen.values()) == 1


def test_outcomes_read_off_the_files_are_the_ones_in_the_key(sample: Path, key: dict) -> None:
    persons = read_rows(sample / "answer_key" / "persons.jsonl")
    by_id = {row[hospital]: row["person"] for row in persons for hospital in ("north", "south") if row[hospital]}
    emergencies: Counter[int] = Counter()
    for encounter in resources(sample, "Encounter"):
        if encounter["class"]["code"] == "EMER" and encounter["period"]["start"] >= "2026":
            emergencies[by_id[encounter["subject"]["reference"].removeprefix("Patient/")]] += 1
    for visit in rows(sample, "visits"):
        if visit["visit_class"] == "E" and visit["started"] >= "2026":
            emergencies[by_id[visit["patient_id"]]] += 1
    expected = sum(
        row["drawn"]
        for row in key["true_rates"]
        if row["measure"] == "emergency_visits" and row["dimension"] == "payer"
    )
    assert sum(emergencies.values()) == expected > 100

    last: dict[int, tuple[datetime, float]] = {}
    for person, when, value in hba1c_values(sample, by_id):
        if when.year == 2026 and (person not in last or when > last[person][0]):
            last[person] = (when, value)
    block = draw_block(SEED, 0, PEOPLE, NIGHT)
    from include.sample.truth import cohorts

    cohort = cohorts(block.people, block.illnesses, block.outcomes, block.visits)["hba1c_poor_control"]
    counted = np.flatnonzero(cohort.exposure)
    poor = {at for at in counted.tolist() if at not in last or last[at][1] > 9.0}
    assert poor == set(np.flatnonzero(cohort.drawn & (cohort.exposure > 0)).tolist()) and len(counted) > 40


def hba1c_values(sample: Path, by_id: dict[str, int]):
    zone = ZoneInfo("America/New_York")
    for each in resources(sample, "Observation"):
        if each["code"]["coding"][0]["code"] == "4548-4":
            person = by_id[each["subject"]["reference"].removeprefix("Patient/")]
            yield person, datetime.fromisoformat(each["effectiveDateTime"]), each["valueQuantity"]["value"]
    for row in rows(sample, "labs"):
        if row["test_code"] == "A1C":
            yield (
                by_id[row["patient_id"]],
                datetime.fromisoformat(row["collected"]).replace(tzinfo=zone),
                float(row["value"]),
            )


def content_of(path: Path) -> bytes:
    """What a person with the right program would see in a file; nothing of those that are cut off."""
    content = path.read_bytes()
    if "radiology" in path.parts and b"DICM" in content[:132]:
        return " ".join(str(each.value) for each in pydicom.dcmread(path, force=True).iterall()).encode()
    try:
        return gzip.decompress(content) if path.suffix == ".gz" else content
    except EOFError:
        return b""


def test_every_planted_identifier_really_stands_in_the_delivery(sample: Path) -> None:
    import base64
    import re

    text = b""
    for path in sorted(sample.rglob("*")):
        if path.is_file() and "answer_key" not in path.parts:
            text += content_of(path) + path.name.encode() + b"\n"
    notes = b" ".join(base64.b64decode(data) for data in re.findall(rb'"data":"([A-Za-z0-9+/=]+)"', text))
    words = (text + notes).decode("utf-8", "replace").lower()
    identifiers = read_rows(sample / "answer_key" / "identifiers.jsonl")
    traps = [row for row in identifiers if row["where"]]
    assert len({row["where"] for row in traps}) >= 35
    letters = re.sub(r"[\W_]", "", words)
    for row in traps:
        parts = row["value"].lower().split(" ", 1) if row["kind"] == "full_name" else ["a part that is nowhere"]
        assert re.sub(r"[\W_]", "", row["value"].lower()) in letters or all(part in words for part in parts), row[
            "where"
        ]
    for row in identifiers[::60]:
        parts = (
            [row["value"].lower()]
            if row["kind"] not in ("full_name", "contact_name")
            else row["value"].lower().split(" ", 1)
        )
        assert all(part in words for part in parts), row["kind"]


def test_patients_of_both_hospitals_meet_by_number_or_by_name(sample: Path) -> None:
    north = {each["id"]: each for each in resources(sample, "Patient")}
    south = {row["patient_id"]: row for row in rows(sample, "patients")}
    linked = defaultdict(int)
    for row in read_rows(sample / "answer_key" / "persons.jsonl"):
        if not (row["north"] and row["south"]):
            continue
        one, two = north[row["north"]], south[row["south"]]
        numbers = {each["value"] for each in one["identifier"]}
        if row["link"].startswith("number"):
            assert two["ssn"] in numbers
        if row["link"] == "name":
            assert two["ssn"] not in numbers
            assert (one["name"][0]["family"].upper(), one["birthDate"], one["address"][0]["postalCode"]) == (
                two["last_name"],
                two["birth_date"],
                two["zip"],
            )
        linked[row["link"]] += 1
    assert linked["number"] and linked["name"] and linked["number_and_name"]


def test_a_later_night_brings_only_what_changed(tmp_path: Path) -> None:
    make_sample(Request(tmp_path, SEED, PEOPLE, NIGHT))
    first = hashes(tmp_path)
    make_next_night(Request(tmp_path, SEED, PEOPLE, NIGHT, day=1))
    key = read_key(tmp_path / "answer_key" / "day_1")
    north = next(row for row in key["counts"] if row["source"] == "north")
    assert 50 < north["received"] < 0.1 * 20_000
    assert north["duplicate"] == 10 and key["changes"]["north"]["deleted"] == 8
    again = hashes(tmp_path)
    assert again["registry/registrants.csv"] == first["registry/registrants.csv"]
    repeated = [row for row in key["defects"] if row["kind"] == "repeated" and row["source"] == "north"]
    new_lines = gzip.decompress((tmp_path / "north/fhir_bulk/Observation.ndjson.gz").read_bytes()).split(b"\n")
    make_sample(Request(tmp_path / "again", SEED, PEOPLE, NIGHT))
    old_lines = set(
        gzip.decompress((tmp_path / "again/north/fhir_bulk/Observation.ndjson.gz").read_bytes()).split(b"\n")
    )
    assert repeated and all(new_lines[row["place"] - 1] in old_lines for row in repeated)


def test_a_later_night_without_a_first_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SampleError, match="run `make` without --day"):
        make_next_night(Request(tmp_path, SEED, PEOPLE, NIGHT, day=1))


def test_too_few_people_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SampleError, match="expected 10 to"):
        make_sample(Request(tmp_path, SEED, 3, NIGHT))


def test_local_times_carry_the_offset_of_their_day() -> None:
    times = np.array(
        [
            "2026-03-08T01:55:00",
            "2026-03-08T03:05:00",
            "2026-11-01T00:30:00",
            "2026-11-01T02:30:00",
            "2024-02-29T12:00:00",
        ],
        dtype="datetime64[s]",
    )
    zone = ZoneInfo("America/New_York")
    assert with_offset(times) == [time.astype(datetime).replace(tzinfo=zone).isoformat() for time in times]
    assert is_summer(times).tolist() == [False, True, True, False, False]


def test_a_later_night_s_messages_and_rows_are_as_the_key_counts_them(tmp_path: Path) -> None:
    folder = tmp_path / "sample"
    make_sample(Request(folder, SEED, PEOPLE, NIGHT))
    before = {row["fill_id"]: row for row in fills(folder)}
    make_next_night(Request(folder, SEED, PEOPLE, NIGHT, day=1))
    after = {row["fill_id"]: row for row in fills(folder)}
    key = read_key(folder / "answer_key" / "day_1")
    counts = {(row["source"], row["dataset"]): row for row in key["counts"]}
    changed = sum(after[id] != row for id, row in before.items() if id in after)
    expected = {"corrected": changed, "late": len(after.keys() - before), "deleted": len(before.keys() - after)}
    assert key["changes"]["pharmacy"] == expected and min(expected.values()) > 0
    assert counts["pharmacy", "fills"]["received"] == sum(expected.values())
    sent = [item for source, file in delivered(folder) if source.name == "ward" for item in read(source, file)]
    assert sum(not isinstance(item, Notice) for item in sent) == counts["ward", "resource"]["received"]
    make_next_night(Request(folder, SEED, PEOPLE, NIGHT, day=1))
    assert {row["fill_id"]: row for row in fills(folder)} == after, "the same delivery made twice changes more"


def fills(folder: Path) -> list[dict]:
    """The pharmacy's fills as its database holds them."""
    with sqlite3.connect(folder / "pharmacy" / "pharmacy.sqlite") as database:
        database.row_factory = sqlite3.Row
        return [dict(row) for row in database.execute("select * from fills")]
