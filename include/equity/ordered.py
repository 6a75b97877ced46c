"""Measures for groups with an order (income quintiles, deprivation quartiles): concentration and slope indices.

Sources: Kakwani, Wagstaff and van Doorslaer (1997) J Econometrics 77:87 (concentration indices); Wagstaff, Paci and van
Doorslaer (1991) Soc Sci Med 33:545 and Pamuk (1985) (slope and relative indices); Wagstaff (2005) and Erreygers (2009)
J Health Econ 28:504 (corrections for bounded indicators). Standard errors are those of sampling: the groups' own, carried
through by the delta method. ``hc1`` variants take the scatter around the line instead (White 1980), as survey programs do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from include.equity.groups import Groups, GroupsError, Numbers, Summary, around, around_log


def ranks(groups: Groups) -> Numbers:
    """Midpoint of each group's range in the cumulated population, from 0 (most disadvantaged) to 1. Groups in order."""
    share = groups.share
    return np.cumsum(share) - share / 2


def absolute_concentration_index(groups: Groups, confidence: float = 0.95) -> Summary:
    """ACI = sum p (2X - 1) y, in the indicator's units; 0 without inequality, above 0 where the advantaged have more."""
    groups = groups.ordered()
    weight = groups.share * (2 * ranks(groups) - 1)
    return around("aci", weight @ groups.estimate, groups.delta_error(weight), confidence)


def relative_concentration_index(groups: Groups, confidence: float = 0.95) -> Summary:
    """RCI = ACI / mean, without unit, between -1 and 1."""
    groups = groups.ordered()
    mean, weight = groups.mean, groups.share * (2 * ranks(groups) - 1)
    index = float(weight @ groups.estimate) / mean
    return around("rci", index, groups.delta_error((weight - index * groups.share) / mean), confidence)


def wagstaff_index(groups: Groups) -> Summary:
    """RCI over 1 - mean / scale: Wagstaff's correction for an indicator that cannot exceed its scale."""
    return Summary("rci_wagstaff", relative_concentration_index(groups).estimate / (1 - groups.mean / groups.scale))


def erreygers_index(groups: Groups) -> Summary:
    """4 mean / scale times RCI: Erreygers's correction for the same."""
    return Summary("rci_erreygers", 4 * groups.mean / groups.scale * relative_concentration_index(groups).estimate)


@dataclass(frozen=True)
class Line:
    """A straight line through the groups over their ranks, with the covariance of its two ends on the chosen grounds."""

    bottom: float
    top: float
    covariance: Numbers  # of (bottom, top)


def _ends(intercept_and_slope: Numbers, covariance: Numbers) -> Line:
    to_ends = np.array([[1.0, 0.0], [1.0, 1.0]])
    bottom, top = to_ends @ intercept_and_slope
    return Line(float(bottom), float(top), to_ends @ covariance @ to_ends.T)


def fit_line(groups: Groups, *, errors: str = "sampling") -> Line:
    """Weighted least squares of estimates on ranks, weights are population shares. Groups need not be in order.

    ``errors``: ``sampling`` carries the groups' standard errors through; ``hc1`` takes residual scatter.
    """
    groups = groups.ordered()
    design = np.column_stack([np.ones(len(groups.names)), ranks(groups)])
    solve = np.linalg.inv(design.T @ (groups.share[:, None] * design)) @ (design * groups.share[:, None]).T
    coefficients = solve @ groups.estimate
    if errors == "hc1":
        _require_more_than_two(groups)
        spread = (groups.estimate - design @ coefficients) ** 2 * len(groups.names) / (len(groups.names) - 2)
    else:
        spread = groups.se**2
    return _ends(coefficients, (solve * spread) @ solve.T)


