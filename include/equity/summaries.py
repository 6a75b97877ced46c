"""Every summary measure that applies to a dimension, in the units people report them in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import numpy as np

from include.equity import dispersion, impact, near_none, ordered, pairwise
from include.equity.groups import Groups, GroupsError, Summary, scaled, with_note

# Reported as WHO reports them; estimate, error and limits move together.
PER_MILLE, PERCENT = 1000.0, 100.0
# Fewer standard errors than this from none, an index that cannot be negative comes with a warning.
WEAK_EVIDENCE_ERRORS = 5.0
ALWAYS = ("d", "r", "max_rate_difference", "max_rate_ratio", "summary_rate_difference", "summary_rate_ratio")
UNORDERED_SIMPLE = ("mdbu", "idis_best")
ORDERED_WEIGHTED = ("aci", "rci", "sii", "rii")
UNORDERED_WEIGHTED = ("bgv", "bgsd", "cov", "mdmu", "mdmw", "mdbw", "idisu", "idisw", "ti", "mld", "gini")
IMPACT = ("par", "paf")
# Divide by the mean, so that they say nothing where it is zero or where estimates can be below zero.
RELATIVE = frozenset({"rci", "rii", "cov", "idisu", "idisw", "ti", "mld", "gini", "paf"})


def summarise(
    groups: Groups, confidence: float = 0.95, *, weak_evidence_errors: float = WEAK_EVIDENCE_ERRORS
) -> Iterator[Summary]:
    """Yield every measure that applies: pairs and impact always, the rest by whether the groups have an order.

    Theil index and mean log deviation come times 1000, the attributable fraction in percent. A measure that is not
    defined for these groups comes with nan and a note.
    """
    yield from simple_measures(groups, confidence, weak_evidence_errors=weak_evidence_errors)
    yield from weighted_measures(groups, confidence, weak_evidence_errors=weak_evidence_errors)


def simple_measures(
    groups: Groups, confidence: float = 0.95, *, weak_evidence_errors: float = WEAK_EVIDENCE_ERRORS
) -> Iterator[Summary]:
    """Yield the measures that need no population: pairs of groups, and plain means of differences from one group."""
    found = [pairwise.difference(groups, confidence), pairwise.ratio(groups, confidence)]
    if groups.order is None and groups.reference is None:
        found = [near_none.warned(groups, each, _distance(each), np.nan, weak_evidence_errors) for each in found]
    if groups.order is None:
        for each in _from_group(groups, weighted=False, confidence=confidence):
            found.append(near_none.warned(groups, each, _distance(each), np.nan, weak_evidence_errors))
        found.append(dispersion.index_of_disparity_from_best(groups))
    yield from (_with_reason(groups, each) for each in found)
    yield pairwise.maximal_difference(groups)
    yield pairwise.maximal_ratio(groups)
    yield pairwise.summary_difference(groups)
    yield pairwise.summary_ratio(groups)


def weighted_measures(
    groups: Groups, confidence: float = 0.95, *, weak_evidence_errors: float = WEAK_EVIDENCE_ERRORS
) -> Iterator[Summary]:
    """Yield the measures that need every group's population."""
    if groups.order is not None:
        found = _ordered(groups, confidence)
    else:
        found = _unordered(groups, confidence, weak_evidence_errors)
    for each in (*found, *_impact(groups, confidence, weak_evidence_errors)):
        yield _with_reason(groups, each)


def refused(names: Iterable[str], reason: str) -> Iterator[Summary]:
    """Yield each measure named without a number, saying why."""
    for name in names:
        yield Summary(name, float("nan"), note=f"not computed: {reason}")


def _from_group(groups: Groups, *, weighted: bool, confidence: float) -> Iterator[Summary]:
    yield dispersion.mean_difference_from_best(groups, weighted=weighted, confidence=confidence)
    if groups.reference is not None:
        yield dispersion.mean_difference_from_reference(groups, weighted=weighted, confidence=confidence)


def _ordered(groups: Groups, confidence: float) -> Iterator[Summary]:
    yield ordered.absolute_concentration_index(groups, confidence)
    line = ordered.fit_line(groups)
    yield replace(ordered.slope_index(line, "sii", confidence), note="straight line, errors of sampling")
    yield from _fitted("sii", "logit", lambda: ordered.fit_logistic(groups), confidence)
    yield from _fitted("sii", "linear_hc1", lambda: ordered.fit_line(groups, errors="hc1"), confidence)
    yield from _fitted("sii", "logit_hc1", lambda: ordered.fit_logistic(groups, errors="hc1"), confidence)
    if reason := _no_relative(groups):
        yield from (Summary(name, float("nan"), note=reason) for name in ("rci", "rii"))
        return
    yield ordered.relative_concentration_index(groups, confidence)
    if impact.can_be_counted(groups) and groups.mean < groups.scale:
        yield ordered.wagstaff_index(groups)
        yield ordered.erreygers_index(groups)
    yield with_note(ordered.relative_index(line, "rii", confidence), "straight line, errors of sampling")
    yield ordered.pamuk_index(groups, confidence)
    yield from _fitted("rii", "logit", lambda: ordered.fit_logistic(groups), confidence)
    yield from _fitted("rii", "linear_hc1", lambda: ordered.fit_line(groups, errors="hc1"), confidence)
    yield from _fitted("rii", "logit_hc1", lambda: ordered.fit_logistic(groups, errors="hc1"), confidence)


