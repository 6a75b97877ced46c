"""Scoring a night on the sample: everything the key promises, compared with what the databases hold."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import quote

from include.privacy.keyring import load_keyring
from include.privacy.tokens import Tokeniser
from include.sample import tables
from include.sample.codes import NORTH_MRN
from include.sample.counted import fetch_failed, recall_and_precision, score_counted, still_planted
from include.sample.note_score import NoteScore, score_notes
from include.sample.observed import (
    fetch_counts,
    fetch_estimates,
    fetch_groups,
    fetch_links,
    fetch_note_texts,
    fetch_reasons,
    fetch_refusals,
    fetch_verdict,
)
from include.sample.outcomes_left import OutcomeScore, patient_id, score_outcomes
from include.sample.score import (
    RECORDS,
    CountScore,
    GapScore,
    GroupScore,
    KindScore,
    Refusal,
    SourceScore,
    precision_of,
    read_key,
    read_rows,
    recall_of,
    score_counts,
    score_defects,
    score_gaps,
    score_groups,
    score_pairs,
    score_sources,
)
from include.sample.search import index_of, search_night
from include.settings import Settings
from include.warehouse.connect import OWNER, connect

# Goals of detection: every structural defect; nearly every implausible record, with few false alarms.
LEAST_TOLD = 0.6  # of the differences; the rest may be hidden because a group is small
LEAST_STRUCTURAL, LEAST_PLAUSIBILITY, LEAST_PRECISION = 1.0, 0.95, 0.95
LEAST_NOTE_RECALL, LEAST_NOTE_PRECISION = 0.99, 0.95
LEAST_PAIRS = 0.99


@dataclass(frozen=True)
class NightScore:
    """All comparisons of one night with its key."""

    defects: list[KindScore]
    sources: list[SourceScore]
    unplanted: list[Refusal]
    counts: list[CountScore]
    leaks: Counter[tuple[str, str]]
    gaps: list[GapScore]
    groups: tuple[int, list[GroupScore]]
    pairs: dict[str, float | int | None]
    outcomes: list[OutcomeScore]
    notes: NoteScore
    expected_verdict: str
    verdict: str | None
    reasons_missing: set[tuple[str, str]]
    reasons_unplanted: set[tuple[str, str]]
    counted: list[KindScore] = field(default_factory=list)

    def failures(self) -> list[str]:
        """Return what is not as it should be, one sentence each; empty where all is well."""
        structural, plausibility = (recall_of(self.defects, family) for family in ("structural", "plausibility"))
        precision = precision_of(self.defects, self.unplanted)
        told_gaps = [score for score in self.gaps if score.is_told]
        wrong = [score for score in self.gaps if score.is_wrong]
        missed = [score for score in told_gaps if not score.is_covered]
        compared, differing = self.groups
        counted = recall_and_precision(self.counted)
        told = {
            f"reasons of the key that the night does not name: {sorted(self.reasons_missing)}": bool(
                self.reasons_missing
            ),
            f"reasons that nobody planted: {sorted(self.reasons_unplanted)}": bool(self.reasons_unplanted),
            f"verdict is {self.verdict}, the key says {self.expected_verdict}": self.verdict != self.expected_verdict,
            f"{len(self.counts)} counts differ from the key": bool(self.counts),
            f"structural defects found: {structural}": structural is not None and structural < LEAST_STRUCTURAL,
            f"implausible records found: {plausibility}": plausibility is not None
            and plausibility < LEAST_PLAUSIBILITY,
            f"precision of refusals: {precision}": precision is not None and precision < LEAST_PRECISION,
            f"defects that checks counted, recall and precision: {counted}": counted is not None
            and min(counted) < LEAST_PLAUSIBILITY,
            f"{sum(self.leaks.values())} planted identifiers stand in clear": bool(self.leaks),
            f"{len(wrong)} planted differences point the wrong way": bool(wrong),
            f"{len(self.gaps) - len(told_gaps)} of {len(self.gaps)} differences are hidden": len(told_gaps)
            < LEAST_TOLD * len(self.gaps),
            f"{len(missed)} of {len(told_gaps)} intervals miss the true size": len(missed)
            > allowed_misses(len(told_gaps)),
            f"{len(differing)} of {compared} groups are counted otherwise than in the key": bool(differing),
            f"pairs of records joined: {self.pairs}": None not in (self.pairs["recall"], self.pairs["precision"])
            and min(self.pairs["recall"], self.pairs["precision"]) < LEAST_PAIRS,
            f"what was corrected, merged or overtaken: {self.outcomes}": any(
                each.right < each.planted for each in self.outcomes
            ),
            f"{self.notes.missing} notes have no text": bool(self.notes.missing),
            f"identifiers in notes: {self.notes.measure.recall():.4f} found, precision {self.notes.measure.precision:.4f}": bool(
                self.notes.notes
            )
            and (
                self.notes.measure.recall() < LEAST_NOTE_RECALL or self.notes.measure.precision < LEAST_NOTE_PRECISION
            ),
        }
        return [sentence for sentence, is_so in told.items() if is_so]

    def __str__(self) -> str:
        parts = {
            "Defects": tables.defect_table(self.defects, self.unplanted),
            "Defects by source": tables.source_table(self.sources),
            "Defects let in and counted": tables.defect_table(self.counted, ()),
            "Counts": tables.count_table(self.counts),
            "People": tables.pair_line(self.pairs),
            "Corrections": tables.outcome_lines(self.outcomes),
            "Notes": tables.note_table(self.notes),
            "Groups": tables.group_table(*self.groups),
            "Identifiers": tables.leak_table(self.leaks),
            "Inequalities": tables.gap_table(self.gaps),
            "Verdict": f"{self.verdict}, and the key says {self.expected_verdict}; its reasons are "
            + (
                "not those of the key" if self.reasons_missing or self.reasons_unplanted else "exactly those of the key"
            ),
        }
        return "\n\n".join(f"{title}\n{text}" for title, text in parts.items())


def allowed_misses(intervals: int) -> int:
    """How many 95% intervals may miss by chance before something must be wrong (less than 1 in 1,000 nights would have more)."""
    from scipy.stats import binom

    return int(binom.ppf(0.999, intervals, 0.05)) if intervals else 0


def score_night(key_folder: Path, night: date, settings: Settings | None = None) -> NightScore:
    """Compare the night's databases with the key in `key_folder`; reads only, as the owner and as an analyst."""
    key = read_key(key_folder)
    known = keys_until(key_folder)
    persons = [row for folder in known for row in read_rows(folder / "persons.jsonl")]
    tokeniser = _tokeniser(settings)
    notes, outcomes = (read_rows(key_folder / f"{name}.jsonl") for name in ("notes", "outcomes"))
    with connect(OWNER, "hot", settings) as books:
        refusals = fetch_refusals(books, night)
        defects, unplanted = score_defects(key["defects"], refusals)
        earlier = still_planted(folder for folder in known if folder != key_folder)
        counted = score_counted([*key["defects"], *earlier], fetch_failed(books, night))
        counts = score_counts(key["counts"], fetch_counts(books, night))
        groups = score_groups(key.get("true_rates", ()), fetch_groups(books, night.year))
        pairs = score_pairs(tokens_of(persons, tokeniser), map(frozenset, fetch_links(books).values()))
        left = score_outcomes(books, outcomes, tokeniser)
        read = score_notes(notes, fetch_note_texts(books, tokeniser, notes))
        verdict, reasons = fetch_verdict(books, night), fetch_reasons(books, night)
    with connect("analyst", "warm", settings) as marts:
        gaps = score_gaps(key.get("disparities", ()), fetch_estimates(marts, night.year))
    leaks = search_night(index_of(known), settings or Settings.from_environment(os.environ))
    sources = score_sources(key["defects"], refusals)
    planted = {(row["source"], row["kind"]) for row in key["amber_reasons"]}
    return NightScore(
        defects, sources, unplanted, counts, leaks, gaps, groups, pairs, left, read, key["verdict"], verdict,
        reasons_missing=planted - reasons, reasons_unplanted=reasons - planted, counted=counted,
    )  # fmt: skip


