"""How well a night did, by the answer key: defects found, false alarms, counts, planted inequalities.

Pure functions over small rows. `observed.py` fetches what the night left in the databases; `exposure.py` looks for identifiers.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import orjson

from include.sample.answer_key import QUARANTINED

# Columns of the key's persons -> source whose record it is; the wards know some people twice, until a merge.
RECORDS = {name: name for name in ("north", "south", "registry", "ward", "pharmacy", "radiology", "transcription")} | {
    "ward_merged": "ward"
}
TENTH = 0.1001  # person-years are published to one decimal


@dataclass(frozen=True, slots=True)
class Refusal:
    """One row of quarantine: where it stands (file by hash, place as in the key), why, and how many records it stands for.

    `also` are further rules that the record failed. `file` is what a pull called the file, which the key knows by no hash.
    """

    source: str
    dataset: str
    file_sha256: str
    place: int
    reason_code: str
    records: int = 1
    also: tuple[str, ...] = ()
    file: str = ""

    @property
    def places(self) -> tuple[tuple[str, int], ...]:
        """What the key may call its place."""
        return (self.file_sha256, self.place), (f"{self.source}/{self.file}", self.place)


@dataclass(frozen=True, slots=True)
class KindScore:
    """One kind of defect: how many were planted, refused at all, refused for the right reason; and refusals for such a
    reason where nothing of the kind was planted."""

    kind: str
    family: str
    planted: int
    found: int
    right_reason: int
    false_alarms: int

    @property
    def recall(self) -> float | None:
        """Share of the planted that was refused; None where none was planted."""
        return self.found / self.planted if self.planted else None

    @property
    def precision(self) -> float | None:
        """Share of the refusals for this reason that were planted; None where nothing was refused."""
        refused = self.right_reason + self.false_alarms
        return self.right_reason / refused if refused else None


@dataclass(frozen=True, slots=True)
class SourceScore:
    """One source: kinds of defects, how many were planted, refused for the right reason, and refusals where nothing was planted."""

    source: str
    kinds: int
    planted: int
    right_reason: int
    false_alarms: int

    @property
    def recall(self) -> float:
        """Share of the planted that was refused for the right reason."""
        return self.right_reason / self.planted

    @property
    def precision(self) -> float | None:
        """Share of the refusals that hit a planted defect; None where nothing was refused."""
        refused = self.right_reason + self.false_alarms
        return self.right_reason / refused if refused else None


@dataclass(frozen=True, slots=True)
class CountScore:
    """Counts of one dataset that differ from the key."""

    source: str
    dataset: str
    count: str
    expected: int
    observed: int


@dataclass(frozen=True, slots=True)
class GroupScore:
    """A group whose people or events, as a measure counted them, are not those that the key counts."""

    measure: str
    dimension: str
    group: str
    expected: tuple[float, float]
    observed: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Estimate:
    """A difference between two groups as the platform states it, in the measure's unit, with its interval."""

    measure: str
    dimension: str
    group: str
    reference: str
    difference: float | None
    lower: float | None
    upper: float | None


@dataclass(frozen=True, slots=True)
class GapScore:
    """A planted (or not planted) difference against what was found."""

    measure: str
    dimension: str
    group: str
    reference: str
    is_planted: bool
    truth: float
    estimate: Estimate | None

    @property
    def has_right_sign(self) -> bool:
        """The estimate lies on the true side of none."""
        return self.is_told and self.estimate.difference * self.truth > 0

    @property
    def is_told(self) -> bool:
        """There is an estimate with an interval."""
        return self.estimate is not None and None not in (
            self.estimate.difference,
            self.estimate.lower,
            self.estimate.upper,
        )

    @property
    def is_wrong(self) -> bool:
        """Something was planted and told, and the estimate lies on the other side."""
        return self.is_planted and self.is_told and not self.has_right_sign

    @property
    def is_covered(self) -> bool:
        """The interval holds the true size."""
        return self.is_told and self.estimate.lower <= self.truth <= self.estimate.upper

    @property
    def is_false_finding(self) -> bool:
        """Nothing was planted, and the interval excludes the small true difference that chance gave the groups."""
        return not self.is_planted and self.is_told and not self.is_covered


