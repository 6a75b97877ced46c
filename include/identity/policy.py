"""What include/policies/identity.yml says of joining patient records, checked word by word."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from include.errors import PlumblineError

POLICY_FILE = Path(__file__).resolve().parents[1] / "policies" / "identity.yml"
_WORDS = {
    "owner", "reviewed", "joins_on", "largest_group", "contradiction", "links_join", "strong_identifiers", "matching", "reason",
}  # fmt: skip
_KINDS = {"id", "demo"}
_TRAITS = {"birth_date", "sex"}
_LINKS = {"replaced-by", "replaces", "refer", "seealso"}
# Trait -> its levels; those whose u may be the frequency of the very value.
LEVELS = {
    "family_name": ("exact", "near", "sound", "swapped", "differs"),
    "given_name": ("exact", "near", "sound", "initial", "differs"),
    "birth_date": ("exact", "part", "differs"),
    "sex": ("exact", "differs"),
    "postal_code": ("exact", "differs"),
    "contact": ("exact", "differs"),
}
_BY_FREQUENCY = {
    ("family_name", "exact"), ("family_name", "swapped"), ("given_name", "exact"), ("postal_code", "exact"),
}  # fmt: skip
_NEEDS = {
    "given_name": {*LEVELS["given_name"], "swapped"},
    "birth_date": set(LEVELS["birth_date"]),
    "besides": {"postal_code", "contact"},
}
_NUMBERS = ("join_from", "review_from", "largest_block")


class IdentityPolicyError(PlumblineError):
    """include/policies/identity.yml does not say what joining needs."""


@dataclass(frozen=True, slots=True)
class Matching:
    """The model of two records being one person. ``chances``: (trait, level) -> (m, u), u None where it is the frequency."""

    join_from: float
    review_from: float
    largest_block: int
    needs: Mapping[str, tuple[str, ...]]
    chances: Mapping[tuple[str, str], tuple[float, float | None]]


@dataclass(frozen=True, slots=True)
class IdentityPolicy:
    """Which match tokens join patient records, which are too common or too contradictory to, and how likeness is weighed."""

    joins_on: tuple[str, ...]
    largest_group: int
    contradiction: tuple[str, ...]
    digest: str
    links_join: tuple[str, ...] = ()
    strong_identifiers: tuple[str, ...] = ()
    matching: Matching | None = None


@lru_cache(maxsize=4)
def load_policy(file: Path = POLICY_FILE) -> IdentityPolicy:
    """Read the policy. Raises IdentityPolicyError on a missing or unknown word or an impossible number."""
    import yaml

    content = file.read_bytes()
    return _checked(yaml.safe_load(content) or {}, hashlib.sha256(content).hexdigest())


def _checked(said: Mapping[str, Any], digest: str) -> IdentityPolicy:
    wrong = [f"no word {word}" for word in sorted(_WORDS - set(said))]
    wrong += [f"the unknown word {word}" for word in sorted(set(said) - _WORDS)]
    if not wrong:
        wrong += [f"an unknown kind of token {kind}" for kind in said["joins_on"] if kind not in _KINDS]
        wrong += [f"an unknown trait {trait}" for trait in said["contradiction"] if trait not in _TRAITS]
        wrong += [f"an unknown kind of link {kind}" for kind in said["links_join"] if kind not in _LINKS]
        if not isinstance(said["largest_group"], int) or said["largest_group"] < 2:
            wrong.append("a largest_group that joins nobody")
        wrong += _matching_faults(said["matching"])
    if wrong:
        raise IdentityPolicyError(
            found=f"{POLICY_FILE.name} with {'; '.join(wrong)}",
            expected=f"exactly {', '.join(sorted(_WORDS))}, tokens of kind id or demo, traits birth_date or sex",
            action="correct the policy",
        )
    return IdentityPolicy(
        tuple(said["joins_on"]),
        said["largest_group"],
        tuple(said["contradiction"]),
        digest,
        tuple(said["links_join"]),
        tuple(said["strong_identifiers"]),
        _matching(said["matching"]),
    )


def _matching_faults(said: Any) -> Iterator[str]:
    if not isinstance(said, dict) or set(said) != {*_NUMBERS, "needs", *LEVELS}:
        yield f"a matching that is not of {', '.join((*_NUMBERS, 'needs', *LEVELS))}"
        return
    if not 0 < said["review_from"] <= said["join_from"] < 1:
        yield "thresholds that are not chances in order"
    if not isinstance(said["largest_block"], int) or said["largest_block"] < 2:
        yield "a largest_block that compares nobody"
    for name, allowed in _NEEDS.items():
        if not said["needs"].get(name) or not set(said["needs"][name]) <= allowed:
            yield f"needs: {name} is not of {', '.join(sorted(allowed))}"
    for trait, levels in LEVELS.items():
        if set(said[trait]) != set(levels):
            yield f"{trait} is not of {', '.join(levels)}"
            continue
        yield from _chance_faults(trait, said[trait])


def _chance_faults(trait: str, levels: Mapping[str, Any]) -> Iterator[str]:
    for level, chance in levels.items():
        u = chance.get("u")
        is_chance = isinstance(u, float) and 0 < u < 1 or u == "frequency" and (trait, level) in _BY_FREQUENCY
        if set(chance) != {"m", "u"} or not isinstance(chance["m"], float) or not 0 < chance["m"] < 1 or not is_chance:
            yield f"{trait}, {level}: m and u are not chances between 0 and 1"
    if abs(sum(chance.get("m") or 0 for chance in levels.values()) - 1) > 0.011:
        yield f"{trait}: its m do not add up to 1"


def _matching(said: Mapping[str, Any]) -> Matching:
    return Matching(
        said["join_from"],
        said["review_from"],
        said["largest_block"],
        {name: tuple(said["needs"][name]) for name in _NEEDS},
        {
            (trait, level): (chance["m"], None if chance["u"] == "frequency" else chance["u"])
            for trait, levels in LEVELS.items()
            for level, chance in said[trait].items()
        },
    )
