"""The pharmacy: a chain's own database (an SQLite file) of customers and what they fetched, with what a database lets happen."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from include.sample.answer_key import AMBER, QUARANTINED, AnswerKey, Defect, PlantedIdentifier
from include.sample.block import Block
from include.sample.care import MEDICINE_CODES
from include.sample.clock import naive
from include.sample.codes import MEDICINES
from include.sample.contract_words import LONGEST_TEXT
from include.sample.contradictions import note_move
from include.sample.fhir_defects import PLAUSIBILITY, STRUCTURAL
from include.sample.telling import Telling, known_to_north, tell
from include.sample.ward_messages import birth_of

SOURCE, FILE = "pharmacy", "pharmacy.sqlite"
CUSTOMERS, FILLS = "customers", "fills"
FEWEST, ONE_IN, MOST = 12, 25, 4_000
SHARE_AT_GATE = 0.06  # at most this share of the fills is made to fail the gate
# Why every night with this database is amber: a column that no contract names, and the one key that two rows have.
REASONS = (
    {"kind": "drift", "source": SOURCE, "dataset": FILLS, "change": "undeclared_column"},
    {"kind": "duplicate_key", "source": SOURCE, "dataset": FILLS},
)
ROWS, DOUBLES = "rows.ndjson", "doubles.ndjson"  # what a pull leaves of a table: the places are lines of these

_TABLES = """
    create table customers (customer_id text, ssn text, last_name text, first_name text, birth_date text, sex text, street text,
        city text, state text, zip text, phone text, loyalty_card text);
    create table fills (fill_id text, customer_id text, rxnorm text, drug text, filled_at text, fill_status text, refills integer,
        quantity, pharmacist text, comment text, shelf text);
    create table delivered (day integer primary key, changed integer, added integer, gone integer);
"""
_INSERT = {
    CUSTOMERS: "insert into customers values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    FILLS: "insert into fills values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
}
Row = tuple[object, ...]


@dataclass
class Database:
    """The database being written; every row is counted in the answer key as the pull will meet it."""

    folder: Path
    key: AnswerKey
    people: int = 0
    fills: int = 0

    def open(self) -> None:
        """Make the database, empty."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / FILE).unlink(missing_ok=True)
        self._open = sqlite3.connect(self.folder / FILE)
        self._open.execute("pragma journal_mode = off")
        self._open.execute("pragma synchronous = off")
        self._open.executescript(_TABLES)
        self._lines = {CUSTOMERS: 1, FILLS: 1, DOUBLES: 1}

    def add(self, table: str, row: Row) -> int:
        """Add a row; return the line at which the pull puts it (line 1 is the header)."""
        self._open.execute(_INSERT[table], row)
        self.key.counts[SOURCE, table].received += 1
        self._lines[table] += 1
        return self._lines[table]

    def add_defect(self, kind: str, family: str, row: Row, reasons: tuple[str, ...] = ()) -> None:
        """Add a row of `fills` that should be refused, and write it down."""
        name = f"{FILLS}.{ROWS}"
        if kind == "duplicate_key":
            self._lines[FILLS] -= 1  # the pull puts it into a file of its own
            self._lines[DOUBLES] += 1
            name = f"{FILLS}.{DOUBLES}"
        place = self.add(FILLS, row)
        place = self._lines[DOUBLES] if kind == "duplicate_key" else place
        self.key.add_defect(
            Defect(kind, family, SOURCE, FILLS, name, place, QUARANTINED, reasons or (kind,), record=str(row[0] or ""))
        )

    def close(self) -> None:
        """Write down the column that no contract names, and finish the file."""
        self.key.amber += REASONS
        self.key.add_defect(
            Defect("undeclared_column", "shape", SOURCE, FILLS, f"{FILLS}.{ROWS}", 0, AMBER, ("undeclared_column",), record="shelf", records=0)
        )  # fmt: skip
        self._open.commit()
        self._open.close()


