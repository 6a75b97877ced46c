"""Drift against a source's own history: as many false alarms as promised, and changes found."""

from __future__ import annotations

from datetime import date, timedelta

import numpy
import pytest
from scipy.stats import binom

from include.quality.drift import (
    ARRIVAL,
    MIX,
    NULLS,
    NUMBERS,
    VOLUME,
    Signal,
    compare,
    distance,
    drawn_in,
    is_late,
    scaled,
)
from include.quality.policy import Drift

NIGHT = date(2026, 11, 24)
POLICY = Drift(false_alarms=0.05, nights_needed=10, nights_compared=56)


def nights(count: int) -> list[date]:
    return [NIGHT - timedelta(days=back) for back in range(count, 0, -1)]


def simulated(draw, *, history: int, runs: int, kind: str, rows: int = 0, policy: Drift = POLICY) -> int:
    """How many of ``runs`` simulated nights give an alarm, though the source never changes."""
    alarms = 0
    for _ in range(runs):
        known = [(day, scaled(kind, draw(day))) for day in nights(history)]
        alarms += compare(NIGHT, [Signal("s", "s", kind, draw(NIGHT), rows)], {"s": known}, policy)[0].is_alarm
    return alarms


def within(alarms: int, runs: int, rate: float) -> bool:
    """Not more false alarms than promised, by more than chance in one of 10,000 test runs; and not hardly any either."""
    return binom.ppf(0.00005, runs, rate) <= alarms <= binom.ppf(0.99995, runs, rate)


WEEK = (9.0, 9.1, 9.0, 9.05, 8.9, 7.5, 7.2)


def volumes(random: numpy.random.Generator, level: tuple[float, ...]):
    return lambda day: float(numpy.expm1(random.normal(level[day.weekday()], 0.15)))


@pytest.mark.parametrize(("history", "level"), [(14, (9.0,) * 7), (14, WEEK), (30, WEEK), (56, WEEK)])
def test_volumes_with_a_week_s_rhythm_give_as_many_false_alarms_as_promised(history, level):
    draw = volumes(numpy.random.default_rng(20261), level)
    assert within(simulated(draw, history=history, runs=2_000, kind=VOLUME), 2_000, 0.05)


@pytest.mark.parametrize("weekday", range(7))
def test_no_weekday_of_a_source_s_first_weeks_gives_more_false_alarms_than_promised(weekday):
    """As the nights go by: what is known grows from nothing, and a Sunday is met when few or none were seen."""
    draw = volumes(numpy.random.default_rng(20265), WEEK)
    night = NIGHT + timedelta(days=weekday)
    runs = compared = alarms = 0
    for history in range(10, 22):
        for _ in range(60):
            days = [night - timedelta(days=back) for back in range(history, 0, -1)]
            known = [(day, scaled(VOLUME, draw(day))) for day in days]
            found = compare(night, [Signal("s", "s", VOLUME, draw(night))], {"s": known}, POLICY)
            runs, compared, alarms = runs + 1, compared + len(found), alarms + sum(each.is_alarm for each in found)
    assert compared >= runs / 2
    assert alarms <= binom.ppf(0.99995, compared, 0.05)


def test_a_quiet_source_s_own_nights_one_after_another_give_as_many_false_alarms_as_promised():
    """Years of one source's nights, each compared with those before it, alarms among them: a false one must not make the next."""
    random = numpy.random.default_rng(20266)
    compared = alarms = 0
    for _ in range(6):
        draw, known = volumes(random, WEEK), []
        for number in range(365):
            day = NIGHT + timedelta(days=number)
            found = compare(day, [Signal("s", "s", VOLUME, value := draw(day))], {"s": known}, POLICY)
            compared, is_alarm = compared + len(found), any(each.is_alarm for each in found)
            alarms += is_alarm
            usual = scaled(VOLUME, value)
            known.append((day, drawn_in(usual, found[0].expected, found[0].deviation) if is_alarm else usual))
    assert compared > 2_000
    assert within(alarms, compared, 0.05)
    print(f"{alarms} alarms in {compared} quiet nights, {alarms / compared:.3f}; promised {POLICY.false_alarms}")


