"""The policy on what readers may see of counts, and on anonymity in row-level marts: include/policies/disclosure.yml."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

import yaml

from include.errors import PlumblineError
from include.privacy.anonymity_policy import AnonymityPolicy

POLICY_FILE = Path(__file__).parents[1] / "policies" / "disclosure.yml"


class DisclosurePolicyError(PlumblineError):
    """The policy on small counts says something that is not known or not possible."""


@dataclass(frozen=True, slots=True)
class DisclosurePolicy:
    """What readers may see of counts: ``include/policies/disclosure.yml``."""

    owner: str
    minimum_cell: int
    complementary_suppression: bool
    round_open_periods_to: int
    protection_interval: int
    closes_after_days: int
    edition: int
    published_margins: tuple[str, ...]
    anonymity: AnonymityPolicy

    @classmethod
    def load(cls, file: Path = POLICY_FILE) -> Self:
        """Read the policy. Raises DisclosurePolicyError or AnonymityPolicyError naming what is unknown, missing or impossible."""
        said: dict[str, Any] = yaml.safe_load(file.read_text())
        known = {field.name for field in fields(cls)}
        if set(said) != known:
            raise DisclosurePolicyError(
                found=f"{file.name} with other words than it may hold: {', '.join(sorted(set(said) ^ known))}",
                expected=f"exactly {', '.join(sorted(known))}",
                action=f"correct {file.name}",
            )
        read = {
            "published_margins": tuple(said["published_margins"]),
            "anonymity": AnonymityPolicy.read(said["anonymity"], file.name),
        }
        policy = cls(**{**said, **read})
        policy._require_protection(file.name)
        return policy

    def _require_protection(self, file_name: str) -> None:
        fewest = {
            "minimum_cell": 1,
            "round_open_periods_to": 1,
            "protection_interval": 1,
            "closes_after_days": 0,
            "edition": 1,
        }
        wrong = [word for word, least in fewest.items() if not _is_whole(getattr(self, word), least)]
        if wrong:
            raise DisclosurePolicyError(
                found=f"{file_name} sets {', '.join(wrong)} to something else than a whole number from 1 (closes_after_days: from 0)",
                expected="whole numbers",
                action=f"correct {file_name}",
            )
        if self.complementary_suppression is not True:
            raise DisclosurePolicyError(
                found=f"{file_name} switches complementary suppression off",
                expected="it to stay on while totals are published: hidden counts could be worked out by subtraction",
                action="set complementary_suppression to true",
            )


def _is_whole(said: Any, least: int) -> bool:
    return isinstance(said, int) and not isinstance(said, bool) and said >= least
