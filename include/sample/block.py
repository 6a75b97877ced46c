"""A block of people with everything that happened to them: what both hospitals' writers read."""

from dataclasses import dataclass
from datetime import date
from functools import cached_property
from zlib import crc32

import numpy as np

from include.sample.care import Care, draw_care
from include.sample.findings import Findings, draw_findings
from include.sample.identities import Identity, draw_identities
from include.sample.illnesses import Illnesses, draw_illnesses
from include.sample.outcomes import Outcomes, draw_outcomes
from include.sample.people import People, draw_people
from include.sample.randomness import spread
from include.sample.visits import Visits, draw_visits

ROWS_A_PERSON = 1 << 10  # ids leave room for this many rows of a kind per person


@dataclass(frozen=True)
class Block:
    """People number `people.number[0]` onwards, who they are and what was recorded about them."""

    seed: int
    people: People
    identities: list[Identity]
    illnesses: Illnesses
    outcomes: Outcomes
    visits: Visits
    findings: Findings
    care: Care

    def ids(self, kind: str, positions: np.ndarray, *, prefix: str) -> list[str]:
        """Return an id for each row number of a kind: distinct over all blocks, the same whenever drawn."""
        base = int(self.people.number[0]) * ROWS_A_PERSON
        mixed = spread(np.asarray(positions) + base, self.seed + crc32(kind.encode()))
        return [f"{prefix}{number:012x}" for number in mixed.tolist()]

    @cached_property
    def patient_ids(self) -> list[str]:
        """The north's Patient id of every person, known there or not."""
        return self.ids("patient", np.arange(len(self.people)), prefix="pt-")

    @cached_property
    def encounter_ids(self) -> list[str]:
        """The north's Encounter id of every visit, made there or not."""
        return self.ids("encounter", np.arange(len(self.visits)), prefix="enc-")


def draw_block(seed: int, first: int, count: int, night: date) -> Block:
    """Draw people number `first` to `first + count - 1` and their three years before `night`."""
    people = draw_people(seed, first, count, night)
    illnesses = draw_illnesses(seed, people)
    outcomes = draw_outcomes(seed, people, illnesses)
    visits = draw_visits(seed, people, illnesses, outcomes)
    return Block(
        seed,
        people,
        draw_identities(seed, people),
        illnesses,
        outcomes,
        visits,
        findings=draw_findings(seed, people, illnesses, outcomes, visits),
        care=draw_care(seed, people, illnesses, outcomes, visits),
    )
