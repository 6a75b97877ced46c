"""Which records get a defective neighbour: few enough that every batch stays above its threshold."""

from collections.abc import Sequence

import numpy as np

MOST_SHARE = 0.008  # of a dataset's records
MOST_OF_A_KIND = 4  # in a block


def plan_defects(rng: np.random.Generator, kinds: Sequence[str], records: int) -> dict[int, list[str]]:
    """Return for positions among `records` the kinds of defect to add after them.

    All kinds get their turn before any gets a second one; fewer records, fewer kinds, the first ones first.
    """
    budget = min(int(records * MOST_SHARE), MOST_OF_A_KIND * len(kinds))
    if not kinds or not budget:
        return {}
    chosen = [kinds[turn % len(kinds)] for turn in range(budget)]
    places = rng.choice(records, size=budget, replace=False)
    plan: dict[int, list[str]] = {}
    for place, kind in zip(places.tolist(), chosen, strict=True):
        plan.setdefault(place, []).append(kind)
    return plan
