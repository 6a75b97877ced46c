"""What dbt is told from outside the project: the night, and the numbers and lists that policies own."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

from include.errors import PlumblineError

CODES_FILE = Path(__file__).parents[1] / "policies" / "classification_codes.yml"


class DbtVariablesError(PlumblineError):
    """A policy does not say what the marts need."""


def dbt_variables(night: date) -> dict[str, Any]:
    """Variables of every dbt invocation, by policy: nothing of them is written a second time in dbt_project.

    Raises DbtVariablesError, EquityPolicyError or DisclosurePolicyError where a policy is incomplete.
    """
    from include.equity.policy import dbt_variables as of_comparisons

    return {"night": night.isoformat(), **_public_code_systems(), **of_comparisons()}


def _public_code_systems() -> dict[str, list[str]]:
    import yaml

    said = yaml.safe_load(CODES_FILE.read_text()) or {}
    missing = [word for word in ("public_systems", "public_prefixes") if not said.get(word)]
    if missing:
        raise DbtVariablesError(
            found=f"{CODES_FILE.name} without {' and '.join(missing)}",
            expected="the code systems whose codes and displays mean the same everywhere",
            action=f"name them in {CODES_FILE.name}; without them no display would be shown at all",
        )
    return {
        "public_code_systems": sorted(said["public_systems"]),
        "public_code_prefixes": sorted(said["public_prefixes"]),
    }
