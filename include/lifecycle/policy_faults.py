"""Everything that may be wrong with a retention policy, all of it named at once. Pure: it sees what YAML made of the file."""

from __future__ import annotations

from datetime import date

_WORDS = {
    "classification": ("phi", "sensitive_phi", "confidential", "public"),
    "destruction": ("approval", "automatic"),
    "encryption": ("person_key", "batch_key"),
    "access_logging": ("every_read", "changes"),
    "backup": ("daily", "weekly", "monthly"),
    "audit": ("daily", "weekly", "monthly", "quarterly"),
}
_DAYS = ("hot_days", "warm_days", "cold_days", "retention_days")
REQUIRED = {"owner", "reason", "regions", "quality_threshold", "resource_types", *_DAYS, *_WORDS}
EVENT_WORDS = {"since_year": (1800, 2000), "years_ahead": (1, 100)}
OPTIONAL = {"sources", "kept_with_person", "priority", "minors_until_age", "keep_cold_if_read_days"}


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
    faults = _words(name, said, REQUIRED, OPTIONAL) + _owner(name, said)
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
    faults = _words("events", said, {*EVENT_WORDS, "reason"}, set()) if said else []
    for word, (least, most) in EVENT_WORDS.items():
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


def _is_days(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and number >= 1
