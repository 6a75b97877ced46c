"""Two groups against each other: difference and ratio, chosen by WHO's rules for ordered and unordered dimensions.

Source: Schlotheuber and Hosseinpoor (2022), Summary measures of health inequality, Int J Environ Res Public Health 19:3697.
"""

from __future__ import annotations

import numpy as np

from include.equity.groups import Groups, Summary, around, around_log


def compared_groups(groups: Groups) -> tuple[int, int]:
    """Places of the two groups that difference and ratio compare, as (first, second): first minus second.

    Ordered: most against least advantaged, the other way round for adverse indicators. Unordered: reference against the
    worst group where there is a reference (worst against reference for adverse indicators), else highest against lowest.
    """
    highest, lowest = int(np.argmax(groups.estimate)), int(np.argmin(groups.estimate))
    if groups.order is not None:
        most, least = int(np.argmax(groups.order)), int(np.argmin(groups.order))
        return (most, least) if groups.is_favourable else (least, most)
    if groups.reference is None:
        return highest, lowest
    return (groups.reference, lowest) if groups.is_favourable else (highest, groups.reference)


def difference(groups: Groups, confidence: float = 0.95) -> Summary:
    """Difference D = y1 - y2 in the indicator's units; standard error by adding the two variances."""
    first, second = compared_groups(groups)
    estimate = groups.estimate[first] - groups.estimate[second]
    if first == second:
        return Summary("d", 0.0, note=_no_worse(groups, first))
    se = np.hypot(groups.se[first], groups.se[second])
    return around("d", estimate, se, confidence, _named(groups, first, second, "minus"))


def ratio(groups: Groups, confidence: float = 0.95) -> Summary:
    """Ratio R = y1 / y2 without unit; interval by the delta method on the logarithm (Katz et al. 1978)."""
    first, second = compared_groups(groups)
    if first == second:
        return Summary("r", 1.0, note=_no_worse(groups, first))
    note = _named(groups, first, second, "over")
    if not (groups.estimate[first] >= 0 and groups.estimate[second] > 0):
        return Summary("r", float("nan"), note=note + "; not defined: it would divide by zero or by less")
    if groups.estimate[first] == 0:
        return Summary("r", 0.0, note=note + "; no interval: the ratio is not above zero")
    log_se = np.hypot(groups.se[first] / groups.estimate[first], groups.se[second] / groups.estimate[second])
    return around_log("r", groups.estimate[first] / groups.estimate[second], log_se, confidence, note)


def _no_worse(groups: Groups, place: int) -> str:
    return f"no interval: no group does worse than the reference, {groups.names[place]}"


def _named(groups: Groups, first: int, second: int, between: str) -> str:
    return f"{groups.names[first]} {between} {groups.names[second]}"


def maximal_difference(groups: Groups) -> Summary:
    """Highest less lowest estimate, whichever groups they are (Healthy People's MRD). Too high on average near equality."""
    return Summary("max_rate_difference", float(groups.estimate.max() - groups.estimate.min()))


def maximal_ratio(groups: Groups) -> Summary:
    """Highest over lowest estimate (Healthy People's MRR); nan where the lowest is not above zero."""
    lowest = groups.estimate.min()
    if not lowest > 0:
        return Summary("max_rate_ratio", float("nan"), note="not defined: the lowest estimate is not above zero")
    return Summary("max_rate_ratio", float(groups.estimate.max() / lowest))


def _others_mean(groups: Groups) -> float:
    return float(np.delete(groups.estimate, groups.best).mean())


def summary_difference(groups: Groups) -> Summary:
    """Best group's estimate against the plain mean of all others, as a difference above zero (Healthy People's SRD)."""
    best = groups.estimate[groups.best]
    return Summary("summary_rate_difference", float(abs(best - _others_mean(groups))))


def summary_ratio(groups: Groups) -> Summary:
    """The same as a ratio of 1 or more (Healthy People's SRR)."""
    best, others = float(groups.estimate[groups.best]), _others_mean(groups)
    high, low = (best, others) if groups.is_favourable else (others, best)
    if not low > 0:
        return Summary("summary_rate_ratio", float("nan"), note="not defined: it would divide by zero or by less")
    return Summary("summary_rate_ratio", high / low)
