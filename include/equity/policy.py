"""The policy on comparing groups, and both it and the one on small counts as the variables dbt reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

import yaml

from include.errors import PlumblineError
from include.privacy.disclosure import DisclosurePolicy

POLICY_FILE = Path(__file__).parents[1] / "policies" / "equity.yml"
REFERENCE_RULES = ("largest", "best")
# Dimensions that may be looked at two together.
PAIRED = (
    "race_ethnicity", "sex", "gender_identity", "age_band", "language", "payer", "disability", "rurality", "svi_quartile", "state",
)  # fmt: skip


class EquityPolicyError(PlumblineError):
    """The policy on comparing groups says something that is not known or not possible."""


@dataclass(frozen=True, slots=True)
class EquityPolicy:
    """How groups are compared: ``include/policies/equity.yml``."""

    owner: str
    reference_rule: str
    reference_groups: Mapping[str, str]
    minimum_people: int
    weak_evidence_errors: int
    pairs: tuple[tuple[str, str], ...]
    pair_periods: int
    measure_years: int

    @classmethod
    def load(cls, file: Path = POLICY_FILE) -> Self:
        """Read the policy. Raises EquityPolicyError naming what is unknown, missing or impossible."""
        said: dict[str, Any] = yaml.safe_load(file.read_text())
        known = {field.name for field in fields(cls)}
        if set(said) != known:
            raise EquityPolicyError(
                found=f"{file.name} with other words than it may hold: {', '.join(sorted(set(said) ^ known))}",
                expected=f"exactly {', '.join(sorted(known))}",
                action=f"correct {file.name}",
            )
        policy = cls(**{**said, "pairs": _pairs(said["pairs"], file.name)})
        policy._require_sense(file.name)
        return policy

    def _require_sense(self, file_name: str) -> None:
        if self.reference_rule not in REFERENCE_RULES:
            raise EquityPolicyError(
                found=f"{file_name} names an unknown reference_rule",
                expected=f"one of {', '.join(REFERENCE_RULES)}",
                action=f"change it in {file_name}; a group by name goes under reference_groups",
            )
        numbers = (self.minimum_people, self.weak_evidence_errors, self.pair_periods, self.measure_years)
        if any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in numbers):
            raise EquityPolicyError(
                found=f"{file_name} sets minimum_people, weak_evidence_errors, pair_periods or measure_years to something else than a "
                "whole number from 1",
                expected="whole numbers of 1 or more",
                action=f"correct {file_name}",
            )


def _pairs(said: Any, file_name: str) -> tuple[tuple[str, str], ...]:
    is_list = isinstance(said, list) and all(isinstance(each, list) and len(each) == 2 for each in said)
    unknown = sorted({str(name) for pair in said for name in pair} - set(PAIRED)) if is_list else []
    if not is_list or unknown:
        raise EquityPolicyError(
            found=f"{file_name} names pairs that are not lists of two dimensions{': ' + ', '.join(unknown) if unknown else ''}",
            expected=f"two of {', '.join(PAIRED)}",
            action=f"correct pairs in {file_name}; ZIP3s are too small to be divided further",
        )
    if circle := _closes_a_circle(said):
        raise EquityPolicyError(
            found=f"{file_name}: with the pair {' and '.join(circle)} the pairs make a circle",
            expected="pairs of which none can be reached over the others, so that no table tells what another hides",
            action=f"leave one of the pairs of the circle out of {file_name}",
        )
    return tuple((one, other) for one, other in said)


def _closes_a_circle(pairs: Iterable[Sequence[str]]) -> Sequence[str] | None:
    """The first pair whose dimensions are connected already. Tables of a forest are decomposable (Lauritzen 1996): whatever each
    of them allows, together they allow it too."""
    joined = {name: {name} for name in PAIRED}
    for one, other in pairs:
        if joined[one] is joined[other]:
            return one, other
        together = joined[one] | joined[other]
        joined.update(dict.fromkeys(together, together))
    return None


def dbt_variables() -> dict[str, Any]:
    """Both policies as the variables that ``dbt_project/macros/policy.sql`` reads.

    Raises EquityPolicyError or DisclosurePolicyError.
    """
    equity, disclosure = EquityPolicy.load(), DisclosurePolicy.load()
    return {
        "disclosure_minimum_cell": disclosure.minimum_cell,
        "disclosure_round_open_periods_to": disclosure.round_open_periods_to,
        "disclosure_protection_interval": disclosure.protection_interval,
        "disclosure_closes_after_days": disclosure.closes_after_days,
        "disclosure_edition": disclosure.edition,
        "equity_minimum_people": equity.minimum_people,
        "equity_reference_rule": equity.reference_rule,
        "equity_reference_groups": dict(equity.reference_groups),
        "equity_weak_evidence_errors": equity.weak_evidence_errors,
        "equity_pairs": [list(pair) for pair in equity.pairs],
        "equity_pair_periods": equity.pair_periods,
        "measure_years": equity.measure_years,
    }
