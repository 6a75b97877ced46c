"""What a further version of a result means for the alert before it, for every pair of ranks that matters."""

from __future__ import annotations

from uuid import uuid4

import pytest

from include.critical.decide import CRITICAL, NOT_CRITICAL, UNJUDGED, UNWATCHED, VOID, Verdict
from include.critical.findings import Finding
from include.critical.follow import Consequence, Known, follow

PRELIMINARY, FINAL, CORRECTED = 1, 2, 3


def known(rank: int, *, said: bytes = b"7.1", is_withdrawn: bool = False, nth: int = 1) -> Known:
    return Known(uuid4(), said, rank, is_withdrawn, {said: nth})


def finding(kind: str, rank: int, said: bytes = b"7.1") -> Finding:
    return Finding(Verdict(kind), rank, b"series", said, None, "unrouted", None, b"")


@pytest.mark.parametrize("kind", [NOT_CRITICAL, UNJUDGED, UNWATCHED, VOID])
def test_without_an_alert_only_a_critical_result_has_a_consequence(kind):
    assert follow(None, finding(kind, FINAL)) == Consequence()
    assert follow(None, finding(CRITICAL, PRELIMINARY)) == Consequence(alert_nth=1)


@pytest.mark.parametrize(
    ("before", "kind", "rank", "expected"),
    [
        (PRELIMINARY, NOT_CRITICAL, PRELIMINARY, "corrected"), (PRELIMINARY, NOT_CRITICAL, FINAL, "corrected"),
        (FINAL, NOT_CRITICAL, CORRECTED, "corrected"), (CORRECTED, NOT_CRITICAL, CORRECTED, "corrected"),
        (FINAL, UNWATCHED, CORRECTED, "corrected"), (FINAL, VOID, CORRECTED, "cancelled"), (CORRECTED, VOID, CORRECTED, "cancelled"),
    ],
)  # fmt: skip
def test_a_version_that_may_overrule_withdraws(before, kind, rank, expected):
    assert follow(known(before), finding(kind, rank)).withdraw_because == expected


@pytest.mark.parametrize(
    ("before", "kind", "rank", "counted"),
    [
        (FINAL, NOT_CRITICAL, PRELIMINARY, "late"), (CORRECTED, NOT_CRITICAL, FINAL, "late"),
        (FINAL, NOT_CRITICAL, FINAL, "contradicted"), (FINAL, UNJUDGED, CORRECTED, None), (FINAL, UNJUDGED, PRELIMINARY, None),
    ],
)  # fmt: skip
def test_any_other_changes_nothing_and_is_counted(before, kind, rank, counted):
    assert follow(known(before), finding(kind, rank, b"other")) == Consequence(counted=counted)


def test_the_same_value_again_is_no_second_alert():
    assert follow(known(PRELIMINARY), finding(CRITICAL, FINAL)) == Consequence(is_seen=True, counted="repeated")


def test_another_critical_value_replaces_where_it_may_and_stands_beside_where_not():
    assert follow(known(FINAL), finding(CRITICAL, CORRECTED, b"7.4")) == Consequence(
        alert_nth=1, withdraw_because="replaced"
    )
    assert follow(known(FINAL), finding(CRITICAL, FINAL, b"7.4")) == Consequence(alert_nth=1)


def test_a_value_that_comes_back_is_an_alert_of_its_own():
    now = Known(uuid4(), b"7.4", CORRECTED, False, {b"7.1": 1, b"7.4": 1})
    assert follow(now, finding(CRITICAL, CORRECTED, b"7.1")) == Consequence(alert_nth=2, withdraw_because="replaced")


def test_what_was_withdrawn_alerts_again_under_a_number_of_its_own():
    withdrawn = known(CORRECTED, is_withdrawn=True, nth=2)
    assert follow(withdrawn, finding(CRITICAL, CORRECTED)) == Consequence(alert_nth=3)
    assert follow(withdrawn, finding(CRITICAL, CORRECTED, b"7.4")) == Consequence(alert_nth=1)
    assert follow(withdrawn, finding(NOT_CRITICAL, CORRECTED)) == Consequence(is_seen=True)
    assert follow(withdrawn, finding(CRITICAL, FINAL)) == Consequence(counted="late")


@pytest.mark.parametrize("is_withdrawn", [True, False])
def test_a_critical_value_that_was_never_told_is_told_even_where_it_is_late(is_withdrawn):
    before = known(CORRECTED, is_withdrawn=is_withdrawn)
    assert follow(before, finding(CRITICAL, FINAL, b"7.9")) == Consequence(alert_nth=1, counted="late")
    assert follow(before, finding(CRITICAL, FINAL, b"7.1")) == Consequence(counted="late")
