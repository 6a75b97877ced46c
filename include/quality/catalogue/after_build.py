"""Checks between build and publication: what sources say of one and the same person, and the marts themselves.

Like the catalogue on deliveries it tells and decides nothing. What could not be counted is an error among the results and
makes the night amber. Sources that delivered tonight get their scores anew, with agreement in their accuracy; marts get theirs.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date

import psycopg

from include.nights import step
from include.quality import scores
from include.quality.catalogue import agreement, custom, marts
from include.quality.catalogue.assess import keep_results
from include.quality.catalogue.flat import Delivery
from include.quality.catalogue.results import ERROR, FAILED, MART, PASSED, RESOLVED, Result
from include.quality.catalogue.run import under_policy
from include.quality.catalogue.thresholds import load_thresholds
from include.settings import Settings
from include.warehouse.connect import connect

log = logging.getLogger(__name__)


def assess_marts(night: date, settings: Settings | None = None) -> list[Result]:
    """Check what was built and keep the results. Running it again replaces them."""
    with (
        step(night, "assess", role="checker", settings=settings) as progress,
        connect("checker", "hot", settings) as books,
    ):
        books.execute("select pg_advisory_xact_lock(hashtext('plumbline.assess'), hashtext(%s))", [marts.SOURCE])
        delivered = _delivered(books, night)
        agreeing = _agreement(delivered, settings)
        found = check_marts(books, night)
        results = [
            *_keep(books, marts.SOURCE, night, MART, found),
            *(each for source, own in agreeing.items() for each in _keep(books, source, night, RESOLVED, own)),
        ]
        for source in delivered:
            scores.score_source(books, night, source)
        scores.score_marts(books, night, marts.SOURCE, marts.mart_of_subject())
        counts = Counter(each.status for each in results)
        progress.count(checks=len(results), passed=counts[PASSED], failed=counts[FAILED], errors=counts[ERROR])
        if ended := load_thresholds().expired(night):
            progress.count(thresholds_that_ended=len(ended))
        return results


def check_marts(books: psycopg.Connection, night: date) -> list[Result]:
    """Results of every check of every mart, one's own among them. Views that it makes end with the session."""
    own, statements = custom.read_custom(custom.checks_folder())
    found = list(marts.count(books, Delivery((), night), own))
    return found + list(custom.count(books, custom.of_stage(statements, MART)))


def _agreement(delivered: Sequence[str], settings: Settings | None) -> Mapping[str, list[Result]]:
    """Results by source; errors of those that delivered tonight where they could not be compared."""
    try:
        with connect("transformer", "hot", settings) as hot:
            return agreement.count(hot)
    except psycopg.Error as problem:
        log.error("sources could not be compared: %s", problem.sqlstate or type(problem).__name__)
        return {source: agreement.in_error(problem) for source in delivered}


def _keep(books: psycopg.Connection, source: str, night: date, stage: str, found: Sequence[Result]) -> list[Result]:
    judged = [under_policy(each, source, night) for each in found]
    keep_results(books, source, night, stage, judged)
    return judged


def _delivered(books: psycopg.Connection, night: date) -> list[str]:
    rows = books.execute(
        "select distinct source from quality.score where night = %s and source <> %s order by 1", [night, marts.SOURCE]
    )
    return [source for (source,) in rows.fetchall()]
