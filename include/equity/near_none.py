"""Indices that cannot be negative are too high on average: by how much, what is left without it, and how often they miss.

Sources: E[sum p (y - mean)²] exceeds its target by sum p (1 - p) s² (analysis of variance; Cochran 1954); bias of second
order ½ tr(H S) and its variance ½ tr((H S)²) for smooth indices (Mills and Zandvakili 1997 J Appl Econom 12:133 show it for
Theil's); mean of a folded normal variable for absolute differences (Leone, Nelson and Nottingham 1961 Technometrics 3:543).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.stats import norm

from include.equity.groups import Groups, Numbers, Summary, around, normal_quantile, with_note

# Of 100 simulated tables of so many equal groups with equal populations and errors, how many intervals held the value none.
# Measured by 'make coverage-test', which fails when one of these is off by more than 3.
NUMBERS_OF_GROUPS = (2, 3, 5, 10, 20, 40)
HELD_WHEN_EQUAL = {
    "d": (96, 88, 73, 36, 7, 0),
    "r": (96, 88, 73, 37, 7, 0),
    "bgv": (100, 100, 100, 98, 72, 6),
    "bgsd": (96, 86, 59, 7, 0, 0),
    "cov": (98, 94, 91, 54, 2, 0),
    "mdmu": (96, 92, 88, 74, 16, 0),
    "mdmw": (96, 92, 88, 74, 16, 0),
    "mdbu": (96, 93, 89, 78, 61, 32),
    "mdbw": (96, 93, 89, 78, 61, 32),
    "mdru": (95, 91, 85, 69, 55, 47),
    "mdrw": (95, 91, 85, 69, 55, 47),
    "idisu": (96, 92, 88, 74, 16, 0),
    "idisw": (96, 92, 88, 74, 16, 0),
    "ti": (100, 100, 100, 92, 28, 0),
    "mld": (100, 100, 100, 92, 29, 0),
    "gini": (96, 93, 86, 60, 3, 0),
    "par": (96, 93, 89, 78, 61, 32),
    "paf": (96, 93, 89, 78, 61, 32),
}
# A bias of a third of a standard error costs an interval of 95% about two points of coverage.
BIAS_WORTH_TELLING = 1 / 3


def variance_bias(groups: Groups) -> float:
    """By how much the between-group variance is too high on average, in squared units."""
    return float(np.sum(groups.share * (1 - groups.share) * groups.se**2))


def folded_bias(apart: Numbers, error: Numbers) -> Numbers:
    """By how much |difference| is too high on average where the difference has this standard error; entry by entry."""
    sure = np.where(error > 0, error, 1.0)
    expected = sure * np.sqrt(2 / np.pi) * np.exp(-((apart / sure) ** 2) / 2) + apart * (
        1 - 2 * norm.cdf(-apart / sure)
    )
    return np.where(error > 0, np.maximum(expected - np.abs(apart), 0), np.where(np.isnan(error), np.nan, 0))


def error_from_mean(groups: Groups) -> Numbers:
    """Standard error of each group's distance from the mean of all, which holds the group itself."""
    own = groups.se**2 * (1 - 2 * groups.share)
    return np.sqrt(np.maximum(own + np.sum((groups.share * groups.se) ** 2), 0))


def recentred(summary: Summary, bias: float, confidence: float) -> Summary:
    """The summary with its interval moved down by its bias, at most one standard error: the estimate stays inside."""
    if not np.isfinite(bias) or not summary.se > 0:
        return summary
    centre = summary.estimate - min(bias, summary.se)
    reach = normal_quantile(confidence) * summary.se
    return replace(summary, lower=float(centre - reach), upper=float(centre + reach))


def corrected_variance(groups: Groups, plug_in: Summary, confidence: float) -> tuple[Summary, Summary]:
    """Between-group variance and its square root without their bias; zero at the least."""
    moved = around("bgv_corrected", plug_in.estimate - variance_bias(groups), plug_in.se, confidence)
    variance = _from_zero(moved, "plug-in value less sum p (1 - p) se²")
    root = replace(
        variance,
        measure="bgsd_corrected",
        estimate=float(np.sqrt(variance.estimate)),
        se=float(variance.se / (2 * np.sqrt(variance.estimate))) if variance.estimate > 0 else float("nan"),
        lower=float(np.sqrt(variance.lower)),
        upper=float(np.sqrt(variance.upper)),
        note=f"square root of bgv_corrected{'' if variance.estimate > 0 else '; at zero it has no standard error'}",
    )
    return variance, root