def keys_until(key_folder: Path) -> list[Path]:
    """Return the keys of the first delivery and of later ones up to this: people stay known."""
    if not key_folder.name.startswith("day_"):
        return [key_folder]
    day = int(key_folder.name.removeprefix("day_"))
    earlier = [key_folder.with_name(f"day_{number}") for number in range(1, day + 1)]
    return [key_folder.parent, *(folder for folder in earlier if folder.is_dir())]


def tokens_of(persons: Iterable[Mapping[str, Any]], tokeniser: Tokeniser) -> Iterator[dict[str, Any]]:
    """Yield the key's persons with the platform's person tokens in place of source ids."""
    for row in persons:
        tokens = {
            record: tokeniser.id_token(source, "Patient", id_of(source, row[record]))
            for record, source in RECORDS.items()
            if row.get(record)
        }
        yield dict.fromkeys(RECORDS) | tokens | {"groups": row["groups"]}


def id_of(source: str, number: str) -> str:
    """What a source's reader makes of a patient's number."""
    if source == "ward":
        return patient_id(number)
    if source == "radiology" and number.startswith("N"):  # told with whose numbers they are
        return quote(f"{NORTH_MRN}^{number}", safe="")
    return number


def _tokeniser(settings: Settings | None) -> Tokeniser:
    """Needs the keyring."""
    settings = settings or Settings.from_environment(os.environ)
    return Tokeniser(load_keyring(settings.keyring_dir).token_key)
