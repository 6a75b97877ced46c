"""What include/policies/identity.yml says of joining patient records, checked word by word."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from include.errors import PlumblineError

POLICY_FILE = Path(__file__).resolve().parents[1] / "policies" / "identity.yml"
_WORDS = {"owner", "reviewed", "joins_on", "largest_group", "contradiction", "reason"}
_KINDS = {"id", "demo"}
_TRAITS = {"birth_date", "sex"}


class IdentityPolicyError(PlumblineError):
    """include/policies/identity.yml does not say what joining needs."""


@dataclass(frozen=True, slots=True)
class IdentityPolicy:
    """Which match tokens join patient records, and which are too common or too contradictory to."""

    joins_on: tuple[str, ...]
    largest_group: int
    contradiction: tuple[str, ...]
    digest: str


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
        if not isinstance(said["largest_group"], int) or said["largest_group"] < 2:
            wrong.append("a largest_group that joins nobody")
    if wrong:
        raise IdentityPolicyError(
            found=f"{POLICY_FILE.name} with {'; '.join(wrong)}",
            expected=f"exactly {', '.join(sorted(_WORDS))}, tokens of kind id or demo, traits birth_date or sex",
            action="correct the policy",
        )
    return IdentityPolicy(tuple(said["joins_on"]), said["largest_group"], tuple(said["contradiction"]), digest)
