"""Whether a night's numbers are unlike the source's own: the deciding, without any database.

A signal is one number a night (a volume, a share of nulls, a median, the distance of a mix of codes from the usual one), on a
scale on which its nights scatter evenly. Tonight is compared with the mean of the same weekday where there are enough weeks,
by the prediction interval of one more observation (Student's t, Hahn and Meeker, Statistical Intervals, 4.7):

    deviation = (tonight - mean) / (s * sqrt(1 + 1/n)),  with the degrees of freedom of s

``false_alarms`` is for all signals of a source and night together: each of m signals gets 1 - (1 - rate)^(1/m) (Šidák).
It holds where nights scatter normally on the signal's scale; tests/unit/test_quality_drift.py tries that by simulation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import fmean

from include.quality.policy import Drift

VOLUME, NULLS, MIX, NUMBERS, SCHEMA, ARRIVAL = (
    "volume",
    "null_share",
    "category_mix",
    "distribution",
    "schema",
    "arrival",
)
# The least scatter that is believed, on each signal's scale: identical nights must not make any change an alarm.
_LEAST_SCATTER = {VOLUME: 0.02, NULLS: 0.05, MIX: 0.05, NUMBERS: 0.01, SCHEMA: 0.01, ARRIVAL: 0.1}
_ONE_SIDED = (MIX, SCHEMA)
_WEEKS = 8
_FURTHEST = 3.0  # scatters
_LEAST_SHARE = 0.005  # smaller shares of nulls are taken for none


@dataclass(frozen=True, slots=True)
class Signal:
    """A number of one night. ``name`` is the same every night; ``rows`` stands behind a share."""

    name: str
    subject: str
    kind: str
    value: float
    rows: int = 0
    detail: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """How a signal compares with its history: expected on the signal's own scale, deviation in units of scatter."""

    signal: Signal
    expected: float
    deviation: float
    probability: float
    nights: int
    is_alarm: bool


def scaled(kind: str, value: float) -> float:
    """The signal on the scale on which it is compared: logarithm of volumes and medians, logit of shares."""
    if kind == VOLUME:
        return math.log1p(value)
    if kind == NULLS:
        share = min(max(value, _LEAST_SHARE), 1 - _LEAST_SHARE)
        return math.log(share / (1 - share))
    if kind == NUMBERS:
        return math.copysign(math.log1p(abs(value)), value)
    return value


def compare(
    night: date, signals: Sequence[Signal], history: Mapping[str, Sequence[tuple[date, float]]], policy: Drift
) -> list[Finding]:
    """Compare a night's signals with their histories, (night, scaled value) each. Signals without enough nights are left out."""
    known = [
        (signal, prediction)
        for signal in signals
        if (prediction := _predict(night, signal, history.get(signal.name, ()), policy))
    ]
    if not known:
        return []
    rate = 1 - (1 - policy.false_alarms) ** (1 / len(known))
    return [_finding(signal, *prediction, rate) for signal, prediction in known]


def _predict(
    night: date, signal: Signal, history: Sequence[tuple[date, float]], policy: Drift
) -> tuple[float, float, float, int] | None:
    """(expected, scatter of one more night, degrees of freedom, nights) from the signal's history."""
    earliest = night - timedelta(days=policy.nights_compared)
    nights = [(day, value) for day, value in history if earliest <= day < night]
    if len(nights) < policy.nights_needed:
        return None
    by_weekday: dict[int, list[float]] = {}
    for day, value in nights:
        by_weekday.setdefault(day.weekday(), []).append(value)
    same = by_weekday.get(night.weekday(), [])
    if len(same) < 2:
        return None  # a first Sunday would be an alarm among nights of the week
    if len(nights) - len(by_weekday) >= 7:
        groups = [*by_weekday.values()]
        expected, behind = fmean(same), len(same)
    else:
        groups = [[value for _, value in nights]]
        expected, behind = fmean(groups[0]), len(nights)
    freedom = len(nights) - len(groups)
    squares = sum(sum((value - fmean(group)) ** 2 for value in group) for group in groups)
    scatter = max(math.sqrt(squares / freedom), _LEAST_SCATTER[signal.kind])
    return expected, scatter * math.sqrt(1 + 1 / behind), freedom, len(nights)


def _finding(signal: Signal, expected: float, scatter: float, freedom: float, nights: int, rate: float) -> Finding:
    from scipy.stats import t

    if signal.kind == NULLS and signal.rows:
        # A share of few rows scatters by itself: variance of a logit, 1 / (n p (1 - p)).
        share = 1 / (1 + math.exp(-expected))
        scatter = math.sqrt(scatter**2 + 1 / (signal.rows * share * (1 - share)))
    deviation = (scaled(signal.kind, signal.value) - expected) / scatter
    one_sided = signal.kind in _ONE_SIDED
    probability = float(t.sf(deviation, freedom) if one_sided else 2 * t.sf(abs(deviation), freedom))
    return Finding(signal, expected, deviation, probability, nights, probability < rate)


def drawn_in(value: float, expected: float, deviation: float) -> float:
    """A night that gave an alarm, as later ones are compared with it: no further than three scatters from what was expected.

    Left out, each false alarm would narrow what is usual and so make the next; kept whole, one wild night would hide others.
    """
    return value if abs(deviation) <= _FURTHEST else expected + (value - expected) * _FURTHEST / abs(deviation)


def distance(tonight: Mapping[str, float], usual: Mapping[str, float]) -> float:
    """Distance between two mixes of categories, 0 (equal) to 1 (nothing in common): square root of the Jensen-Shannon
    divergence to base 2 (Endres and Schindelin 2003)."""
    ours, theirs = _shares(tonight), _shares(usual)
    total = 0.0
    for name in {*ours, *theirs}:
        p, q = ours.get(name, 0.0), theirs.get(name, 0.0)
        middle = (p + q) / 2
        total += (p * math.log2(p / middle) if p else 0.0) + (q * math.log2(q / middle) if q else 0.0)
    return math.sqrt(max(0.0, total / 2))


def _shares(counts: Mapping[str, float]) -> dict[str, float]:
    total = sum(counts.values())
    return {name: count / total for name, count in counts.items()} if total else {}


def is_late(night: date, history: Sequence[tuple[date, bool]]) -> bool:
    """Whether a source that brings nothing new tonight always does: on this weekday, every time of the eight weeks before and
    three times at least; before that can be told, on each of the last seven nights. ``history``: (night, brought something new).

    A source that brings something on a share q of its nights is called late on (1 - q) q^8 of them at most, once eight weeks are
    known: one night in 23 at worst (q = 8/9), none where it never fails.
    """
    earlier = sorted(((day, brought) for day, brought in history if day < night), reverse=True)
    same = [brought for day, brought in earlier if day.weekday() == night.weekday()][:_WEEKS]
    last = [brought for _, brought in earlier[:7]]
    return all(same) if len(same) >= 3 else len(last) == 7 and all(last)
