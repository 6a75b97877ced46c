"""What one live message says of results: each Observation judged, and what an alert would hold of it. No database, no clock."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from include.critical.decide import CRITICAL, LOINC, UNJUDGED, UNWATCHED, VOID, Age, Verdict, judge, rank_of
from include.critical.policy import CriticalPolicy
from include.privacy.tokens import Tokeniser
from include.sources.hl7v2.files import options_of
from include.sources.hl7v2.mapping import map_message
from include.sources.hl7v2.message import Message, UnreadableMessageError, parse_message
from include.sources.hl7v2.people import Authorities
from include.sources.registry import Source

LOCAL_CODES = Path(__file__).resolve().parents[2] / "dbt_project" / "seeds" / "local_code_map.csv"
_TOLD_OF_PATIENT = ("name", "birthDate", "gender")
# Social security, driver's licence, passport: HL7 table 0203, and the system by which FHIR knows the first.
_NOT_TOLD = frozenset({"SS", "DL", "PPN", "http://hl7.org/fhir/sid/us-ssn"})
Counts = Counter[tuple[str, str, str]]  # what, rule, reason


class Finding(NamedTuple):
    """A result as judged; what comes after ``series_key`` is that of a critical one. ``content`` gets sealed and says who it is about."""

    verdict: Verdict
    rank: int
    series_key: bytes
    content_key: bytes
    person_token: str | None
    route: str
    observed_at: datetime | None
    content: bytes


@dataclass(slots=True)
class Judged:
    """One message: its findings in their order, and counts of what became of its results."""

    findings: list[Finding] = field(default_factory=list)
    counts: Counts = field(default_factory=Counter)


class Judge:
    """Judges messages of declared sources by one policy."""

    def __init__(
        self, policy: CriticalPolicy, tokeniser: Tokeniser, local_codes: Mapping[str, Mapping] | None = None
    ) -> None:
        self._policy, self._tokeniser = policy, tokeniser
        self._local_codes = local_codes or {}
        self._of_all = self._local_codes.get("*", {})

    def judge_message(self, source: Source, content: bytes, received_at: datetime) -> Judged:
        """Every result of a message. A message that cannot be read, or that shows a mistake of ours, is a count and no error."""
        judged = Judged()
        judged.counts["messages", "", ""] += 1
        try:
            message = parse_message(content.strip(b"\r\n"), options_of(source).encoding)
            if any(segment[0] == "OBX" for segment in message.segments):
                self._judge(source, message, received_at, judged)
        except UnreadableMessageError as problem:
            judged.counts["unreadable", "", problem.reason] += 1
        except Exception as problem:  # whatever a message does to us, the next one is judged
            judged = Judged()
            judged.counts["messages", "", ""] += 1
            judged.counts["unreadable", "", type(problem).__name__] += 1
        return judged

    def _judge(self, source: Source, message: Message, received_at: datetime, judged: Judged) -> None:
        wards = {
            segment[3].partition("^")[0].strip()
            for segment in message.segments
            if segment[0] == "PV1" and len(segment) > 3
        }
        mapped = map_message(
            message, source.name, source.zone, Authorities(source.name, options_of(source).assigning_authorities)
        )
        patients = {f"Patient/{each['id']}": each for each, _ in mapped.resources if each["resourceType"] == "Patient"}
        route = self._policy.telling.route(source.name, wards.pop() if len(wards) == 1 else None)
        for resource, is_deleted in mapped.resources:
            if resource["resourceType"] == "Observation":
                patient = patients.get((resource.get("subject") or {}).get("reference", ""))
                finding = self._finding(source, resource, is_deleted, patient, received_at, route)
                judged.findings.append(finding)
                _count(judged.counts, finding.verdict)

    def _finding(
        self,
        source: Source,
        resource: Mapping,
        is_deleted: bool,
        patient: Mapping | None,
        received_at: datetime,
        route: str,
    ) -> Finding:
        series = self._tokeniser.digest(f"critical|{source.name}|{resource['id']}".encode())
        rank = rank_of(resource.get("status"))
        verdict = Verdict(VOID) if is_deleted else self._verdict(source, resource, patient, received_at)
        if verdict.kind in (CRITICAL, UNJUDGED):
            # A mapped number whose digits no double holds is a fragment of JSON, which looks like none: it can make a result
            # look unjudged and never normal, so only what looks critical or unjudged is read again as it will be stored.
            resource = json.loads(orjson.dumps(resource), parse_float=Decimal)
            verdict = self._verdict(source, resource, patient, received_at)
        if verdict.kind != CRITICAL:
            return Finding(verdict, rank, series, b"", None, route, None, b"")
        said = {name: value for name, value in resource.items() if name.startswith("value") or name == "component"}
        return Finding(
            verdict, rank, series, self._tokeniser.digest(b"critical|" + series + exact_json(said)),
            self._tokeniser.id_token(source.name, "Patient", patient["id"]) if patient else None,
            route, moment_of(resource.get("effectiveDateTime")), exact_json({"result": resource, "patient": _told_of(patient or {})}),
        )  # fmt: skip

    def _verdict(self, source: Source, observation: Mapping, patient: Mapping | None, received_at: datetime) -> Verdict:
        age = age_at(patient and patient.get("birthDate"), observation.get("effectiveDateTime"), received_at)
        own = self._local_codes.get(source.name)
        return judge(observation, age, self._policy, {**self._of_all, **own} if own else self._of_all)


def _told_of(patient: Mapping[str, Any]) -> dict[str, Any]:
    """What a clinician needs to know whose result it is: names, record numbers, birth date, sex. No number of an authority's."""
    told = {name: patient[name] for name in _TOLD_OF_PATIENT if name in patient}
    numbers = [each for each in patient.get("identifier", ()) if not _NOT_TOLD & set(_types_of(each))]
    return {**told, "identifier": numbers} if numbers else told


