"""The reviewed allow-list of what stays in clear of a FHIR resource, read from ``include/policies/classification*.yml``.

Refuses words it does not know, so that a typo fails on start and not in a mart.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import yaml

from include.errors import PlumblineError
from include.privacy import value_types
from include.yaml_text import parse_yaml

POLICIES = Path(__file__).parents[1] / "policies"
POLICY_FILE = POLICIES / "classification.yml"
CODES_FILE = POLICIES / "classification_codes.yml"

# Leaf types and data types whose parts depend on each other; include/privacy/splitting.py knows them.
SPECIAL = frozenset(
    {"id", "reference", "resource_type", "contained", "extension", "Coding", "Quantity", "uid", "uid_identifier"}
)
_CODE_LISTS = ("units", "unit_annotations", "payer_words", "country_names", "state_names", "profile_prefixes")
_CODE_MAPS = ("public_systems", "public_prefixes", "local_systems")

# What one element keeps: a word, a closed set of codes, or its own elements.
Rule = str | tuple[str, ...] | Mapping[str, "Rule"]


class ClassificationError(PlumblineError):
    """The classification says something the platform does not know, or leaves out what it must say."""


@dataclass(frozen=True, slots=True)
class ResourceRule:
    """What one resource type keeps; ``person`` and ``event`` are element paths, the first present one counts."""

    resource_type: str
    keep: Mapping[str, Rule]
    person: tuple[str, ...]
    event: tuple[str, ...]

    @property
    def is_the_person(self) -> bool:
        """True of Patient: the resource's own id is the person's."""
        return self.person == ("itself",)


@dataclass(frozen=True, slots=True)
class Classification:
    """The whole policy. ``checks`` has a function for every leaf type."""

    owner: str
    datatypes: Mapping[str, Rule]
    extensions: Mapping[str, Rule]
    resources: Mapping[str, ResourceRule]
    codes: Mapping[str, Mapping[str, str]]
    checks: Mapping[str, value_types.Check]

    def kept_elements(self, resource_type: str) -> Iterator[str]:
        """Paths of every element that may stay in clear, for people who review."""
        for name, rule in self.resources[resource_type].keep.items():
            yield from _paths(name, rule)


@lru_cache(maxsize=2)
def load_classification(policy: Path = POLICY_FILE, codes: Path = CODES_FILE) -> Classification:
    """Read and check both files. Raises ClassificationError with everything that is wrong at once."""
    said, words = _read(policy), _read(codes)
    faults = [*_code_faults(words), *_policy_faults(said)]
    checks = {} if faults else value_types.checks(words)
    known = {*checks, *SPECIAL, *said.get("datatypes", {})}
    if not faults:
        faults = _word_faults(said, known)
    if faults:
        raise ClassificationError(
            found="; ".join(faults),
            expected="an owner, a reason and known words only (the head of the file lists them)",
            action=f"correct {policy.name} or {codes.name}",
        )
    return Classification(
        owner=said["owner"],
        datatypes={name: _rule(rule) for name, rule in said["datatypes"].items()},
        extensions={url: _rule(rule) for url, rule in said["extensions"].items()},
        resources=_resources(said),
        codes={name: words[name] for name in _CODE_MAPS},
        checks=checks,
    )


def _resources(said: dict) -> dict[str, ResourceRule]:
    every, default = said["every_resource"], said["any_other_resource"]
    rules = {}
    for name in said["resource_types"]:
        own = said["resources"].get(name, default)
        keep = {**every, **own.get("keep", {})}
        rules[name] = ResourceRule(
            resource_type=name,
            keep={element: _rule(rule) for element, rule in keep.items()},
            person=("itself",) if own.get("person") == "itself" else tuple(own.get("person", ())),
            event=tuple(own.get("event", ())),
        )
    return rules


def _rule(said: object) -> Rule:
    if isinstance(said, list):
        return tuple(said)
    if isinstance(said, dict):
        return {name: _rule(rule) for name, rule in said.items()}
    return said


def _paths(name: str, rule: Rule) -> Iterator[str]:
    if isinstance(rule, Mapping):
        for inner, inner_rule in rule.items():
            yield from _paths(f"{name}.{inner}", inner_rule)
    else:
        yield f"{name}: {rule if isinstance(rule, str) else ' | '.join(rule)}"


def _read(path: Path) -> dict:
    try:
        said = parse_yaml(path.read_text())
    except (OSError, yaml.YAMLError) as cause:
        raise ClassificationError(
            found=f"{path.name} cannot be read ({type(cause).__name__})",
            expected="a YAML file",
            action="restore it from the repository",
        ) from cause
    return said if isinstance(said, dict) else {}


def _policy_faults(said: dict) -> Iterator[str]:
    expected = {
        "owner",
        "reviewed",
        "reason",
        "datatypes",
        "extensions",
        "every_resource",
        "any_other_resource",
        "resources",
        "resource_types",
    }
    for name in sorted(expected - said.keys()):
        yield f"'{name}' is missing"
    for name in sorted(said.keys() - expected):
        yield f"'{name}' is not a word of the classification"
    for name in sorted(said.get("resources", {}).keys() - set(said.get("resource_types", []))):
        yield f"'{name}' is not an R4 resource type"


def _code_faults(words: dict) -> Iterator[str]:
    for name in (*_CODE_LISTS, *_CODE_MAPS, "owner", "reviewed"):
        if name not in words:
            yield f"'{name}' is missing from the codes"
    for name in sorted(words.keys() - {*_CODE_LISTS, *_CODE_MAPS, "owner", "reviewed"}):
        yield f"'{name}' is not a word of the codes"
    for name in _CODE_LISTS:
        if any(not isinstance(word, str) for word in words.get(name, [])):
            yield f"'{name}' has words that are not text: quote them"
    for name in _CODE_MAPS:
        for system, pattern in words.get(name, {}).items():
            if pattern != "hl7_code" and not _is_pattern(pattern):
                yield f"the pattern of {system} is not a regular expression"


def _word_faults(said: dict, known: set[str]) -> list[str]:
    faults: list[str] = []
    for name, own in {**said["resources"], "any_other_resource": said["any_other_resource"]}.items():
        faults += [
            f"{name}: '{word}' is not a word of a resource" for word in sorted(own.keys() - {"keep", "person", "event"})
        ]
        faults += _rule_faults(name, own.get("keep", {}), known)
    for part in ("datatypes", "extensions"):
        for name, rule in said[part].items():
            faults += _rule_faults(name, rule, known)
    return faults + _rule_faults("every_resource", said["every_resource"], known)


def _rule_faults(path: str, rule: object, known: set[str]) -> list[str]:
    if isinstance(rule, dict):
        return [fault for name, inner in rule.items() for fault in _rule_faults(f"{path}.{name}", inner, known)]
    if isinstance(rule, list):
        return [f"{path}: a code that is not text; quote it"] if any(not isinstance(code, str) for code in rule) else []
    return [] if rule in known else [f"{path}: '{rule}' is no type"]


def _is_pattern(pattern: object) -> bool:
    try:
        re.compile(pattern)
    except (re.error, TypeError):
        return False
    return True
