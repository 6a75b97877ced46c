"""What a night says of its sources: late, changed, or of another size than usual."""

from __future__ import annotations

from dataclasses import replace

import pytest

from include.quality.freshness import SourceNight, flags_of, unusual_volume
from include.quality.policy import Volume

VOLUME = Volume(nights_needed=5, nights_compared=28, low=0.5, high=2.0)
FINE = SourceNight("north", True, False, False, 1, 2, 0, 100, (100, 100, 100, 100, 100))


def kinds(state: SourceNight) -> list[tuple[str, str]]:
    return [(flag.level, flag.kind) for flag in flags_of(state, VOLUME)]


def test_a_source_in_time_in_shape_and_of_its_size_is_not_told():
    assert kinds(FINE) == []


@pytest.mark.parametrize(("required", "level"), [(True, "red"), (False, "amber")])
def test_a_source_that_is_missing_or_stale_is_red_only_where_it_is_required(required, level):
    assert kinds(replace(FINE, required=required, missing=True)) == [(level, "missing")]
    assert kinds(replace(FINE, required=required, stale=True)) == [(level, "stale")]


def test_drift_and_volume_are_amber_also_where_the_source_is_required():
    assert kinds(replace(FINE, drifted=2, rows=1)) == [("amber", "drift"), ("amber", "volume")]


@pytest.mark.parametrize(("rows", "told"), [(50, None), (49, 0.49), (200, None), (201, 2.01)])
def test_volume_is_unusual_beyond_half_or_twice_the_median(rows, told):
    assert unusual_volume(rows, (10, 100, 100, 100, 1000), VOLUME) == told


def test_volume_is_compared_only_with_enough_nights_that_brought_something():
    assert unusual_volume(1000, (100, 100, 100, 100), VOLUME) is None
    assert unusual_volume(1000, (100, 0, 100, 0, 100, 100), VOLUME) is None
    assert unusual_volume(1000, (100, 0, 100, 0, 100, 100, 100), VOLUME) == 10


def test_texts_hold_names_and_counts_only():
    told = [flag.text for flag in flags_of(replace(FINE, stale=True, drifted=3, rows=10), VOLUME)]
    assert told == [
        "north is 1 days old, at most 2 are promised",
        "north changed its shape in 3 column(s)",
        "north brought 10 rows, 0.10 times the median of its last 5 nights",
    ]
