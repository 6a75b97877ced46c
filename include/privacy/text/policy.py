"""The policy on free text: ``include/policies/text_deidentification.yml``."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path

from include.errors import PlumblineError
from include.sources.declared import Complaints, read_yaml

POLICY_FILE = Path(__file__).parents[2] / "policies" / "text_deidentification.yml"
PROFILES, REPLACEMENTS, ENGINES = ("safe_harbor", "expert_determination"), ("tags", "surrogates"), ("presidio",)


class TextPolicyError(PlumblineError):
    """The policy on free text says something that is not known or not possible."""


@dataclass(frozen=True, slots=True)
class TextPolicy:
    """What becomes of identifiers in text."""

    owner: str
    reviewed: date
    reason: str
    profile: str
    most_days_shifted: int
    replacement: str
    engines: tuple[str, ...]

    @classmethod
    def load(cls, file: Path = POLICY_FILE) -> TextPolicy:
        """Read the policy. Raises TextPolicyError with everything that is wrong at once."""
        said = read_yaml(file, TextPolicyError)
        wrong = Complaints(file)
        names = {each.name for each in fields(cls)}
        wrong.refuse_unknown("the policy", said, names)
        for name in sorted(names - said.keys()):
            wrong.add(f"'{name}' is missing")
        wrong.choice("profile", said.get("profile"), PROFILES)
        wrong.choice("replacement", said.get("replacement"), REPLACEMENTS)
        days = said.get("most_days_shifted")
        if isinstance(days, bool) or not isinstance(days, int) or not 1 <= days <= 3650:
            wrong.add("most_days_shifted is not a whole number from 1 to 3650")
        engines = said.get("engines")
        if not isinstance(engines, list):
            wrong.add("engines is no list")
        for engine in engines if isinstance(engines, list) else ():
            wrong.choice("an engine", engine, ENGINES)
        wrong.raise_any(TextPolicyError, expected="the words that the head of the file explains")
        return cls(**{**{name: said[name] for name in names}, "engines": tuple(engines)})
