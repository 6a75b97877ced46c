"""The two small sources: populations of postal areas, and a state registry that has not delivered for weeks."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from include.sample.answer_key import AMBER, AnswerKey, Defect
from include.sample.block import Block
from include.sample.clock import days
from include.sample.csv_defects import line_of
from include.sample.delivery import DeliveredFile, stamp
from include.sample.places import ZIP3_POPULATIONS

STALE_DAYS = 45
REGISTRY_SHARE = 0.08
REGISTRY_VACCINES = ("33", "115", "208")  # not influenza: what is old here must not move a measure


def write_populations(folder: Path, key: AnswerKey, night: date) -> None:
    """Write the population of each three-digit postal area."""
    rows = ([zip3, str(people), "2020"] for zip3, people in sorted(ZIP3_POPULATIONS.items()))
    _write(
        folder / "zip3_population.csv",
        key,
        "geo",
        "zip3_population",
        ["zip3", "population", "census_year"],
        rows,
        night,
        0,
    )


REGISTRANT = ["registrant_id", "last_name", "first_name", "birth_date", "sex", "zip"]
DOSE = ["dose_id", "registrant_id", "cvx", "given_on"]


def registry_id(number: int, age: int) -> str | None:
    """The registry's id of a person, None for those it does not know; it knows some of those over 15."""
    known = number * 2654435761 % 1000 < REGISTRY_SHARE * 1000 and age >= 16
    return f"R{number * 7 + 1_000_000}" if known else None


@dataclass
class Registry:
    """The registry's delivery: some people, known by name only, and doses from before it fell silent."""

    folder: Path
    key: AnswerKey
    night: date
    people: list[list[str]] = field(default_factory=list)
    doses: list[list[str]] = field(default_factory=list)

    def add_block(self, block: Block) -> None:
        """Add those of a block whom the registry knows."""
        people = block.people
        births, last = days(people.birth), np.datetime64(self.night - timedelta(days=STALE_DAYS))
        for at, (number, age) in enumerate(zip(people.number.tolist(), people.age.tolist(), strict=True)):
            id, who = registry_id(number, age), block.identities[at]
            if id is None:
                continue
            self.people.append(
                [id, who.family, who.given, births[at], "F" if people.female[at] else "M", who.postal_code]
            )
            given = people.history_start[at] + 200 + number % 300
            if given < min(people.history_end[at], last):
                self.doses.append([f"{id}-1", id, REGISTRY_VACCINES[number % 3], str(given)])

    def close(self) -> None:
        """Write the files, weeks old, and what the key says of them."""
        for name, header, rows in (("registrants", REGISTRANT, self.people), ("doses", DOSE, self.doses)):
            _write(self.folder / f"{name}.csv", self.key, "registry", name, header, rows, self.night, STALE_DAYS)
        self.key.add_defect(Defect("stale_source", "shape", "registry", "", "", 0, AMBER, ("stale",), records=0))
        self.key.amber.append({"kind": "stale_source", "source": "registry", "age_days": STALE_DAYS})


def _write(
    path: Path,
    key: AnswerKey,
    source: str,
    table: str,
    header: list[str],
    rows: Iterable[list[str]],
    night: date,
    age: int,
) -> None:
    with DeliveredFile(path) as file:
        file.write(line_of(header))
        for row in rows:
            file.write(line_of(row))
            key.counts[source, table].received += 1
    key.hashes[source, path.name] = file.sha256
    stamp(path, night, days_before=age)
