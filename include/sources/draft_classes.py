"""Which class a draft proposes for a column: clear only where name and cells agree that it is no identifier, else sealed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from include.sources.draft_profile import COMPACT, ColumnProfile

WORDS = Path(__file__).with_name("draft_words.yml")
SSN_SYSTEM = "http://hl7.org/fhir/sid/us-ssn"
CLINICAL, QUASI, DIRECT, FREE_TEXT, SOURCE_ID = "clinical", "quasi_identifier", "direct_identifier", "free_text", "source_id"  # fmt: skip
_LONGEST_CODE, _LONGEST_CATEGORY, _LONG_TEXT = 20, 40, 80
_LONGEST_PLACE = 10
_MOMENTS = ("date", "timestamp")
_CUTS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+[0-9]*|[A-Z]+[0-9]*|[0-9]+")
_HEADER = re.compile(r"[A-Za-z_][A-Za-z0-9_ ./()#%&'-]{0,62}")
_HEADER_DIGITS = re.compile(r"\d{4}")


@dataclass(frozen=True, slots=True)
class Proposal:
    """What the draft says of one column, and why in a few words (never a value)."""

    name: str
    header: str
    type: str
    data_class: str
    why: str
    is_sure: bool = True
    of: str | None = None
    match: str | None = None
    layout: str | None = None
    is_required: bool = False

    @property
    def is_sealed(self) -> bool:
        """Whether it is proposed to be taken out of the row."""
        return self.data_class in (DIRECT, FREE_TEXT)


Told = Callable[..., Proposal]


@lru_cache(maxsize=1)
def words() -> Mapping[str, Any]:
    """The reviewed lists of draft_words.yml."""
    return yaml.safe_load(WORDS.read_text())


def cut(header: str) -> list[str]:
    """The words of a column's name, in small letters: 'PatLastName' -> pat, last, name; 'PATIENTID' -> patient, id."""
    return [word for part in _CUTS.findall(header) for word in _without_id(part.lower())]


def _without_id(word: str) -> list[str]:
    return [word[:-2], "id"] if word.endswith("id") and word[:-2] in _flat(words()["ids"]) else [word]


def column_name(header: str, taken: set[str]) -> str:
    """The name in ``raw``: letters, digits and underscores, no other's, none that every table has already."""
    from include.sources.contract_reading import LEADING_NAMES

    name = re.sub(r"[^a-z0-9]+", "_", "_".join(cut(header))).strip("_")[:50] or "column"
    name = name if name[0].isalpha() else f"c_{name}"
    name = f"{name}_told" if name in LEADING_NAMES else name
    number, free = 2, name
    while free in taken:
        number, free = number + 1, f"{name}_{number}"
    taken.add(free)
    return free


def is_header(columns: Sequence[ColumnProfile]) -> bool:
    """Whether a first line names columns. A file without one would have a patient's cells there, and they would be told."""
    names = [column.header.strip() for column in columns]
    known = {word for each in words().values() for word in _flat(each)}
    return (
        len(set(names)) == len(names)
        and all(_HEADER.fullmatch(name) and not _HEADER_DIGITS.search(name) for name in names)
        and sum(column.header_among_cells for column in columns) in (0, len(columns))  # all: a header repeated
        and any(known.intersection(cut(name)) for name in names)
    )


def _flat(said: Any) -> list[str]:
    if isinstance(said, Mapping):
        return [word for each in said.values() for word in _flat(each)]
    return [str(word) for word in said] if isinstance(said, list) else []


def propose(column: ColumnProfile, name: str, table: str) -> Proposal:
    """The proposal for one column of a table."""
    parts, header = cut(column.header), column.header.strip()

    def told(data_class: str, why: str, **more: Any) -> Proposal:
        required = {"is_required": column.is_required} if more.get("of") == "Patient" else {}
        return Proposal(name, header, **{"type": "text", "data_class": data_class, "why": why} | required | more)

    match = next((each for each, names in words()["match"].items() if _fits(parts, names)), None)
    owner = _id_of(parts, table)
    if _fits(parts, words()["social_security"]):
        return told(DIRECT, "a social security number", match="identifier")
    if owner and not column.with_blanks:
        return told(SOURCE_ID, f"an id of {owner}", of=owner)
    kind, layout, note, sure = _moment(column, parts)
    if kind:
        match = match if match == "birth_date" else None
        return told(QUASI, f"a {kind}{note}", is_sure=sure, type=kind, layout=layout, match=match)
    if _fits(parts, words()["free_text"]) or column.longest > _LONG_TEXT:
        return told(FREE_TEXT, "words that somebody wrote")
    if match in ("birth_date", "postal_code") or _fits(parts, words()["quasi_identifier"]):
        return _quasi(column, told, match)
    if match != "sex" and _fits(parts, words()["direct_identifier"]):
        return told(DIRECT, "its name says that it tells who somebody is", match=match)
    return _by_cells(column, told, match, parts)