_LINES = {
    "logit": "logistic line, errors of sampling",
    "linear_hc1": "straight line, errors from the scatter around it (HC1), which sampling does not explain alone",
    "logit_hc1": "logistic line, errors from the scatter around it (HC1), which sampling does not explain alone",
}


def _fitted(index: str, variant: str, fit: Callable[[], ordered.Line], confidence: float) -> Iterator[Summary]:
    name = f"{index}_{variant}"
    try:
        line = fit()
    except GroupsError as error:
        yield Summary(name, float("nan"), note=f"not computed: {error.found}")
    else:
        of_line = ordered.slope_index if index == "sii" else ordered.relative_index
        yield with_note(of_line(line, name, confidence), _LINES[variant])


def _no_relative(groups: Groups) -> str:
    if np.any(groups.estimate < 0):
        return "not defined: an estimate is below zero, and this divides by the mean"
    return "" if groups.mean > 0 else "not defined: the mean is zero, and this divides by it"


def _unordered(groups: Groups, confidence: float, least_errors: float) -> Iterator[Summary]:
    variance = dispersion.between_group_variance(groups, confidence)
    spread = near_none.variance_bias(groups)
    corrected = near_none.corrected_variance(groups, variance, confidence)

    def told(summary: Summary, bias: float) -> Summary:
        over_error = bias / summary.se if summary.se > 0 else np.nan
        return near_none.warned(groups, summary, _distance(summary), over_error, least_errors)

    yield told(variance, spread)
    deviation = dispersion.between_group_deviation(groups, confidence)
    yield told(deviation, deviation.estimate - np.sqrt(max(deviation.estimate**2 - spread, 0.0)))
    yield told(dispersion.mean_difference_from_mean(groups, weighted=False, confidence=confidence), np.nan)
    yield told(dispersion.mean_difference_from_mean(groups, weighted=True, confidence=confidence), np.nan)
    yield from (told(each, np.nan) for each in _from_group(groups, weighted=True, confidence=confidence))
    yield from corrected
    if reason := _no_relative(groups):
        names = [name for name in UNORDERED_WEIGHTED if name in RELATIVE]
        yield from (Summary(name, float("nan"), note=reason) for name in names)
        return
    variation = dispersion.coefficient_of_variation(groups, confidence)
    yield told(variation, np.nan)
    yield near_none.corrected_variation(groups, corrected[1], confidence)
    for weighted in (False, True):
        yield told(dispersion.index_of_disparity(groups, weighted=weighted, confidence=confidence), np.nan)
    theil, deviation = dispersion.theil_index(groups, confidence), dispersion.mean_log_deviation(groups, confidence)
    without_bias = near_none.corrected_theil(groups, theil, confidence)
    yield scaled(told(theil, theil.estimate - without_bias.estimate), PER_MILLE)
    yield scaled(without_bias, PER_MILLE)
    without_bias = near_none.corrected_log_deviation(groups, deviation, confidence)
    yield scaled(told(deviation, deviation.estimate - without_bias.estimate), PER_MILLE)
    yield scaled(without_bias, PER_MILLE)
    yield told(dispersion.gini_index(groups, confidence), np.nan)


def _impact(groups: Groups, confidence: float, least_errors: float) -> Iterator[Summary]:
    def told(summary: Summary) -> Summary:
        noted = with_note(summary, _KNOWN)
        if groups.order is not None:
            return noted
        return near_none.warned(groups, noted, _distance(noted), np.nan, least_errors)

    yield told(impact.population_attributable_risk(groups, confidence=confidence))
    reason = _no_relative(groups)
    if reason:
        yield Summary("paf", float("nan"), note=reason)
        return
    fraction = impact.population_attributable_fraction(groups, confidence=confidence)
    yield scaled(told(fraction), PERCENT)
    if impact.can_be_counted(groups):
        for measure, factor in (
            (impact.population_attributable_risk, 1.0),
            (impact.population_attributable_fraction, PERCENT),
        ):
            counted = scaled(measure(groups, errors="walter", confidence=confidence), factor)
            yield with_note(replace(counted, measure=f"{counted.measure}_walter"), _COUNTED)


_KNOWN = "errors from the groups' own, their shares taken as known"
_COUNTED = "Walter's errors, right only where the populations are the people who were counted"


def _distance(summary: Summary) -> float:
    """How many standard errors from none: on the logarithm for a ratio."""
    if not summary.se > 0:
        return float("nan")
    if summary.measure == "r":
        return float(abs(np.log(summary.estimate)) / (summary.se / summary.estimate))
    return summary.estimate / summary.se


def _with_reason(groups: Groups, summary: Summary) -> Summary:
    """Say why there is no interval where the groups are the reason, and where an interval leaves something out."""
    if np.isnan(summary.estimate):
        return summary
    unknown = int(np.isnan(groups.se).sum())
    if (
        np.isnan(summary.se)
        and unknown
        and "no interval" not in summary.note
        and summary.measure not in _WITHOUT_INTERVAL
    ):
        return with_note(summary, f"no interval: groups without a standard error: {unknown} of {len(groups.names)}")
    certain = int(np.sum(groups.se == 0))
    if certain and summary.se > 0:
        return with_note(summary, f"groups with a standard error of zero: {certain} of {len(groups.names)}")
    return summary


_WITHOUT_INTERVAL = frozenset({"idis_best", "rci_wagstaff", "rci_erreygers"})
