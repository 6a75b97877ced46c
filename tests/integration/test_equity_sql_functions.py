"""The functions Postgres lacks, against scipy."""

from __future__ import annotations

import numpy as np
import psycopg
import pytest
from scipy import stats

from include.warehouse.connect import connect

COUNTS = [*range(60), 99, 250, 1000, 12345, 100_000, 1_000_000]
SHAPES = (0.3, 0.5, 1.0, 1.5, 2.0, 7.7, 50.0, 1234.5)
SHARES = (1e-6, 0.001, 0.025, 0.5, 0.975, 0.999, 1 - 1e-6)


@pytest.fixture
def hot(settings):
    with connect("transformer", "hot", settings) as connection:
        yield connection


def test_poisson_limits_agree_to_nine_digits(hot: psycopg.Connection) -> None:
    rows = hot.execute(
        "select n, statistics.poisson_lower(n), statistics.poisson_upper(n) from unnest(%s::bigint[]) as n", [COUNTS]
    ).fetchall()
    assert len(rows) == len(COUNTS)
    for events, lower, upper in rows:
        assert lower == pytest.approx(stats.chi2.ppf(0.025, 2 * events) / 2 if events else 0.0, rel=1e-9)
        assert upper == pytest.approx(stats.chi2.ppf(0.975, 2 * events + 2) / 2, rel=1e-9)


@pytest.mark.parametrize("shape", SHAPES)
def test_gamma_quantiles_agree_to_nine_digits(hot: psycopg.Connection, shape: float) -> None:
    rows = hot.execute(
        "select p, statistics.gamma_quantile(p, %s) from unnest(%s::double precision[]) as p", [shape, list(SHARES)]
    ).fetchall()
    found = dict(rows)
    for share in SHARES:
        assert found[share] == pytest.approx(float(stats.gamma.ppf(share, shape)), rel=1e-9)


@pytest.mark.parametrize("shape", SHAPES)
def test_gamma_shares_agree_to_twelve_digits(hot: psycopg.Connection, shape: float) -> None:
    points = [float(x) for x in np.linspace(0.01, 4, 25) * shape]
    rows = hot.execute(
        "select statistics.gamma_cdf(%s, x) from unnest(%s::double precision[]) with ordinality as t (x, n) order by n",
        [shape, points],
    ).fetchall()
    assert [row[0] for row in rows] == pytest.approx(list(stats.gamma.cdf(points, shape)), abs=1e-12)


def test_an_impossible_share_is_refused(hot: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.RaiseException, match="p must lie between 0 and 1"):
        hot.execute("select statistics.gamma_quantile(1, 3)")
