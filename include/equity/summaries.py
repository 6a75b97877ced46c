"""Every summary measure that applies to a dimension, in the units people report them in."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from include.equity import dispersion, impact, ordered, pairwise
from include.equity.groups import Groups, GroupsError, Summary, scaled

# Reported as WHO reports them; estimate, error and limits move together.
PER_MILLE, PERCENT = 1000.0, 100.0

Measure = Callable[[Groups], Summary]


def summarise(groups: Groups, confidence: float = 0.95) -> Iterator[Summary]:
    """Yield every measure that applies: pairs and impact always, the rest by whether the groups have an order.

    Theil index and mean log deviation come times 1000, the attributable fraction in percent. A measure that is not
    defined for these groups comes with nan and a note.
    """
    yield pairwise.difference(groups, confidence)
    yield pairwise.ratio(groups, confidence)
    yield from _ordered(groups, confidence) if groups.order is not None else _unordered(groups, confidence)
    yield _with_sampling_error(impact.population_attributable_risk, groups, 1.0, confidence)
    yield _with_sampling_error(impact.population_attributable_fraction, groups, PERCENT, confidence)
    yield pairwise.maximal_difference(groups)
    yield pairwise.maximal_ratio(groups)
    yield pairwise.summary_difference(groups)
    yield pairwise.summary_ratio(groups)


def _ordered(groups: Groups, confidence: float) -> Iterator[Summary]:
    yield ordered.absolute_concentration_index(groups, confidence)
    yield ordered.relative_concentration_index(groups, confidence)
    if groups.scale > 1 or np.all(groups.estimate <= 1):
        yield ordered.wagstaff_index(groups)
        yield ordered.erreygers_index(groups)
    line = ordered.fit_line(groups)
    yield ordered.slope_index(line, "sii", confidence)
    yield ordered.relative_index(line, "rii", confidence)
    yield ordered.pamuk_index(groups, confidence)
    yield from _fitted("linear_hc1", lambda: ordered.fit_line(groups, errors="hc1"), confidence)
    yield from _fitted("logit", lambda: ordered.fit_logistic(groups), confidence)


def _fitted(variant: str, fit: Callable[[], ordered.Line], confidence: float) -> Iterator[Summary]:
    try:
        line = fit()
    except GroupsError as error:
        yield Summary(f"sii_{variant}", float("nan"), note=f"not computed: {error.found}")
        yield Summary(f"rii_{variant}", float("nan"), note=f"not computed: {error.found}")
    else:
        yield ordered.slope_index(line, f"sii_{variant}", confidence)
        yield ordered.relative_index(line, f"rii_{variant}", confidence)


def _unordered(groups: Groups, confidence: float) -> Iterator[Summary]:
    yield dispersion.between_group_variance(groups, confidence)
    yield dispersion.between_group_deviation(groups, confidence)
    yield dispersion.coefficient_of_variation(groups, confidence)
    for weighted in (False, True):
        yield dispersion.mean_difference_from_mean(groups, weighted=weighted, confidence=confidence)
        yield dispersion.mean_difference_from_best(groups, weighted=weighted, confidence=confidence)
        if groups.reference is not None:
            yield dispersion.mean_difference_from_reference(groups, weighted=weighted, confidence=confidence)
        yield dispersion.index_of_disparity(groups, weighted=weighted, confidence=confidence)
    yield dispersion.index_of_disparity_from_best(groups)
    yield scaled(dispersion.theil_index(groups, confidence), PER_MILLE)
    yield scaled(dispersion.mean_log_deviation(groups, confidence), PER_MILLE)
    yield dispersion.gini_index(groups, confidence)


def _with_sampling_error(measure: Callable[..., Summary], groups: Groups, factor: float, confidence: float) -> Summary:
    # Walter's error counts people; where the table's own errors are larger (a survey's design), the note gives theirs.
    counted = scaled(measure(groups, errors="walter", confidence=confidence), factor)
    sampled = scaled(measure(groups, errors="delta", confidence=confidence), factor)
    if not groups.has_errors or np.isnan(sampled.se):
        return counted
    note = f"{counted.note}; se from the groups' own standard errors: {sampled.se:.6g}"
    return Summary(counted.measure, counted.estimate, counted.se, counted.lower, counted.upper, note)