def corrected_variation(groups: Groups, root: Summary, confidence: float) -> Summary:
    """The coefficient of variation from a corrected ``root``; zero at the least.

    Limits of a ratio from those of its two parts (Zou and Donner 2008 Stat Med 27:1693), taken as independent.
    """
    factor = 100 / groups.mean
    of_mean = root.estimate * factor / groups.mean * groups.delta_error(groups.share)
    reach = normal_quantile(confidence) * of_mean
    found = Summary(
        "cov_corrected",
        root.estimate * factor,
        float(np.hypot(root.se * factor, of_mean)),
        float(root.estimate * factor - np.hypot((root.estimate - root.lower) * factor, reach)),
        float(root.estimate * factor + np.hypot((root.upper - root.estimate) * factor, reach)),
    )
    return _from_zero(found, "bgsd_corrected over the mean, in percent")


def _from_zero(summary: Summary, note: str) -> Summary:
    estimate, lower, upper = (max(value, 0.0) for value in (summary.estimate, summary.lower, summary.upper))
    if summary.estimate < 0:
        note += "; below zero, so set to 0"
    return replace(summary, estimate=estimate, lower=lower, upper=upper, note=note)


def corrected_theil(groups: Groups, plug_in: Summary, confidence: float) -> Summary:
    """Theil's T less its bias of second order, with the variance of second order added."""
    p, y, mean = groups.share, groups.estimate, groups.mean
    if np.any(y <= 0):
        return Summary("ti_corrected", float("nan"), note="not computed: an estimate is not above zero")
    logs, total = np.log(y) + 1, float(np.sum(p * y * np.log(y)))
    curve = np.outer(p, p) * ((1 - logs[:, None] - logs[None, :]) / mean**2 + 2 * total / mean**3)
    return _second_order("ti_corrected", groups, plug_in, curve + np.diag(p / (y * mean)), confidence)


def corrected_log_deviation(groups: Groups, plug_in: Summary, confidence: float) -> Summary:
    """Mean log deviation less its bias of second order, with the variance of second order added."""
    p, y, mean = groups.share, groups.estimate, groups.mean
    if np.any(y <= 0):
        return Summary("mld_corrected", float("nan"), note="not computed: an estimate is not above zero")
    return _second_order("mld_corrected", groups, plug_in, np.diag(p / y**2) - np.outer(p, p) / mean**2, confidence)


def _second_order(name: str, groups: Groups, plug_in: Summary, curve: Numbers, confidence: float) -> Summary:
    spread = curve * groups.se**2
    error = np.sqrt(plug_in.se**2 + np.trace(spread @ spread) / 2)
    moved = around(name, plug_in.estimate - np.trace(spread) / 2, error, confidence)
    return _from_zero(moved, "plug-in value less its bias of second order")


def held_when_equal(measure: str, groups: int) -> tuple[int, int]:
    """(number of groups, intervals of 100 that hold): as measured at the nearest number of groups, by ratio."""
    nearest = min(range(len(NUMBERS_OF_GROUPS)), key=lambda place: abs(np.log(NUMBERS_OF_GROUPS[place] / groups)))
    return NUMBERS_OF_GROUPS[nearest], HELD_WHEN_EQUAL[measure][nearest]


def warned(groups: Groups, summary: Summary, distance: float, bias: float, least_errors: float) -> Summary:
    """The summary with what a reader must know of it: near none, or pushed up by the groups' own errors.

    ``distance`` is how far it lies from none and ``bias`` by how much it is too high, both in its standard errors.
    """
    if np.isfinite(distance) and abs(distance) < least_errors and summary.measure in HELD_WHEN_EQUAL:
        many, held = held_when_equal(summary.measure, len(groups.names))
        if not 95 <= held <= 97:
            return with_note(
                summary,
                f"{abs(distance):.1f} standard errors from none, fewer than {least_errors:g}: too high on average; of 100 "
                f"such intervals for {many} equal groups {held} held the truth",
            )
    if np.isfinite(bias) and bias > BIAS_WORTH_TELLING:
        return with_note(summary, f"too high on average by about {bias:.1f} of its standard errors")
    return summary