def fit_logistic(groups: Groups, *, weight: str = "population", errors: str = "sampling") -> Line:
    """The same on the logit of estimate / scale, in the indicator's units. ``errors`` as for the straight line.

    For indicators that cannot exceed their scale. ``weight``: ``population`` or, to reproduce programs that apply it twice,
    ``population squared``. Raises GroupsError where the scale is not known, an estimate lies outside it or the fit does not
    settle.
    """
    groups = groups.ordered()
    if errors == "hc1":
        _require_more_than_two(groups)
    if not groups.scale > 0:
        raise GroupsError(
            found="indicator_scale is not known",
            expected="the value an estimate has when everybody has it, 100 for percent",
            action="fill indicator_scale",
        )
    share = groups.estimate / groups.scale
    if np.any((share < 0) | (share > 1)):
        raise GroupsError(
            found="an estimate below zero or above the indicator's scale",
            expected=f"estimates from 0 to {groups.scale:g}",
            action="set indicator_scale to the value an estimate has when everybody has it",
        )
    weights = groups.share**2 if weight == "population squared" else groups.share
    weights = weights / weights.sum()
    design = np.column_stack([np.ones(len(share)), ranks(groups)])
    coefficients, bread = _newton(design, share, weights)
    fitted = 1 / (1 + np.exp(-design @ coefficients))
    if errors == "hc1":
        spread = (share - fitted) ** 2 * len(share) / (len(share) - 2)
    else:
        spread = (groups.se / groups.scale) ** 2
    covariance = bread @ ((design * (weights**2 * spread)[:, None]).T @ design) @ bread
    line = _ends(coefficients, covariance)
    bottom, top = 1 / (1 + np.exp(-line.bottom)), 1 / (1 + np.exp(-line.top))
    slopes = np.diag([bottom * (1 - bottom), top * (1 - top)]) * groups.scale
    return Line(float(bottom * groups.scale), float(top * groups.scale), slopes @ line.covariance @ slopes)


def _newton(design: Numbers, share: Numbers, weights: Numbers) -> tuple[Numbers, Numbers]:
    coefficients, step = np.zeros(2), np.full(2, np.inf)
    for _ in range(200):
        fitted = 1 / (1 + np.exp(-np.clip(design @ coefficients, -500, 500)))
        try:
            bread = np.linalg.inv((design * (weights * fitted * (1 - fitted))[:, None]).T @ design)
        except np.linalg.LinAlgError:
            break
        step = bread @ (design.T @ (weights * (share - fitted)))
        coefficients = coefficients + step
        if np.abs(step).max() < 1e-14 * (1 + np.abs(coefficients).max()):
            return coefficients, bread
    if np.abs(step).max() < 1e-8:
        return coefficients, bread
    raise GroupsError(
        found="a logistic line that does not settle",
        expected="estimates that are not split cleanly into all and none",
        action="use the linear slope index for this indicator",
    )


def _require_more_than_two(groups: Groups) -> None:
    if len(groups.names) < 3:
        raise GroupsError(
            found="two groups",
            expected="three or more: scatter around a line through two points is nil",
            action="use difference and ratio for two groups",
        )


def slope_index(line: Line, measure: str = "sii", confidence: float = 0.95) -> Summary:
    """SII: the line's top end less its bottom end, in the indicator's units."""
    gradient = np.array([-1.0, 1.0])
    return around(measure, line.top - line.bottom, float(np.sqrt(gradient @ line.covariance @ gradient)), confidence)


def relative_index(line: Line, measure: str = "rii", confidence: float = 0.95) -> Summary:
    """RII (Kunst and Mackenbach): the line's top end over its bottom end; interval on the logarithm."""
    if not (line.top > 0 and line.bottom > 0):
        return Summary(measure, float("nan"), note="not defined: the line reaches zero or below")
    gradient = np.array([-1 / line.bottom, 1 / line.top])
    return around_log(
        measure, line.top / line.bottom, float(np.sqrt(gradient @ line.covariance @ gradient)), confidence
    )


def pamuk_index(groups: Groups, confidence: float = 0.95) -> Summary:
    """SII / mean (Pamuk's relative index), without unit; sampling errors."""
    ordered = groups.ordered()
    centred = ranks(ordered) - ordered.share @ ranks(ordered)
    weight = ordered.share * centred / (ordered.share @ centred**2)
    index = float(weight @ ordered.estimate) / ordered.mean
    gradient = (weight - index * ordered.share) / ordered.mean
    return around("rii_pamuk", index, ordered.delta_error(gradient), confidence)
