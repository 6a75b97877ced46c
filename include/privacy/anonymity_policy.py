"""What ``include/policies/disclosure.yml`` says of anonymity in row-level marts, read strictly."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from include.errors import PlumblineError

_WORDS = {"quasi_identifiers", "sensitive_attributes", "thresholds"}
_TABLE = re.compile(r"(clinical|measures)\.[a-z_]+")
_COLUMN = re.compile(r"[a-z_][a-z0-9_]*")
_ATTRIBUTE_WORDS = {"table", "column", "order", "newest_by"}


class AnonymityPolicyError(PlumblineError):
    """The policy on anonymity says something that is not known or not possible."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """A trait that must not be learned: ``table`` as analysts name it (``measures.risk``), one value a person."""

    name: str
    table: str
    column: str
    order: tuple[str, ...] = ()  # values from one end to the other; empty where none is nearer to another
    newest_by: str | None = None  # of several rows a person, the one that is highest in this column


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From when a night is not published; None where nobody has decided so."""

    smallest_class: int | None
    fewest_values: int | None
    greatest_distance: float | None
    share_allowed: float

    @property
    def are_set(self) -> bool:
        return (self.smallest_class, self.fewest_values, self.greatest_distance) != (None, None, None)


@dataclass(frozen=True, slots=True)
class AnonymityPolicy:
    """Quasi-identifiers (columns of clinical.persons), sensitive attributes and thresholds."""

    quasi_identifiers: tuple[str, ...]
    sensitive_attributes: tuple[Attribute, ...]
    thresholds: Thresholds

    @classmethod
    def read(cls, said: Any, file_name: str) -> Self:
        """Read the part ``anonymity`` of the policy. Raises AnonymityPolicyError naming everything wrong at once."""
        wrong = list(_complaints(said))
        if wrong:
            raise AnonymityPolicyError(
                found=f"{file_name}, anonymity: {'; '.join(wrong)}",
                expected="quasi_identifiers, sensitive_attributes and thresholds as its comments describe",
                action=f"correct {file_name}",
            )
        return cls(
            tuple(said["quasi_identifiers"]),
            tuple(
                Attribute(name, **{**each, "order": tuple(each.get("order", ()))})
                for name, each in said["sensitive_attributes"].items()
            ),
            Thresholds(**said["thresholds"]),
        )


def _complaints(said: Any) -> Iterator[str]:
    if not isinstance(said, Mapping) or set(said) != _WORDS:
        yield f"it holds other words than {', '.join(sorted(_WORDS))}"
        return
    traits = said["quasi_identifiers"]
    if not isinstance(traits, list) or not traits or not all(_is_column(each) for each in traits):
        yield "quasi_identifiers is not a list of columns of clinical.persons"
    elif len(set(traits)) < len(traits):
        yield "quasi_identifiers names a column twice"
    yield from _complaints_on_attributes(said["sensitive_attributes"])
    yield from _complaints_on_thresholds(said["thresholds"])


def _complaints_on_attributes(said: Any) -> Iterator[str]:
    if not isinstance(said, Mapping) or not said:
        yield "sensitive_attributes names none"
        return
    for name, each in said.items():
        if not isinstance(each, Mapping) or not {"table", "column"} <= set(each) <= _ATTRIBUTE_WORDS:
            yield f"the attribute {name!r} has other words than table, column, order and newest_by"
        elif not (isinstance(each["table"], str) and _TABLE.fullmatch(each["table"])):
            yield f"the attribute {name!r} is of no table of clinical or measures"
        elif not all(_is_column(each[word]) for word in ("column", "newest_by") if word in each):
            yield f"the attribute {name!r} names no column"
        elif "order" in each and not _is_order(each["order"]):
            yield f"the attribute {name!r} has an order that is not a list of at least two values, each once"


def _complaints_on_thresholds(said: Any) -> Iterator[str]:
    known = {"smallest_class", "fewest_values", "greatest_distance", "share_allowed"}
    if not isinstance(said, Mapping) or set(said) != known:
        yield f"thresholds holds other words than {', '.join(sorted(known))}"
        return
    for word in ("smallest_class", "fewest_values"):
        if said[word] is not None and not (type(said[word]) is int and said[word] >= 2):
            yield f"{word} is neither null nor a whole number from 2"
    for word in ("greatest_distance", "share_allowed"):
        may_be_absent = word == "greatest_distance" and said[word] is None
        if not may_be_absent and not (type(said[word]) in (int, float) and 0 <= said[word] <= 1):
            yield f"{word} is not a number from 0 to 1"


def _is_column(said: Any) -> bool:
    return isinstance(said, str) and _COLUMN.fullmatch(said) is not None


def _is_order(said: Any) -> bool:
    return (
        isinstance(said, list)
        and len(said) > 1
        and all(isinstance(v, str) for v in said)
        and len(set(said)) == len(said)
    )
