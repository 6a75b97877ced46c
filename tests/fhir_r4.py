"""What FHIR R4 (4.0.1) asks of Measure and MeasureReport, written from the specification's own pages (hl7.org/fhir/R4).

Elements with their type and cardinality, required bindings, formats of primitives and the resources' invariants. An element that
the page does not list is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

Json = Any
_STATUS = ("draft", "active", "retired", "unknown")
_COMPARATOR = ("<", "<=", ">=", ">")


def _is_text(value: Json) -> bool:
    return isinstance(value, str) and value != "" and re.fullmatch(r"[ \r\n\t\S]+", value) is not None


def _matches(pattern: str) -> Callable[[Json], bool]:
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None


_DATE = r"\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01])(T\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d))?)?)?"
PRIMITIVES: dict[str, Callable[[Json], bool]] = {
    "string": _is_text,
    "markdown": _is_text,
    "id": _matches(r"[A-Za-z0-9\-\.]{1,64}"),
    "uri": _matches(r"\S+"),
    "code": _matches(r"[^\s]+(\s[^\s]+)*"),
    "dateTime": _matches(_DATE),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "decimal": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
}
# type: {element: (type, least, most)}; most None is any number. A tuple of words instead of a type is a required binding.
TYPES: dict[str, dict[str, tuple[Any, int, int | None]]] = {
    "Extension": {"url": ("uri", 1, 1), "valueCode": ("code", 0, 1), "valueString": ("string", 0, 1)},
    "Coding": {"system": ("uri", 0, 1), "version": ("string", 0, 1), "code": ("code", 0, 1), "display": ("string", 0, 1)},
    "CodeableConcept": {"coding": ("Coding", 0, None), "text": ("string", 0, 1)},
    "Period": {"start": ("dateTime", 0, 1), "end": ("dateTime", 0, 1)},
    "Quantity": {"value": ("decimal", 0, 1), "comparator": (_COMPARATOR, 0, 1), "unit": ("string", 0, 1), "system": ("uri", 0, 1),
                 "code": ("code", 0, 1)},
    "Expression": {"description": ("string", 0, 1), "name": ("id", 0, 1), "language": ("code", 1, 1), "expression": ("string", 0, 1),
                   "reference": ("uri", 0, 1)},
    "Measure": {
        "id": ("id", 0, 1), "url": ("uri", 0, 1), "version": ("string", 0, 1), "name": ("string", 0, 1), "title": ("string", 0, 1),
        "status": (_STATUS, 1, 1), "date": ("dateTime", 0, 1), "publisher": ("string", 0, 1), "description": ("markdown", 0, 1),
        "purpose": ("markdown", 0, 1), "scoring": ("CodeableConcept", 0, 1), "improvementNotation": ("CodeableConcept", 0, 1),
        "group": ("Measure.group", 0, None),
    },
    "Measure.group": {"code": ("CodeableConcept", 0, 1), "description": ("string", 0, 1),
                      "population": ("Measure.group.population", 0, None), "stratifier": ("Measure.group.stratifier", 0, None)},
    "Measure.group.population": {"code": ("CodeableConcept", 0, 1), "description": ("string", 0, 1), "criteria": ("Expression", 1, 1)},
    "Measure.group.stratifier": {"code": ("CodeableConcept", 0, 1), "description": ("string", 0, 1), "criteria": ("Expression", 0, 1),
                                 "component": ("Measure.group.stratifier.component", 0, None)},
    "Measure.group.stratifier.component": {"code": ("CodeableConcept", 0, 1), "description": ("string", 0, 1),
                                           "criteria": ("Expression", 1, 1)},
    "MeasureReport": {
        "id": ("id", 0, 1), "status": (("complete", "pending", "error"), 1, 1),
        "type": (("individual", "subject-list", "summary", "data-collection"), 1, 1), "measure": ("uri", 1, 1),
        "date": ("dateTime", 0, 1), "period": ("Period", 1, 1), "improvementNotation": ("CodeableConcept", 0, 1),
        "group": ("MeasureReport.group", 0, None),
    },
    "MeasureReport.group": {"code": ("CodeableConcept", 0, 1), "population": ("MeasureReport.population", 0, None),
                            "measureScore": ("Quantity", 0, 1), "stratifier": ("MeasureReport.stratifier", 0, None)},
    "MeasureReport.population": {"code": ("CodeableConcept", 0, 1), "count": ("integer", 0, 1)},
    "MeasureReport.stratifier": {"code": ("CodeableConcept", 0, None), "stratum": ("MeasureReport.stratum", 0, None)},
    "MeasureReport.stratum": {"value": ("CodeableConcept", 0, 1), "component": ("MeasureReport.component", 0, None),
                              "population": ("MeasureReport.population", 0, None), "measureScore": ("Quantity", 0, 1)},
    "MeasureReport.component": {"code": ("CodeableConcept", 1, 1), "value": ("CodeableConcept", 1, 1)},
}  # fmt: skip
_POPULATIONS = {
    "initial-population", "numerator", "numerator-exclusion", "denominator", "denominator-exclusion", "denominator-exception",
    "measure-population", "measure-population-exclusion", "measure-observation",
}  # fmt: skip
_CODES = {
    "http://terminology.hl7.org/CodeSystem/measure-population": _POPULATIONS,
    "http://terminology.hl7.org/CodeSystem/measure-scoring": {"proportion", "ratio", "continuous-variable", "cohort"},
    "http://terminology.hl7.org/CodeSystem/measure-improvement-notation": {"increase", "decrease"},
}


def complaints(resource: Json) -> list[str]:
    """Everything in a Measure or MeasureReport that R4 does not allow."""
    kind = resource.get("resourceType")
    if kind not in ("Measure", "MeasureReport"):
        return [f"resourceType is {kind}"]
    body = {name: value for name, value in resource.items() if name != "resourceType"}
    return [*_of_type(kind, body, kind), *(_measure(resource) if kind == "Measure" else _report(resource))]


def _of_type(kind: Any, value: Json, place: str) -> Iterator[str]:
    if isinstance(kind, tuple):
        if value not in kind:
            yield f"{place} is not of {kind}"
    elif kind in PRIMITIVES:
        if not PRIMITIVES[kind](value):
            yield f"{place} is no {kind}"
    elif not isinstance(value, dict) or not value:
        yield f"{place} is no {kind}, or empty"
    else:
        yield from _of_elements(kind, value, place)


def _of_elements(kind: str, value: dict[str, Json], place: str) -> Iterator[str]:
    known = {**TYPES[kind], "extension": ("Extension", 0, None)}
    for name, inside in value.items():
        if name.startswith("_") and name[1:] in known:  # a primitive's extensions, for example why it is absent
            yield from _of_type("Element", inside, f"{place}.{name}") if set(inside) != {"extension"} else ()
            yield from (c for each in inside["extension"] for c in _of_type("Extension", each, f"{place}.{name}"))
        elif name not in known:
            yield f"{place} has no element {name}"
    for name, (element, least, most) in known.items():
        if name not in value:
            if least and f"_{name}" not in value:
                yield f"{place}.{name} is missing"
            continue
        many = value[name] if isinstance(value[name], list) else [value[name]]
        if isinstance(value[name], list) != (most is None) or not many:
            yield f"{place}.{name} is {'not ' if most is None else ''}a list, or empty"
        for each in many:
            yield from _of_type(element, each, f"{place}.{name}")
    if kind == "Coding" and value.get("system") in _CODES and value.get("code") not in _CODES[value["system"]]:
        yield f"{place} has a code that its system does not"


def _measure(resource: Json) -> Iterator[str]:
    if not re.fullmatch(r"[A-Z]([A-Za-z0-9_]){0,254}", resource.get("name", "")):
        yield "mea-0: the name cannot be used by programs"
    for group in resource.get("group", ()):
        for each in group.get("stratifier", ()):
            if bool({"code", "description", "criteria"} & set(each)) == ("component" in each):
                yield "mea-1: a stratifier is either a criteria or components"


def _report(resource: Json) -> Iterator[str]:
    if resource.get("type") == "data-collection" and "group" in resource:
        yield "mrp-1: data collection has no group"
    period = resource.get("period", {})
    if period.get("start", "") > period.get("end", "9"):
        yield "per-1: a period ends before it starts"
    for group in resource.get("group", ()):
        for each in (
            stratum for stratifier in group.get("stratifier", ()) for stratum in stratifier.get("stratum", ())
        ):
            if ("value" in each) == ("component" in each):
                yield "mrp-2: a stratum is either a value or components"
