"""What the governance policy says of each class of data: how long, where, how sealed, and how it ends."""

from __future__ import annotations

import hashlib
from calendar import isleap
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from include.errors import PlumblineError

if TYPE_CHECKING:
    from include.lifecycle.units import Unit

POLICY_FILE = Path(__file__).parents[1] / "policies" / "retention.yml"

_WORDS = {
    "classification": ("phi", "sensitive_phi", "confidential", "public"),
    "destruction": ("approval", "automatic"),
    "encryption": ("person_key", "batch_key"),
    "access_logging": ("every_read", "changes"),
    "backup": ("daily", "weekly", "monthly"),
    "audit": ("daily", "weekly", "monthly", "quarterly"),
}
EVERY_DAYS = {"daily": 1, "weekly": 7, "monthly": 28, "quarterly": 91}
_DAYS = ("hot_days", "warm_days", "cold_days", "retention_days")
_REQUIRED = {"owner", "reason", "regions", "quality_threshold", "resource_types", *_DAYS, *_WORDS}
_EVENT_WORDS = {"since_year": (1800, 2000), "years_ahead": (1, 100)}
_OPTIONAL = {"sources", "kept_with_person", "priority", "minors_until_age", "keep_cold_if_read_days"}


class PolicyError(PlumblineError):
    """The retention policy contradicts itself or says something the platform does not know."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What the policy says of one class of data. Days are whole; ``quality_threshold`` is a share from 0 to 1.

    ``sources`` has retention days of the sources that have their own.
    """

    data_class: str
    owner: str
    classification: str
    hot_days: int
    warm_days: int
    cold_days: int
    retention_days: int
    kept_with_person: tuple[str, ...]
    destruction: str
    encryption: str
    access_logging: str
    regions: tuple[str, ...]
    backup: str
    audit: str
    quality_threshold: float
    resource_types: tuple[str, ...]
    reason: str
    priority: bool = False
    minors_until_age: int | None = None
    keep_cold_if_read_days: int | None = None
    sources: Mapping[str, int] = field(default_factory=dict)

    def of_sources(self, sources: Collection[str]) -> Rule:
        """This rule as it holds for a file with records of these sources: of several retentions the longest."""
        days = {self.sources.get(source, self.retention_days) for source in sources}
        return replace(self, retention_days=max(days)) if self.sources and days else self

    def leaves_hot_on(self, received_month: date) -> date:
        """First day on which every record received in that month is older than ``hot_days``.

        A priority class stays hot until the retention of what was received that year ends.
        """
        if self.priority:
            return self.ends_after(received_month.year) + timedelta(days=1)
        return _last_day(received_month) + timedelta(days=self.hot_days + 1)

    def leaves_cold_on(self, received_month: date) -> date:
        """First day on which every record received in that month is older than ``cold_days``."""
        return _last_day(received_month) + timedelta(days=self.cold_days + 1)

    def ends_after(self, event_year: int) -> date:
        """Last day on which records of that event year are kept; the calendar's last where they are kept beyond it.

        "Valid to 9999-12-31" is how many systems write "until further notice".
        """
        end = date(min(event_year, date.max.year), 12, 31)
        return end + min(timedelta(days=self.retention_days), date.max - end)

    def keeps_minor_until(self, born: date) -> date | None:
        """Last day on which records of somebody born on that day are kept for their age; None without such a rule.

        Who was born on 29 February comes of age on 1 March where the year has no such day.
        """
        if self.minors_until_age is None:
            return None
        year = born.year + self.minors_until_age
        is_leap_day = (born.month, born.day) == (2, 29) and not isleap(year)
        return date(year, 3, 1) if is_leap_day else born.replace(year=year)


@dataclass(frozen=True, slots=True)
class Believable:
    """Years of events from which retention counts: from ``since_year`` to ``years_ahead`` after the year of receipt.

    A record dated outside counts from receipt: a year mistyped as 0219 would end it at once, as 2919 lock it for centuries.
    """

    since_year: int = 1900
    years_ahead: int = 5


@dataclass(frozen=True, slots=True)
class Retention:
    """The whole policy: a rule a class, the days of landing, and a fingerprint of the file it was read from."""

    owner: str
    reviewed: date
    landing_days: int
    rules: Mapping[str, Rule]
    sha256: str
    events: Believable = Believable()

    def rule(self, data_class: str) -> Rule:
        """The rule of a class. Raises PolicyError for a class the policy does not name: it must not be guessed."""
        try:
            return self.rules[data_class]
        except KeyError as cause:
            raise PolicyError(
                found=f"data class '{data_class}' has no rule",
                expected=f"one of {', '.join(sorted(self.rules))}",
                action=f"add the class to {POLICY_FILE.name} with an owner and a reason, or correct its name",
            ) from cause

    def rule_of(self, unit: Unit) -> Rule:
        """The rule of a file: of its class, as it holds for its sources."""
        return self.rule(unit.data_classes[0]).of_sources(unit.sources)

    def class_of(self, resource_type: str) -> str | None:
        """The class of a FHIR resource type; None for a type that the policy does not name, which must not pass."""
        return self._classes().get(resource_type)

    def _classes(self) -> dict[str, str]:
        return {kind: name for name, rule in self.rules.items() for kind in rule.resource_types}