def _quasi(column: ColumnProfile, told: Told, match: str | None) -> Proposal:
    """Places and ages: clear in restricted layers, where the cells are that and nothing else."""
    if match == "birth_date":
        return told(DIRECT, "called a birth date and not readable as dates", is_sure=False)
    if column.known and column.longest <= _LONGEST_PLACE and not column.with_long_number:
        return told(QUASI, "a place or an age", match=match)
    return told(DIRECT, "longer than a place's code or an age, or never filled", is_sure=False)


def _by_cells(column: ColumnProfile, told: Told, match: str | None, parts: list[str]) -> Proposal:
    """Clear where a clinical name and the cells agree; sealed where not."""
    if not column.known:
        return told(DIRECT, "never filled, so that nothing says what it is", is_sure=False)
    numeric = next(((kind, missed) for (kind, _), missed in column.readings.items() if kind not in _MOMENTS), None)
    is_short = column.longest <= _LONGEST_CATEGORY and not column.with_long_number
    if _fits(parts, words()["code"]) and not column.with_blanks and column.longest <= _LONGEST_CODE:
        return told(CLINICAL, "codes")
    if _fits(parts, words()["number"]) and numeric and is_short:
        return told(CLINICAL, f"numbers{_slips(numeric[1])}", type=numeric[0], is_sure=not numeric[1])
    if _fits(parts, words()["category"]) and column.words is not None and is_short:
        return told(CLINICAL, f"different words: {len(column.words)}", match=match)
    looks = f"; its cells read as {numeric[0]}" if numeric else ""
    return told(DIRECT, f"nothing says surely what it is{looks}", is_sure=False)


def _moment(column: ColumnProfile, parts: list[str]) -> tuple[str | None, str | None, str, bool]:
    """Type and layout of a column of dates or times, what to say beside it, and whether nothing is left to decide."""
    found = {each: missed for each, missed in column.readings.items() if each[0] in _MOMENTS}
    # Eight digits are a day only where the name says so: they are also numbers of people.
    named = _fits(parts, [*words()["event"], *words()["quasi_identifier"]])
    chosen = {each: missed for each, missed in found.items() if named or each[1] not in COMPACT}
    if not chosen:
        return None, None, "", True
    (kind, layout), missed = min(chosen.items(), key=lambda each: each[1])
    others = sum(each[0] == kind and other == missed for each, other in chosen.items()) - 1
    note = "; its cells read in several layouts: is the month first, or the day?" if others else ""
    return kind, layout, f"{note}{_slips(missed)}", not (others or missed)


def _slips(missed: int) -> str:
    return f"; cells that are not, and would be refused: {missed}" if missed else ""


def _fits(parts: Sequence[str], names: Sequence[str]) -> bool:
    joined = {"_".join(parts[start:end]) for start in range(len(parts)) for end in range(start + 1, len(parts) + 1)}
    return not joined.isdisjoint(names)


def _id_of(parts: Sequence[str], table: str) -> str | None:
    """The resource type whose id a name says it is: 'visit_id', 'id' in table visits, 'patient'. None where it says none."""
    if parts == ["id"]:
        return _owner(
            singular
            for word in table.split("_")
            for singular in (word, word.removesuffix("s"), word.removesuffix("ies") + "y")
        )
    if parts and parts[-1] in words()["id_words"]:
        return _owner(parts[:-1])
    return _owner(parts) if parts in (["patient"], ["encounter"]) else None


def _owner(named: Iterable[str]) -> str | None:
    named = list(named)
    return next((kind for kind, names in words()["ids"].items() if _fits(named, names)), None)
