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
from include.lifecycle.policy_faults import EVENT_WORDS, OPTIONAL, REQUIRED, faults_of

if TYPE_CHECKING:
    from include.lifecycle.units import Unit

POLICY_FILE = Path(__file__).parents[1] / "policies" / "retention.yml"
EVERY_DAYS = {"daily": 1, "weekly": 7, "monthly": 28, "quarterly": 91}


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
    said = {word: text["events"][word] for word in EVENT_WORDS} if text.get("events") else {}
    return Retention(text["owner"], text["reviewed"], text["landing"]["days"], rules, sha256, Believable(**said))


def _rule(data_class: str, said: dict) -> Rule:
    lists = ("regions", "resource_types", "kept_with_person")
    plain = {word: said[word] for word in (REQUIRED | OPTIONAL) - set(lists) if word in said}
    plain["quality_threshold"] = float(plain["quality_threshold"])
    plain["reason"] = " ".join(plain["reason"].split())
    plain["sources"] = {source: own["retention_days"] for source, own in said.get("sources", {}).items()}
    return Rule(data_class=data_class, **plain, **{word: tuple(said.get(word, ())) for word in lists})


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
