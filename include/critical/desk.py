"""Answering for an alert: opening it, reading it back, closing it. The trail says who did before anything is shown.

Reading back follows the Joint Commission's rule for results told by telephone: who takes the result says it again, and it counts
as taken when that is what was told. Here the value is typed again and compared.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

import psycopg

from include.audit.chain import append
from include.critical.policy import plain_words
from include.errors import PlumblineError
from include.privacy import keys
from include.privacy.keyring import load_keyring
from include.privacy.sealing import open_sealed
from include.settings import Settings
from include.warehouse.connect import connect

PURPOSE = "critical result"
OUTCOMES = ("treated", "already_known", "repeat_ordered", "not_actionable", "other")
_NUMBER = re.compile(r"[0-9a-f-]{8,36}")
_READ_BACK = re.compile(r"\s*([<>]=?)?\s*([+-]?\d+(?:\.\d+)?)\b.*", re.DOTALL)


class AlertDeskError(PlumblineError):
    """An alert cannot be opened or answered as asked."""


class AlertNotFoundError(AlertDeskError):
    """No alert, or more than one, is meant by what was said."""


@dataclass(frozen=True, slots=True)
class Opened:
    """An alert with its result. ``result`` is an Observation and ``patient`` what tells who it is about, both FHIR."""

    alert_id: UUID
    state: str
    rule: str
    side: str
    route: str
    received_at: datetime
    acknowledged_by: str | None
    withdrawn_because: str | None
    result: Mapping[str, Any]
    patient: Mapping[str, Any]


def find_alert(hot: psycopg.Connection, said: str) -> UUID:
    """The alert whose id is or begins with ``said``. Raises AlertNotFoundError where there is none, or several."""
    told = said.strip().lower()
    rows = (
        hot.execute(
            "select alert_id from critical.alert where starts_with(alert_id::text, %s) limit 2", [told]
        ).fetchall()
        if _NUMBER.fullmatch(told)
        else []
    )
    if len(rows) != 1:
        raise AlertNotFoundError(
            found="several alerts whose id begins so" if rows else "no alert of this id",
            expected="the id of an alert, or its first eight characters or more",
            action="'make alerts' lists those that are open",
        )
    return rows[0][0]


def open_alert(said: str, *, by: str, settings: Settings) -> Opened:
    """Show an alert's result to somebody who says who they are. Raises AlertDeskError, DataKeyError or SealError, each in the trail."""
    _refuse_no_name(by)
    with connect("clinician", "hot", settings, autocommit=True) as hot:
        alert_id = find_alert(hot, said)
        append(hot, "alert.opened", str(alert_id), {}, purpose=PURPOSE, outcome="attempt", actor=by)
        row = hot.execute(
            """select state, rule, side, route, received_at, acknowledged_by, withdrawn_because, key_id, sealed
               from critical.alert where alert_id = %s""",
            [alert_id],
        ).fetchone()
        try:
            content = _unseal(settings, alert_id, row[-2], bytes(row[-1]))
        except PlumblineError:
            append(hot, "alert.opened", str(alert_id), {}, purpose=PURPOSE, outcome="failure", actor=by)
            raise
        append(hot, "alert.opened", str(alert_id), {}, purpose=PURPOSE, actor=by)
    return Opened(alert_id, *row[:-2], content["result"], content["patient"])


def _unseal(settings: Settings, alert_id: UUID, key_id: str, sealed: bytes) -> dict[str, Any]:
    keyring = load_keyring(settings.keyring_dir)
    with connect("sealer", "keys", settings, autocommit=True) as books:
        plain = open_sealed(keys.fetch(books, keyring, key_id), alert_id, sealed)
    return json.loads(plain, parse_float=Decimal)