def due_classes(
    retention: Retention, word: Literal["backup", "audit"], newest: Mapping[str, date], night: date
) -> tuple[str, ...]:
    """Classes whose last backup or audit is older than their frequency allows on ``night``; those never seen to are due."""
    return tuple(
        name
        for name, rule in sorted(retention.rules.items())
        if name not in newest or night - newest[name] >= timedelta(days=EVERY_DAYS[getattr(rule, word)])
    )


@lru_cache(maxsize=4)
def load_retention(path: Path = POLICY_FILE) -> Retention:
    """Read and check the policy file. Raises PolicyError naming everything that is wrong with it at once."""
    import yaml

    raw = path.read_bytes()
    try:
        text = yaml.load(raw, Loader=_unique_keys_loader())
    except yaml.YAMLError as cause:
        raise _refused(path, [f"not YAML ({str(cause).splitlines()[0]})"]) from cause
    return read_retention(text, sha256=hashlib.sha256(raw).hexdigest(), name=path)


def read_retention(text: object, *, sha256: str = "", name: Path = POLICY_FILE) -> Retention:
    """Check a policy already parsed and make it a Retention. Pure; raises PolicyError with every fault found."""
    faults = faults_of(text)
    if faults:
        raise _refused(name, faults)
    rules = {data_class: _rule(data_class, said) for data_class, said in text["classes"].items()}
    said = {word: text["events"][word] for word in _EVENT_WORDS} if text.get("events") else {}
    return Retention(text["owner"], text["reviewed"], text["landing"]["days"], rules, sha256, Believable(**said))


def faults_of(text: object) -> list[str]:
    """Everything wrong with a parsed policy, in the order of the file; empty when it may come into force."""
    if not isinstance(text, dict):
        return ["the file is not a mapping"]
    faults = _words("policy", text, {"owner", "reviewed", "landing", "classes"}, {"events"})
    faults += _owner("policy", text)
    if "reviewed" in text and not isinstance(text["reviewed"], date):
        faults.append("policy: reviewed is not a day written YYYY-MM-DD")
    faults += _landing(text.get("landing")) + _events(text.get("events", {}))
    classes = text.get("classes")
    if not isinstance(classes, dict) or not classes:
        return [*faults, "policy: classes names no class"]
    for data_class, said in classes.items():
        faults += _class_faults(str(data_class), said)
    return faults + _twice(classes)


def _class_faults(name: str, said: object) -> list[str]:
    if not isinstance(said, dict):
        return [f"{name}: is not a mapping"]
    faults = _words(name, said, _REQUIRED, _OPTIONAL) + _owner(name, said)
    if not (isinstance(name, str) and name.isidentifier() and name == name.lower() and len(name) <= 41):
        faults.append(f"{name}: a class is named in lower case letters, digits and underscores")
    for word, allowed in _WORDS.items():
        if word in said and said[word] not in allowed:
            faults.append(f"{name}: {word} is '{said[word]}', expected one of {', '.join(allowed)}")
    if "reason" in said and not str(said["reason"] or "").strip():
        faults.append(f"{name}: reason is empty")
    faults += _days(name, said) + _share(name, said) + _lists(name, said) + _exceptions(name, said)
    return faults + _sources(name, said)


def _exceptions(name: str, said: dict) -> list[str]:
    faults = []
    if not isinstance(said.get("priority", False), bool):
        faults.append(f"{name}: priority is not true or false")
    age = said.get("minors_until_age", 18)
    if not _is_days(age) or not 18 <= age <= 40:
        faults.append(f"{name}: minors_until_age is not a whole number from 18 to 40")
    if not _is_days(said.get("keep_cold_if_read_days", 1)):
        faults.append(f"{name}: keep_cold_if_read_days is not a whole number of days, at least 1")
    return faults


def _words(name: str, said: dict, required: set[str], optional: set[str]) -> list[str]:
    unknown = [f"{name}: unknown word '{word}'" for word in said if word not in required | optional]
    return unknown + [f"{name}: {word} is missing" for word in sorted(required) if word not in said]


def _owner(name: str, said: dict) -> list[str]:
    return [f"{name}: owner is empty"] if "owner" in said and not str(said["owner"] or "").strip() else []


def _landing(said: object) -> list[str]:
    if not isinstance(said, dict):
        return []
    faults = _words("landing", said, {"days", "reason"}, set())
    if "days" in said and not _is_days(said["days"]):
        faults.append("landing: days is not a whole number of days, at least 1")
    return faults