def _types_of(identifier: Mapping[str, Any]) -> Iterator[str]:
    yield str(identifier.get("system"))
    yield from (str(coding.get("code")) for coding in identifier.get("type", {}).get("coding", ()))


def _count(counts: Counts, verdict: Verdict) -> None:
    counts["results", "", ""] += 1
    if verdict.kind == UNJUDGED:
        counts["unjudged", verdict.rule, verdict.reason] += 1
    if verdict.kind not in (UNWATCHED, VOID):
        counts["watched", "", ""] += 1
    if verdict.kind == CRITICAL:
        counts["critical", verdict.rule, ""] += 1


def exact_json(value: Any) -> bytes:
    """JSON with the digits that decimals came with."""
    return orjson.dumps(value, default=_as_sent, option=orjson.OPT_SORT_KEYS)


def _as_sent(value: object) -> orjson.Fragment:
    if isinstance(value, Decimal):
        return orjson.Fragment(str(value).encode())
    raise TypeError


def age_at(birth_date: str | None, effective: str | None, received_at: datetime) -> Age | None:
    """Between how many days old somebody was. None where the birth date is not known, or not before the result."""
    taken = _days_of(effective) if effective else None
    born = _days_of(birth_date) if birth_date else None
    if born is None:
        return None
    first, last = taken or (received_at.date(), received_at.date())
    least, most = (first - born[1]).days, (last - born[0]).days
    # The message's clock and the ward's may disagree by hours around a birth.
    return Age(max(least, 0), most) if most >= 0 else None


def _days_of(told: str) -> tuple[date, date] | None:
    """The first and last day that a FHIR date, as exact as it is, may mean."""
    try:
        if len(told) >= 10:
            return (date.fromisoformat(told[:10]),) * 2
        if len(told) == 7:
            year, month = int(told[:4]), int(told[5:])
            after = date(year + month // 12, month % 12 + 1, 1)
            return date(year, month, 1), date.fromordinal(after.toordinal() - 1)
        return date(int(told), 1, 1), date(int(told), 12, 31)
    except ValueError:
        return None


def moment_of(told: str | None) -> datetime | None:
    """A dateTime as a moment; None where it is not exact to the day."""
    if not told or len(told) < 10:
        return None
    try:
        found = datetime.fromisoformat(told)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def read_local_codes(file: Path = LOCAL_CODES) -> dict[str, dict[tuple[str, str], str]]:
    """Local codes that reviewers mapped to LOINC, by source ('*': every one): those that the marts go by."""
    found: dict[str, dict[tuple[str, str], str]] = {}
    with file.open(newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            if row["kind"] == "observation" and row["system"] == LOINC:
                found.setdefault(row["source"], {})[row["local_system"], row["local_code"]] = row["code"]
    return found


def alert_id(tokeniser: Tokeniser, content_key: bytes, nth: int) -> UUID:
    """An alert's id: the same result judged again, even after a restored backup, gives the same."""
    return UUID(bytes=tokeniser.digest(b"critical|alert|" + content_key + str(nth).encode())[:16])
