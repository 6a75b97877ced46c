"""How far groups lie apart, whatever their order: variance, mean differences, index of disparity, Theil, Gini.

Sources: Schlotheuber and Hosseinpoor (2022); Ahn et al. (2018) J Biopharm Stat (variance of the between-group variance);
Theil (1967); Pearcy and Keppel (2002) Public Health Rep 117:273 (index of disparity); Lerman and Yitzhaki (1989) (Gini).
Standard errors by the delta method from the groups' own; population shares are taken as known. None of these can be below
zero, so all are too high on average when groups are nearly equal; intervals of the coefficient of variation, mean
differences from the mean, indices of disparity and Gini are moved down by that bias (``near_none``), those of variances,
Theil index and mean log deviation stay symmetric as published, and ``near_none`` has their corrected values.
"""

from __future__ import annotations

import numpy as np

from include.equity.groups import Groups, GroupsError, Numbers, Summary, around
from include.equity.near_none import error_from_mean, folded_bias, recentred, variance_bias


def between_group_variance(groups: Groups, confidence: float = 0.95) -> Summary:
    """BGV = sum p (y - mean)², in squared units; variance of first and second order (Ahn et al. 2018)."""
    p, s = groups.share, groups.se
    away = groups.estimate - groups.mean
    first = 4 * np.sum((p * away * s) ** 2)
    second = 2 * (np.sum((p * s) ** 2) ** 2 + np.sum(p**2 * s**4) - 2 * np.sum(p**3 * s**4))
    return around("bgv", p @ away**2, float(np.sqrt(first + second)), confidence)


def between_group_deviation(groups: Groups, confidence: float = 0.95) -> Summary:
    """BGSD = √BGV, in the indicator's units; first-order error."""
    away = groups.estimate - groups.mean
    deviation = float(np.sqrt(groups.share @ away**2))
    gradient = groups.share * away / deviation if deviation > 0 else np.full(len(away), np.nan)
    return around("bgsd", deviation, groups.delta_error(gradient), confidence)


def coefficient_of_variation(groups: Groups, confidence: float = 0.95) -> Summary:
    """COV = 100 BGSD / mean, in percent."""
    away, mean = groups.estimate - groups.mean, groups.mean
    deviation = float(np.sqrt(groups.share @ away**2))
    if not deviation > 0:
        return Summary("cov", 0.0 if mean else float("nan"))
    gradient = 100 * (groups.share * away / deviation / mean - deviation * groups.share / mean**2)
    plug_in = around("cov", 100 * deviation / mean, groups.delta_error(gradient), confidence)
    unbiased = np.sqrt(max(deviation**2 - variance_bias(groups), 0.0))
    return recentred(plug_in, float(100 * (deviation - unbiased) / mean), confidence)


def _mean_distance(groups: Groups, weights: Numbers, centre: float, centre_gradient: Numbers) -> tuple[float, Numbers]:
    # Weighted mean of |y - centre| and its gradient; a group that sits on the centre has no direction.
    signs = np.sign(groups.estimate - centre)
    return float(weights @ np.abs(groups.estimate - centre)), weights * signs - (weights @ signs) * centre_gradient


def _equal_weights(groups: Groups) -> Numbers:
    return np.full(len(groups.names), 1 / len(groups.names))


def mean_difference_from_mean(groups: Groups, *, weighted: bool, confidence: float = 0.95) -> Summary:
    """MDMW (weighted) or MDMU: mean of |y - population mean|, in the indicator's units."""
    weights = groups.share if weighted else _equal_weights(groups)
    distance, gradient = _mean_distance(groups, weights, groups.mean, groups.share)
    plug_in = around("mdmw" if weighted else "mdmu", distance, groups.delta_error(gradient), confidence)
    return recentred(plug_in, distance_bias(groups, weights), confidence)


def distance_bias(groups: Groups, weights: Numbers) -> float:
    """By how much the mean distance from the population mean is too high on average, in the indicator's units."""
    return float(weights @ folded_bias(groups.estimate - groups.mean, error_from_mean(groups)))


def _mean_difference_from_group(groups: Groups, place: int, weights: Numbers) -> tuple[float, Numbers]:
    at_place = np.eye(len(groups.names))[place]
    return _mean_distance(groups, weights, float(groups.estimate[place]), at_place)


def mean_difference_from_best(groups: Groups, *, weighted: bool, confidence: float = 0.95) -> Summary:
    """MDBW (weighted) or MDBU: mean of |y - best group's|, in the indicator's units."""
    weights = groups.share if weighted else _equal_weights(groups)
    distance, gradient = _mean_difference_from_group(groups, groups.best, weights)
    note = f"best: {groups.names[groups.best]}"
    return around("mdbw" if weighted else "mdbu", distance, groups.delta_error(gradient), confidence, note)