def read_key(folder: Path) -> dict[str, Any]:
    """Return the answer key of a night: its summary, and under `defects` the planted ones."""
    key = orjson.loads((folder / "answer_key.json").read_bytes())
    return key | {"defects": read_rows(folder / "defects.jsonl")}


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a JSON lines file."""
    if not path.exists():
        return []
    with path.open("rb") as lines:
        return [orjson.loads(line) for line in lines]


def score_defects(
    planted: Iterable[Mapping[str, Any]], refusals: Iterable[Refusal]
) -> tuple[list[KindScore], list[Refusal]]:
    """Return a score per kind of defect, and the refusals at places where nothing was planted.

    Only defects that have to end in quarantine take part; duplicates and drift are judged by counts.
    """
    refusals = list(refusals)
    by_place = {place: refusal for refusal in refusals for place in refusal.places}
    planted = [row for row in planted if row["handling"] == QUARANTINED]
    places = {place_of(row) for row in planted}
    met = {refusal.places[0]: refusal for refusal in refusals}
    unplanted = [refusal for _, refusal in sorted(met.items()) if not places.intersection(refusal.places)]
    alarms = Counter(refusal.reason_code for refusal in unplanted)
    grouped: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for row in planted:
        grouped[row["family"], row["kind"]].append(row)
    scores = []
    for (family, kind), rows in sorted(grouped.items()):
        found = [(row, by_place[place]) for row in rows if (place := place_of(row)) in by_place]
        right = sum(_is_right(row, refusal) for row, refusal in found)
        reasons = {reason for row in rows for reason in row["reason_codes"]}
        scores.append(KindScore(kind, family, len(rows), len(found), right, sum(alarms[reason] for reason in reasons)))
    return scores, unplanted


def place_of(row: Mapping[str, Any]) -> tuple[str, int]:
    """Where the key says that a defect stands: the file by its hash, or by its name where the night makes it."""
    return row["file_sha256"] or f"{row['source']}/{row['file']}", row["place"]


def score_sources(planted: Iterable[Mapping[str, Any]], refusals: Iterable[Refusal]) -> list[SourceScore]:
    """Return planted defects, those refused for the right reason and false alarms of each source."""
    planted, refusals = list(planted), list(refusals)
    scores = []
    for source in sorted({row["source"] for row in planted if row["handling"] == QUARANTINED}):
        kinds, unplanted = score_defects(
            (row for row in planted if row["source"] == source), (each for each in refusals if each.source == source)
        )
        counts = (sum(getattr(kind, word) for kind in kinds) for word in ("planted", "right_reason"))
        scores.append(SourceScore(source, len(kinds), *counts, false_alarms=len(unplanted)))
    return scores


def _is_right(row: Mapping[str, Any], refusal: Refusal) -> bool:
    return bool({refusal.reason_code, *refusal.also} & set(row["reason_codes"]))


def recall_of(scores: Iterable[KindScore], family: str) -> float | None:
    """Return the share of planted defects of a family that were refused; None where none was planted."""
    chosen = [score for score in scores if score.family == family]
    planted = sum(score.planted for score in chosen)
    return sum(score.found for score in chosen) / planted if planted else None


def precision_of(scores: Iterable[KindScore], unplanted: Iterable[Refusal]) -> float | None:
    """Return the share of all refusals that hit a planted defect; None where nothing was refused."""
    found, alarms = sum(score.found for score in scores), sum(1 for _ in unplanted)
    return found / (found + alarms) if found + alarms else None


def score_counts(
    expected: Iterable[Mapping[str, Any]], observed: Mapping[tuple[str, str], Mapping[str, int]]
) -> list[CountScore]:
    """Return every count that differs from the key: received, loaded, duplicate, quarantined per source and dataset."""
    differing = []
    for row in expected:
        seen = observed.get((row["source"], row["dataset"]), {})
        wanted = {name: row[name] for name in ("received", "loaded", "duplicate")} | {
            "quarantined": sum(row["quarantined"].values())
        }
        differing += [
            CountScore(row["source"], row["dataset"], name, count, seen.get(name, 0))
            for name, count in wanted.items()
            if seen.get(name, 0) != count
        ]
    return differing


def score_groups(
    truths: Iterable[Mapping[str, Any]], observed: Mapping[tuple[str, str, str], tuple[float, float]]
) -> tuple[int, list[GroupScore]]:
    """Return how many groups were compared, and those whose denominator or numerator is not the key's.

    `observed` holds (denominator, numerator) by measure, dimension and group. Person-years are compared to a tenth.
    """
    compared, differing = 0, []
    for row in truths:
        place = (row["measure"], row["dimension"], row["group"])
        expected, seen = (row["exposure"], row["drawn"]), observed.get(place)
        compared += 1
        if seen is None or abs(seen[0] - expected[0]) > TENTH or seen[1] != expected[1]:
            differing.append(GroupScore(*place, expected, seen))
    return compared, differing


def score_gaps(truths: Iterable[Mapping[str, Any]], estimates: Iterable[Estimate]) -> list[GapScore]:
    """Return each planted or unplanted difference with the platform's estimate of it, turned round where it compared the other way."""
    known = {}
    for each in estimates:
        known[each.measure, each.dimension, each.group, each.reference] = each
        known.setdefault((each.measure, each.dimension, each.reference, each.group), _turned(each))
    return [
        GapScore(
            row["measure"],
            row["dimension"],
            row["group"],
            row["reference"],
            row["planted"],
            row["true_difference"],
            known.get((row["measure"], row["dimension"], row["group"], row["reference"])),
        )
        for row in truths
        if row["true_difference"] is not None
    ]


def _turned(estimate: Estimate) -> Estimate:
    def minus(value: float | None) -> float | None:
        return None if value is None else -value

    return Estimate(
        estimate.measure,
        estimate.dimension,
        estimate.reference,
        estimate.group,
        minus(estimate.difference),
        minus(estimate.upper),
        minus(estimate.lower),
    )


def score_pairs(
    persons: Iterable[Mapping[str, Any]], linked: Iterable[frozenset[str]]
) -> dict[str, float | int | None]:
    """Return pairwise precision and recall of people recognised across the sources.

    `persons` are rows of the key with an id (or token) per column of RECORDS, and `groups`: which of them their records allow to be
    recognised as one person. `linked` are sets of such ids that the platform holds for one person.
    """
    true_pairs, tellable, made = set(), set(), set()
    for row in persons:
        true_pairs |= _pairs(row[record] for record in RECORDS if row.get(record))
        for group in row["groups"]:
            tellable |= _pairs(row[source] for source in group)
    for ids in linked:
        made |= _pairs(ids)
    right = len(made & true_pairs)
    return {
        "tellable": len(tellable),
        "made": len(made),
        "right": right,
        "recall": len(made & tellable) / len(tellable) if tellable else None,
        "precision": right / len(made) if made else None,
    }


def _pairs(ids: Iterable[str]) -> set[frozenset[str]]:
    return {frozenset(pair) for pair in combinations(sorted(ids), 2)}
