"""The south's delivery: tables under a contract, with broken rows, a column too many and columns too few."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from zlib import crc32

import numpy as np

from include.sample.answer_key import AMBER, QUARANTINED, AnswerKey, Defect
from include.sample.block import Block
from include.sample.csv_defects import BY_KIND, break_row, kinds_for, line_of
from include.sample.csv_tables import HEADERS, Row, table_rows
from include.sample.defect_plan import plan_defects
from include.sample.delivery import DeliveredFile
from include.sample.fhir_defects import PLAUSIBILITY
from include.sample.people import SOUTH as SOUTH_BIT
from include.sample.randomness import stream

SOURCE = "south"
EXTRA_COLUMNS = {"visits": "ward_phone_book"}  # delivered, never declared
MISSING_OPTIONAL = {"patients": "preferred_name"}  # declared as optional, never delivered
PACKED = ("vitals", "labs")
HOME_READINGS = 40
FIRST_NIGHT_ONLY = ("home_readings", "referrals")  # tables that later deliveries lack


@dataclass
class Extracts:
    """The south's tables being written to `folder`; `suffix` tells one delivery from another."""

    folder: Path
    key: AnswerKey
    suffix: str = ""
    files: dict[str, DeliveredFile] = field(default_factory=dict)

    def name(self, table: str) -> str:
        """The file's name of a table."""
        return f"{table}{self.suffix}.csv" + (".gz" if table in PACKED else "")

    def file(self, table: str) -> DeliveredFile:
        """The file of a table, opened with its header when first asked for."""
        if table not in self.files:
            self.files[table] = DeliveredFile(self.folder / self.name(table))
            extra = [EXTRA_COLUMNS[table]] if table in EXTRA_COLUMNS else []
            self.files[table].write(line_of([*HEADERS[table], *extra]))
        return self.files[table]

    def write(self, table: str, line: bytes) -> int:
        """Add a row and return its line number; the header is line 1."""
        self.key.counts[SOURCE, table].received += 1
        return self.file(table).write(line + (b",ext. 555" if table in EXTRA_COLUMNS else b""))

    def add_defect(self, table: str, kind: str, row: Row, new_key: str) -> None:
        """Write the defective copy of a good row, and write it down."""
        defect = BY_KIND[kind]
        place = self.write(table, break_row(kind, table, row, new_key))
        self.key.add_defect(
            Defect(
                kind,
                defect.family,
                SOURCE,
                table,
                self.name(table),
                place,
                defect.handling,
                defect.reason_codes,
                record="" if kind == "missing_key" else (row[0] if kind in ("duplicate", "duplicate_id") else new_key),
            )
        )

    def write_rows(self, table: str, rows: Iterable[Row]) -> None:
        """Add good rows."""
        for row in rows:
            self.write(table, line_of(row))

    def close(self) -> None:
        """Close all files."""
        for table, file in self.files.items():
            file.close()
            self.key.hashes[SOURCE, self.name(table)] = file.sha256


def write_block(extracts: Extracts, block: Block) -> None:
    """Write a block of people with defects among their rows."""
    first = int(block.people.number[0])
    for table, rows in table_rows(block).items():
        rows = list(rows)
        plan = plan_defects(stream(block.seed, f"defects {table}", first), kinds_for(table), len(rows))
        for place, row in enumerate(rows):
            extracts.write(table, line_of(row))
            for turn, kind in enumerate(plan.get(place, ())):
                number = (first * 1_000_003 + crc32(table.encode()) + place * 8 + turn) % (1 << 40)
                extracts.add_defect(table, kind, row, f"{row[0][0]}d{number:011x}")


def note_drift(extracts: Extracts) -> None:
    """Write down the columns that drifted: they are reported, and everything else is loaded."""
    for kind, columns in (("undeclared_column", EXTRA_COLUMNS), ("missing_optional_column", MISSING_OPTIONAL)):
        for table, column in ((table, column) for table, column in columns.items() if table in extracts.files):
            extracts.key.amber.append({"kind": "drift", "source": SOURCE, "dataset": table, "change": kind})
            extracts.key.add_defect(
                Defect(kind, "shape", SOURCE, table, extracts.name(table), 0, AMBER, (kind,), record=column, records=0)
            )


def write_home_readings(extracts: Extracts, block: Block) -> None:
    """Write a small table in which so many values are impossible that the whole batch has to stay outside."""
    name = f"home_readings{extracts.suffix}.csv"
    file = DeliveredFile(extracts.folder / name)
    file.write(b"reading_id,patient_id,taken_at,sbp,dbp")
    alive = np.isnat(block.people.death) & (block.people.hospitals & SOUTH_BIT).astype(bool) & (block.people.age >= 18)
    for number, at in enumerate(np.flatnonzero(alive)[:HOME_READINGS].tolist()):
        pressure = ("1220", "800") if number % 3 == 0 else ("122", "80")
        file.write(
            line_of([f"H{number:06d}", block.identities[at].south_mrn, f"{block.people.night - 2}T07:30:00", *pressure])
        )
    file.close()
    key, rows = extracts.key, file.lines - 1
    key.hashes[SOURCE, name] = file.sha256
    key.counts[SOURCE, "home_readings"].received += rows
    key.counts[SOURCE, "home_readings"].quarantined["held_back_batch"] += rows
    key.add_defect(
        Defect(
            "held_back_batch",
            PLAUSIBILITY,
            SOURCE,
            "home_readings",
            name,
            0,
            AMBER,
            ("value_impossible",),
            records=0,
        )
    )
    key.amber.append({"kind": "held_back_batch", "source": SOURCE, "dataset": "home_readings"})


def write_referrals(extracts: Extracts, block: Block) -> None:
    """Write a table that has lost a column it may not lose, so that the whole file is refused."""
    name = f"referrals{extracts.suffix}.csv"
    file = DeliveredFile(extracts.folder / name)
    file.write(b"referral_id,patient_id,specialty,referred_on")
    known = [
        who.south_mrn for who, hospitals in zip(block.identities, block.people.hospitals, strict=True) if hospitals & 2
    ][:20]
    for number, patient in enumerate(known):
        file.write(
            line_of([f"F{number:06d}", patient, ("cardiology", "podiatry")[number % 2], str(block.people.night - 3)])
        )
    file.close()
    key = extracts.key
    key.hashes[SOURCE, name] = file.sha256
    key.counts[SOURCE, "referrals"].received += 1
    key.add_defect(
        Defect(
            "missing_column",
            "structural",
            SOURCE,
            "referrals",
            name,
            0,
            QUARANTINED,
            ("missing_column",),
            record="urgency",
        )
    )
