"""Summary measures of inequality as people read them: their names and their numbers in units."""

from __future__ import annotations

import math

from include.equity.groups import Summary

SUMMARY_NAMES = {
    "d": "difference",
    "r": "ratio",
    "aci": "absolute concentration index",
    "rci": "relative concentration index",
    "sii": "slope index of inequality",
    "rii": "relative index of inequality",
    "bgv": "between-group variance",
    "cov": "coefficient of variation",
    "mdmw": "mean difference from mean",
    "mdbw": "mean difference from best",
    "mdrw": "mean difference from reference",
    "idisw": "index of disparity",
    "ti": "Theil index (x 1000)",
    "mld": "mean log deviation (x 1000)",
    "gini": "Gini index",
    "par": "population attributable risk",
    "paf": "population attributable fraction",
}
# In the unit of the rate: points for shares of people.
IN_UNITS = frozenset({"d", "aci", "sii", "mdmw", "mdbw", "mdrw", "par"})
IN_PERCENT = frozenset({"cov", "idisw", "paf"})


def format_summary(summary: Summary, is_share: bool) -> tuple[str, str]:
    """(estimate with its unit, interval) as text; a dash where there is none."""
    if summary.measure in IN_UNITS and is_share:
        factor, unit, digits = 100.0, " pt", 1
    elif summary.measure in IN_PERCENT:
        factor, unit, digits = 1.0, "%", 1
    elif summary.measure == "bgv" and is_share:
        factor, unit, digits = 10_000.0, " pt²", 1
    else:
        factor, unit, digits = 1.0, "", 1 if summary.measure in (*IN_UNITS, "bgv", "ti", "mld") else 3
    return _number(summary.estimate * factor, digits) + unit * (not math.isnan(summary.estimate)), _interval(
        summary.lower * factor, summary.upper * factor, digits
    )


def _number(value: float, digits: int) -> str:
    return "–" if math.isnan(value) else f"{value:,.{digits}f}"


def _interval(lower: float, upper: float, digits: int) -> str:
    return "" if math.isnan(lower) else f"({_number(lower, digits)} to {_number(upper, digits)})"