def acknowledge(opened: Opened, read_back: str, *, by: str, settings: Settings) -> None:
    """Take the responsibility for an alert that was opened. Raises AlertDeskError where the value read back is another, or somebody has."""
    _refuse_no_name(by)
    refuse_answered(opened)
    with connect("clinician", "hot", settings, autocommit=True) as hot:
        if not is_read_back(opened.result, read_back):
            append(
                hot,
                "alert.acknowledged",
                str(opened.alert_id),
                {"read_back": False},
                purpose=PURPOSE,
                outcome="failure",
                actor=by,
            )
            raise AlertDeskError(
                found="what was read back is not the result",
                expected="the value as it is shown, its unit may be left out",
                action="look at it again; the alert is not acknowledged and goes on being told",
            )
        if not hot.execute("select critical.acknowledge(%s, %s)", [opened.alert_id, by]).fetchone()[0]:
            raise _answered("the alert was answered meanwhile")


def refuse_answered(opened: Opened) -> None:
    """Raise AlertDeskError where somebody has acknowledged the alert, or nobody needs to any more."""
    if opened.state not in ("new", "sent"):
        raise _answered(
            f"the alert is {opened.state}" + (f" by {opened.acknowledged_by}" if opened.acknowledged_by else "")
        )


def _answered(found: str) -> AlertDeskError:
    return AlertDeskError(
        found=found,
        expected="an alert that nobody has acknowledged",
        action="nothing is left to do, unless it is to be closed: CLOSE=treated",
    )


def close(said: str, outcome: str, *, by: str, settings: Settings) -> None:
    """Close an acknowledged alert by what came of it. Raises AlertDeskError where it is not acknowledged, or closed."""
    _refuse_no_name(by)
    if outcome not in OUTCOMES:
        raise AlertDeskError(
            found="an outcome that is not known",
            expected=f"one of {', '.join(OUTCOMES)}",
            action="say it as CLOSE=treated",
        )
    with connect("clinician", "hot", settings, autocommit=True) as hot:
        if not hot.execute("select critical.close(%s, %s, %s)", [find_alert(hot, said), by, outcome]).fetchone()[0]:
            raise AlertDeskError(
                found="an alert that is closed, or that nobody has acknowledged",
                expected="one that was read back and is open",
                action="acknowledge it first: make alert ID=… BY=you ACK=1",
            )


def is_read_back(result: Mapping[str, Any], said: str) -> bool:
    """True where somebody repeats a result: its number and comparator, or its words. Trailing zeros and a unit behind do not matter."""
    if not said.strip():
        return False
    words = {plain_words(shown) for shown in values_of(result)}
    if plain_words(said) in words:
        return True
    quantity = result.get("valueQuantity") or ({"value": result["valueInteger"]} if "valueInteger" in result else None)
    found = _READ_BACK.fullmatch(said)
    if quantity is None or found is None:
        return False
    try:
        return Decimal(found[2]) == Decimal(str(quantity["value"])) and (found[1] or "") == quantity.get(
            "comparator", ""
        )
    except (InvalidOperation, KeyError):
        return False


def values_of(result: Mapping[str, Any]) -> list[str]:
    """A result's value in words, and those of its components; of a coded one its text, display or code."""
    found = [_value_of(part) for part in (result, *result.get("component", ()))]
    return [text for text in found if text]


def _value_of(part: Mapping[str, Any]) -> str:
    if "valueQuantity" in part:
        return _quantity(part["valueQuantity"])
    if "valueRange" in part:
        return " to ".join(_quantity(part["valueRange"][end]) for end in ("low", "high") if end in part["valueRange"])
    if "valueCodeableConcept" in part:
        concept = part["valueCodeableConcept"]
        coding = (concept.get("coding") or [{}])[0]
        return str(concept.get("text") or coding.get("display") or coding.get("code") or "")
    return next(
        (str(value) for name, value in part.items() if name.startswith("value") and not isinstance(value, dict)), ""
    )


def _quantity(said: Mapping[str, Any]) -> str:
    return f"{said.get('comparator', '')}{said.get('value', '?')} {said.get('unit', '')}".strip()


def _refuse_no_name(by: str) -> None:
    if not by.strip():
        raise AlertDeskError(found="nobody says who this is", expected="a name", action="say it: BY=you")