def write_block(database: Database, block: Block) -> dict[int, tuple[str, str]]:
    """Add some people of a block; return under which number the pharmacy knows whom, and how they can be recognised."""
    known: dict[int, tuple[str, str]] = {}
    chosen = known_to_north(block, min(max(FEWEST, len(block.people) // ONE_IN), MOST - database.people), turn=1)
    fetched, first = _fetched(block, set(chosen)), database.fills
    for at in chosen:
        turn = database.people
        told = tell(block, at, turn // 2, has_number=bool(turn % 2 and block.identities[at].ssn))
        number = f"C{number_of(block, at):08d}"
        database.add(CUSTOMERS, _customer(block, told, number))
        _plant(database.key, block, told, number)
        note_move(database.key, SOURCE, block, told)
        for fill in fetched.get(at, ()):
            database.fills += 1
            database.add(FILLS, _fill(number, told, *fill, turn=database.fills))
        known[at] = (number, told.link)
        database.people += 1
    some = [fill for fills in fetched.values() for fill in fills]
    if some and first == 0:
        _add_defects(database, known, some[0], len(some))
    return known


def number_of(block: Block, at: int) -> int:
    """The pharmacy's number of a person: distinct, and no hospital's."""
    return 10_000_000 + (int(block.people.number[at]) * 7_919 + 4_711) % 89_999_999


def _customer(block: Block, told: Telling, number: str) -> Row:
    who, is_woman = block.identities[told.at], block.people.female[told.at]
    return (
        number, who.ssn if told.has_number else None, told.family, told.given, birth_of(block, told.at), "F" if is_woman else "M",
        told.street, told.city, told.state, told.postal_code or None, told.phone, f"{who.given} {who.family} gold",
    )  # fmt: skip


def _fetched(block: Block, chosen: set[int]) -> dict[int, list[tuple[str, str]]]:
    """What the chosen fetched, the day after it was prescribed in the north: (medicine, time)."""
    visits, (at, medicine) = block.visits, block.care.medicines
    found: dict[int, list[tuple[str, str]]] = {}
    when = naive(visits.start[at] + np.timedelta64(27, "h"))
    past = visits.start[at] + np.timedelta64(3, "D") < block.people.night
    for place in np.flatnonzero(past).tolist():
        person = int(visits.person[at[place]])
        if person in chosen and len(found.get(person, ())) < 4:
            found.setdefault(person, []).append((MEDICINE_CODES[medicine[place]], when[place]))
    return found


def _fill(number: str, told: Telling, code: str, when: str, *, turn: int, id: str = "") -> Row:
    comment = f"Handed to {told.given} {told.family}, call {told.phone}" if turn % 3 == 0 else None
    return (id or f"RX{turn:08d}", number, code, MEDICINES[code], when, "completed", turn % 4, 30.0, "Ottilie Brandt", comment, f"B{turn % 9}")  # fmt: skip


def _plant(key: AnswerKey, block: Block, told: Telling, number: str) -> None:
    person = int(block.people.number[told.at])
    for kind, value in (
        ("pharmacy_number", number),
        ("full_name", f"{told.given} {told.family}"),
        ("street", told.street),
        ("phone", told.phone),
    ):
        key.add_identifier(PlantedIdentifier(person, kind, value, where=f"{SOURCE} {kind}"))


def _add_defects(database: Database, known: dict[int, tuple[str, str]], fill: tuple[str, str], fills: int) -> None:
    """Rows that a database without rules lets in, made after a good one."""
    (code, when), number = fill, next(iter(known.values()))[0]

    def row(at: int, **changed: object) -> Row:
        names = ("fill_id", "customer_id", "rxnorm", "drug", "filled_at", "fill_status", "refills", "quantity", "pharmacist", "comment", "shelf")  # fmt: skip
        usual = (
            f"RXdefect{at:04d}",
            number,
            code,
            MEDICINES[code],
            when,
            "completed",
            at,
            30.0,
            "Ottilie Brandt",
            None,
            "B1",
        )
        return tuple((dict(zip(names, usual, strict=True)) | changed).values())

    structural = (
        ("duplicate_key", row(0, fill_id="RX00000001"), ()),
        ("missing_key", row(1, fill_id=None), ("missing_key", "missing_required_value")),
        ("missing_required_value", row(2, customer_id=None), ("missing_required_value", "subject_missing")),
        ("bad_value_type", row(3, quantity="see note"), ()),
        ("february_30", row(4, filled_at="2026-02-30T10:00:00"), ("bad_value_type",)),
        ("nul_character", row(5, comment="x\0y"), ("nul", "nul_character")),
        ("over_long", row(6, drug="long " * (LONGEST_TEXT // 4)), ("over_long_field", "over_long")),
    )
    for kind, made, reasons in structural:
        database.add_defect(kind, STRUCTURAL, made, reasons)
    implausible = (
        ("subject_unknown", row(10, customer_id=f"C99{number[3:]}")),
        ("date_in_future", row(11, filled_at="2038-01-19T03:14:07")),
        ("code_missing", row(12, rxnorm=None, drug=None)),
        ("status_missing", row(13, fill_status=None)),
    )
    for kind, made in implausible[: int(fills * SHARE_AT_GATE)]:
        database.add_defect(kind, PLAUSIBILITY, made)


def change(folder: Path, key: AnswerKey, day: int) -> dict[str, int]:
    """Change the database as `day` nights later finds it: fills corrected, added and taken back. Repeated, it changes nothing."""
    with sqlite3.connect(folder / FILE) as database:
        done = database.execute("select changed, added, gone from delivered where day = ?", [day]).fetchone()
        if done is None:
            done = _change_rows(database, day)
            database.execute("insert into delivered values (?, ?, ?, ?)", [day, *done])
    database.close()
    key.counts[SOURCE, FILLS].received += sum(done)
    key.amber += REASONS
    return dict(zip(("corrected", "late", "deleted"), done, strict=True))


def _change_rows(database: sqlite3.Connection, day: int) -> tuple[int, int, int]:
    ids = [id for (id,) in database.execute("select fill_id from fills where fill_id glob 'RX[0-9]*' order by rowid")]
    ids = [id for id in ids[1:] if id]  # the first has a double
    corrected, gone = ids[day % 7 :: 7][:6], ids[(day + 3) % 7 :: 7][:2]
    gone = [id for id in gone if id not in corrected]
    database.executemany("update fills set refills = ? where fill_id = ?", [(day + 10, id) for id in corrected])
    database.executemany("delete from fills where fill_id = ?", [(id,) for id in gone])
    added = list(_late_rows(database, day, corrected[:3]))
    database.executemany(_INSERT[FILLS], added)
    return len(corrected), len(added), len(gone)


def _late_rows(database: sqlite3.Connection, day: int, models: list[str]) -> Iterator[Row]:
    for number, id in enumerate(models):
        row = database.execute("select * from fills where fill_id = ?", [id]).fetchone()
        yield (f"RXlate{day:04d}x{number}", *row[1:6], day, *row[7:])