def mean_difference_from_reference(groups: Groups, *, weighted: bool, confidence: float = 0.95) -> Summary:
    """MDRW (weighted) or MDRU: mean of |y - reference group's|. Raises GroupsError without a reference."""
    if groups.reference is None:
        raise GroupsError(
            found="no reference group",
            expected="one group marked as the reference",
            action="set reference_subgroup to 1 for one group",
        )
    weights = groups.share if weighted else _equal_weights(groups)
    distance, gradient = _mean_difference_from_group(groups, groups.reference, weights)
    note = f"reference: {groups.names[groups.reference]}"
    return around("mdrw" if weighted else "mdru", distance, groups.delta_error(gradient), confidence, note)


def index_of_disparity(groups: Groups, *, weighted: bool, confidence: float = 0.95) -> Summary:
    """IDISW (weighted) or IDISU: 100 times the mean difference from the mean over the mean, in percent."""
    weights = groups.share if weighted else _equal_weights(groups)
    distance, slope = _mean_distance(groups, weights, groups.mean, groups.share)
    gradient = 100 * (slope / groups.mean - distance * groups.share / groups.mean**2)
    estimate = 100 * distance / groups.mean
    plug_in = around("idisw" if weighted else "idisu", estimate, groups.delta_error(gradient), confidence)
    return recentred(plug_in, 100 * distance_bias(groups, weights) / groups.mean, confidence)


def index_of_disparity_from_best(groups: Groups) -> Summary:
    """Pearcy and Keppel's index: mean of |y - best| over the other groups, in percent of the best group's estimate."""
    best = float(groups.estimate[groups.best])
    others = np.delete(groups.estimate, groups.best)
    note = f"best: {groups.names[groups.best]}"
    if not best > 0:
        return Summary("idis_best", float("nan"), note=f"{note}; not defined: its estimate is not above zero")
    return Summary("idis_best", 100 * float(np.abs(others - best).mean()) / best, note=note)


def theil_index(groups: Groups, confidence: float = 0.95) -> Summary:
    """Theil's T = sum p r ln r with r = y / mean, without unit. A group at zero counts zero (the limit)."""
    relative = groups.estimate / groups.mean
    logs = np.log(np.where(relative > 0, relative, 1.0))
    index = float(groups.share @ (relative * logs))
    if np.any(relative <= 0):
        return Summary("ti", index, note="no interval: an estimate is zero")
    return around("ti", index, groups.delta_error(groups.share / groups.mean * (logs - index)), confidence)


def mean_log_deviation(groups: Groups, confidence: float = 0.95) -> Summary:
    """MLD = sum p (-ln r) with r = y / mean, without unit; not defined where an estimate is zero."""
    if np.any(groups.estimate <= 0):
        return Summary("mld", float("nan"), note="not defined: an estimate is not above zero")
    index = float(-(groups.share @ np.log(groups.estimate / groups.mean)))
    gradient = groups.share * (1 / groups.mean - 1 / groups.estimate)
    return around("mld", index, groups.delta_error(gradient), confidence)


def gini_index(groups: Groups, confidence: float = 0.95) -> Summary:
    """Gini between groups: sum over pairs of p p' |y - y'| over twice the mean, between 0 and 1."""
    p, y, mean = groups.share, groups.estimate, groups.mean
    apart = y[:, None] - y[None, :]
    index = float(p @ np.abs(apart) @ p) / (2 * mean)
    gradient = p * (np.sign(apart) @ p) / mean - index * p / mean
    plug_in = around("gini", index, groups.delta_error(gradient), confidence)
    return recentred(plug_in, pairs_bias(groups) / (2 * mean), confidence)


def pairs_bias(groups: Groups) -> float:
    """By how much the mean difference between any two people's groups is too high on average, in the indicator's units."""
    apart = groups.estimate[:, None] - groups.estimate[None, :]
    error = np.hypot(groups.se[:, None], groups.se[None, :])
    np.fill_diagonal(error, 0.0)
    return float(groups.share @ folded_bias(apart, error) @ groups.share)


def theil_decomposition(groups: Groups, parents: tuple[str, ...]) -> tuple[float, float]:
    """Theil's T of the groups split into (between, within) their parents; the two add up to ``theil_index``.

    ``parents`` names each group's parent (a county's state, say), one entry a group.
    """
    if len(parents) != len(groups.names):
        raise GroupsError(
            found=f"{len(parents)} parents for {len(groups.names)} groups",
            expected="one parent a group",
            action="give each group its parent",
        )
    total, mean = theil_index(groups).estimate, groups.mean
    between = 0.0
    for parent in sorted(set(parents)):
        mine = np.array([name == parent for name in parents])
        share = groups.share[mine].sum()
        relative = float(groups.share[mine] @ groups.estimate[mine]) / share / mean
        between += share * relative * np.log(relative) if relative > 0 else 0.0
    return float(between), float(total - between)
