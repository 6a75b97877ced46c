"""What closing the gap would change: population attributable risk and fraction.

Sources: WHO, Handbook on health inequality monitoring (2013); Walter (1978) Am J Epidemiol 108:1 (variance of the fraction).
"""

from __future__ import annotations

import numpy as np

from include.equity.groups import Groups, Summary, around, normal_quantile, scaled


def attributable_reference(groups: Groups) -> int:
    """The group whose level the others are to reach: the most advantaged where there is an order, else the best."""
    return groups.best if groups.order is None else int(np.argmax(groups.order))


def population_attributable_risk(groups: Groups, *, errors: str = "delta", confidence: float = 0.95) -> Summary:
    """PAR = reference group's estimate less the mean, in the indicator's units; set to 0 where there is nothing to gain.

    ``errors``: ``delta`` uses the groups' standard errors, shares known; ``walter`` takes every one of the population as a
    person who was counted (estimate / scale of them affected), which a survey's weighted populations are not.
    """
    if errors == "walter":
        fraction = population_attributable_fraction(groups, errors="walter", confidence=confidence)
        return Summary("par", *_moved(fraction, groups.mean), note=fraction.note)
    place = attributable_reference(groups)
    gradient = np.eye(len(groups.names))[place] - groups.share
    risk = around("par", groups.estimate[place] - groups.mean, groups.delta_error(gradient), confidence)
    return _nothing_to_gain(groups, risk, place, confidence)


def population_attributable_fraction(groups: Groups, *, errors: str = "delta", confidence: float = 0.95) -> Summary:
    """PAF = PAR / mean as a fraction; set to 0 where there is nothing to gain. ``errors`` as for the risk."""
    place, mean = attributable_reference(groups), groups.mean
    level = float(groups.estimate[place])
    if errors == "walter":
        se = _walter_error(groups, place)
    else:
        se = groups.delta_error(np.eye(len(groups.names))[place] / mean - level * groups.share / mean**2)
    return _nothing_to_gain(groups, around("paf", level / mean - 1, se, confidence), place, confidence)


def _walter_error(groups: Groups, place: int) -> float:
    # The two-by-two table of the reference group against everyone else, in people.
    affected = groups.population * groups.estimate / groups.scale
    everyone = float(groups.population.sum())
    c, unexposed = float(affected[place]), float(groups.population[place])
    d, a = unexposed - c, float(affected.sum()) - c
    b = everyone - unexposed - a
    bottom = (a + c) ** 3 * (c + d) ** 3
    inside = c * everyone * (a * d * (everyone - c) + b * c**2) / bottom if bottom else float("nan")
    return float(np.sqrt(abs(inside)))


def _moved(fraction: Summary, mean: float) -> tuple[float, float, float, float]:
    risk = scaled(fraction, mean)
    return risk.estimate, risk.se, risk.lower, risk.upper


def can_be_counted(groups: Groups) -> bool:
    """True where estimates can be numbers of people out of a population: the scale is known and none lies outside it."""
    return bool(groups.scale > 0 and np.all(groups.estimate >= 0) and np.all(groups.estimate <= groups.scale))


def _nothing_to_gain(groups: Groups, summary: Summary, place: int, confidence: float) -> Summary:
    note = f"reference: {groups.names[place]}"
    gain = summary.estimate if groups.is_favourable else -summary.estimate
    if gain >= 0:
        return Summary(summary.measure, summary.estimate, summary.se, summary.lower, summary.upper, note)
    reach = normal_quantile(confidence) * summary.se
    note += "; the reference does no better than the population: nothing to gain"
    return Summary(summary.measure, 0.0, summary.se, -reach, reach, note)