def _events(said: object) -> list[str]:
    if not isinstance(said, dict):
        return ["events: is not a mapping"]
    faults = _words("events", said, {*_EVENT_WORDS, "reason"}, set()) if said else []
    for word, (least, most) in _EVENT_WORDS.items():
        if word in said and not (_is_days(said[word]) and least <= said[word] <= most):
            faults.append(f"events: {word} is not a whole number from {least} to {most}")
    return faults


def _days(name: str, said: dict) -> list[str]:
    wrong = [word for word in _DAYS if word in said and not _is_days(said[word])]
    faults = [f"{name}: {word} is not a whole number of days, at least 1" for word in wrong]
    if wrong:
        return faults
    for shorter, longer in zip(_DAYS, _DAYS[1:], strict=False):
        if shorter in said and longer in said and said[shorter] > said[longer]:
            faults.append(f"{name}: {shorter} ({said[shorter]}) is more than {longer} ({said[longer]})")
    return faults


def _sources(name: str, said: dict) -> list[str]:
    sources = said.get("sources", {})
    if not isinstance(sources, dict):
        return [f"{name}: sources is not a mapping"]
    faults = []
    for source, own in sources.items():
        where = f"{name}: sources: {source}"
        if not isinstance(own, dict):
            faults.append(f"{where}: is not a mapping")
            continue
        faults += _words(where, own, {"retention_days", "reason"}, set())
        if "reason" in own and not str(own["reason"] or "").strip():
            faults.append(f"{where}: reason is empty")
        if "retention_days" in own and not _is_days(own["retention_days"]):
            faults.append(f"{where}: retention_days is not a whole number of days, at least 1")
        elif _is_days(said.get("cold_days")) and own.get("retention_days", said["cold_days"]) < said["cold_days"]:
            faults.append(
                f"{where}: retention_days ({own['retention_days']}) is less than cold_days ({said['cold_days']})"
            )
    return faults


def _share(name: str, said: dict) -> list[str]:
    share = said.get("quality_threshold", 0)
    is_share = isinstance(share, (int, float)) and not isinstance(share, bool) and 0 <= share <= 1
    return [] if is_share else [f"{name}: quality_threshold is not a share between 0 and 1"]


def _lists(name: str, said: dict) -> list[str]:
    faults = []
    for word in ("regions", "resource_types", "kept_with_person"):
        listed = said.get(word, [])
        if not isinstance(listed, list) or not all(isinstance(item, str) for item in listed):
            faults.append(f"{name}: {word} is not a list of names")
    if said.get("regions") == []:
        faults.append(f"{name}: regions is empty, so no bucket could hold this class")
    if not faults:
        outside = set(said.get("kept_with_person", [])) - set(said.get("resource_types", []))
        faults += [
            f"{name}: kept_with_person names {kind}, which is not among its resource_types" for kind in sorted(outside)
        ]
    return faults


def _twice(classes: dict) -> list[str]:
    seen: dict[str, str] = {}
    faults = []
    for data_class, said in classes.items():
        kinds = said.get("resource_types") if isinstance(said, dict) else None
        for kind in kinds if isinstance(kinds, list) else ():
            if kind in seen:
                faults.append(f"{data_class}: resource type {kind} is also in {seen[kind]}")
            seen.setdefault(kind, data_class)
    return faults


def _rule(data_class: str, said: dict) -> Rule:
    lists = ("regions", "resource_types", "kept_with_person")
    plain = {word: said[word] for word in (_REQUIRED | _OPTIONAL) - set(lists) if word in said}
    plain["quality_threshold"] = float(plain["quality_threshold"])
    plain["reason"] = " ".join(plain["reason"].split())
    plain["sources"] = {source: own["retention_days"] for source, own in said.get("sources", {}).items()}
    return Rule(data_class=data_class, **plain, **{word: tuple(said.get(word, ())) for word in lists})


def _is_days(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and number >= 1


def _last_day(month: date) -> date:
    return (month.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)


def _refused(path: Path, faults: list[str]) -> PolicyError:
    return PolicyError(
        found=f"{path.name} has {len(faults)} fault(s): {'; '.join(faults)}",
        expected="a policy whose every word is known, whose days are in order and whose classes have an owner",
        action=f"correct {path.name}; nothing moves until then",
    )


def _unique_keys_loader() -> type:
    """A YAML loader that refuses a word said twice: the second would silently win."""
    import yaml

    class UniqueKeys(yaml.SafeLoader):
        pass

    def mapping(loader, node, deep=False):
        words = [loader.construct_object(key, deep=deep) for key, _ in node.value]
        twice = sorted({str(word) for word in words if words.count(word) > 1})
        if twice:
            raise yaml.constructor.ConstructorError(None, None, f"'{twice[0]}' is said twice", node.start_mark)
        return yaml.SafeLoader.construct_mapping(loader, node, deep)

    UniqueKeys.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping)
    return UniqueKeys