def test_shares_of_nulls_and_medians_give_as_many_false_alarms_as_promised():
    random = numpy.random.default_rng(20262)
    shares = lambda day: float(1 / (1 + numpy.exp(-random.normal(-2, 0.3))))  # noqa: E731
    medians = lambda day: float(numpy.expm1(random.normal(3, 0.05)))  # noqa: E731
    assert within(simulated(shares, history=56, runs=2_000, kind=NULLS, rows=5_000), 2_000, 0.05)
    assert within(simulated(medians, history=56, runs=2_000, kind=NUMBERS), 2_000, 0.05)


def test_the_promise_holds_for_all_signals_of_a_night_together():
    random = numpy.random.default_rng(20263)
    nights_with_alarm = 0
    for _ in range(1_500):
        signals = [Signal(str(n), "s", ARRIVAL, float(random.normal(5, 1))) for n in range(40)]
        history = {str(n): [(day, float(random.normal(5, 1))) for day in nights(56)] for n in range(40)}
        nights_with_alarm += any(finding.is_alarm for finding in compare(NIGHT, signals, history, POLICY))
    assert within(nights_with_alarm, 1_500, 0.05)


def test_half_a_delivery_is_found_and_a_usual_weekend_is_not():
    random = numpy.random.default_rng(20264)
    weekly = (9_000, 9_200, 9_000, 9_100, 8_800, 3_000, 2_500)
    known = [(day, scaled(VOLUME, weekly[day.weekday()] * random.normal(1, 0.05))) for day in nights(56)]
    policy = Drift(0.01, 10, 56)
    found = {
        rows: compare(NIGHT, [Signal("s", "s", VOLUME, rows)], {"s": known}, policy)[0].is_alarm
        for rows in (9_200, 4_600, 2_500)
    }
    assert found == {9_200: False, 4_600: True, 2_500: True}
    sunday = date(2026, 11, 22)
    assert not compare(sunday, [Signal("s", "s", VOLUME, 2_500)], {"s": known}, policy)[0].is_alarm


def test_nights_that_are_all_the_same_do_not_make_a_small_change_an_alarm():
    known = [(day, scaled(VOLUME, 1_000)) for day in nights(30)]
    found = {
        rows: compare(NIGHT, [Signal("s", "s", VOLUME, rows)], {"s": known}, POLICY)[0].is_alarm
        for rows in (1_010, 1_000, 2_000)
    }
    assert found == {1_010: False, 1_000: False, 2_000: True}


def test_too_few_nights_are_not_compared():
    known = [(day, 1.0) for day in nights(9)]
    assert compare(NIGHT, [Signal("s", "s", VOLUME, 5)], {"s": known}, POLICY) == []


def test_a_mix_of_codes_that_changed_lies_far_away():
    usual = {"AMB": 900, "EMER": 80, "IMP": 20}
    assert distance(usual, usual) == pytest.approx(0)
    assert distance({"a": 1}, {"b": 1}) == pytest.approx(1)
    assert distance({"AMB": 100, "EMER": 80, "IMP": 20}, usual) > 0.3
    known = [(day, 0.03) for day in nights(30)]
    assert compare(NIGHT, [Signal("m", "m", MIX, 0.4)], {"m": known}, POLICY)[0].is_alarm


@pytest.mark.parametrize(
    ("history", "late"),
    [
        ([(NIGHT - timedelta(days=d), True) for d in range(1, 8)], True),
        ([(NIGHT - timedelta(days=d), d != 3) for d in range(1, 8)], False),
        ([(NIGHT - timedelta(days=7 * w), True) for w in range(1, 4)], True),
        ([(NIGHT - timedelta(days=7 * w), w != 2) for w in range(1, 4)], False),
        ([(NIGHT - timedelta(days=7 * w), w != 8) for w in range(1, 9)], False),
        ([(NIGHT - timedelta(days=d), d != 14) for d in range(1, 57)], False),
        ([], False),
    ],
)
def test_a_source_is_late_only_where_it_always_brought_something(history, late):
    assert is_late(NIGHT, history) == late


@pytest.mark.parametrize("usual", [0.7, 8 / 9, 0.97, 1.0])
def test_a_source_that_comes_as_it_always_did_is_called_late_no_more_often_than_stated(usual):
    random = numpy.random.default_rng(20267)
    runs, late = 3_000, 0
    for _ in range(runs):
        brought = random.random(57) < usual
        late += not brought[-1] and is_late(NIGHT, list(zip(nights(56), brought[:-1].tolist(), strict=True)))
    assert late <= binom.ppf(0.99995, runs, (1 - usual) * usual**8)
