"""The whole catalogue against one full scan that parses the same columns, in one run over the same rows.

    python -m bench.quality              the hospital beside the project, or the sample at about the same size
    python -m bench.quality --no-gx      without the line for Great Expectations, which takes a minute

The scan is what any check has to pay: every column that the checks read, taken out of every document once, and counted.
Great Expectations is given checks of Observation that it can express, on a table whose columns are already taken out, and
told to fetch the failing keys itself.
"""

from __future__ import annotations

import argparse
import logging
import os
import time
import warnings
from datetime import date

import psycopg
from psycopg import sql

from bench.stack import SOURCE, bench_settings
from include.quality.catalogue import contents, field_scan, flat, run
from include.quality.catalogue.check_types import Instance
from include.quality.catalogue.flat import Delivery
from include.quality.catalogue.results import NOT_APPLICABLE
from include.quality.catalogue.scratch import load_folder
from include.quality.catalogue.subjects import read_subjects, read_tables
from include.settings import Settings
from include.sources.registry import find_source, load_sources
from include.warehouse.connect import connect, sqlalchemy_url

NIGHT = date(2026, 11, 24)
LIMIT = 5.0
_GX_TABLE = "bench_observation"


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark and print it. Returns 1 if the checks take more than five scans."""
    parser = argparse.ArgumentParser(prog="bench.quality", description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--no-gx", action="store_true")
    options = parser.parse_args(arguments or [])
    with bench_settings(NIGHT) as settings, connect("checker", "hot", settings) as books:
        source = find_source(load_sources(settings.sources_file), SOURCE)
        received = load_folder(books, source, lambda text: None)
        delivery = contents.located(books, Delivery(tuple(received.rows), NIGHT))
        print(f"{source.name}: {sum(received.loaded.values()):,} records")
        scans, checks, counted = [], [], 0
        for number in range(1, options.times + 1):
            scans.append(_timed(lambda: _scan(books, delivery)))
            start = time.perf_counter()
            outcome = run.run(books, delivery, name=source.name)
            checks.append(time.perf_counter() - start)
            counted = sum(each.status != NOT_APPLICABLE for each in outcome.results)
            print(f"  round {number}: one scan {scans[-1]:.2f} s, {counted} checks {checks[-1]:.2f} s")
        ratio = min(checks) / min(scans)
        print(f"{counted} checks that apply cost {ratio:.2f} scans (target: 500 checks at most {LIMIT:g})")
        if not options.no_gx:
            _compare_with_gx(books, delivery, settings)
        return 0 if ratio <= LIMIT and counted >= 500 else 1


def _timed(work) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _scan(books: psycopg.Connection, delivery: Delivery) -> None:
    for subject in read_subjects():
        select = flat.projection(delivery, subject, read_tables())
        columns = sql.SQL(", ").join(sql.SQL("count({})").format(sql.Identifier(name)) for name in subject.columns)
        books.execute(sql.SQL("select {} from ({}) s").format(columns, select)).fetchone()


def _compare_with_gx(books: psycopg.Connection, delivery: Delivery, settings: Settings) -> None:
    subject = next(each for each in read_subjects() if each.resource_type == "Observation")
    instances = [each for each in subject.instances if _is_expressible(each)]
    fields = [each for each in instances if each.check.fails]
    codes = [each for each in instances if not each.check.fails]
    books.rollback()
    received = load_folder(books, find_source(load_sources(settings.sources_file), SOURCE), lambda text: None)
    delivery = Delivery(tuple(received.rows), NIGHT)
    delivery = contents.located(books, delivery)
    kinds = contents.kinds_delivered(books, delivery)
    contents.prepare(books, delivery, contents.kinds_referred_to([subject]) & kinds)
    built = flat.build(books, delivery, subject, read_tables(), kinds)
    from include.quality.catalogue import concepts

    ours = _timed(
        lambda: (
            list(field_scan.count(books, built, fields, delivery.latest)),
            list(concepts.count(books, built, codes, read_tables())),
        )
    )
    table = sql.Identifier("checks", _GX_TABLE)
    books.execute(sql.SQL("drop table if exists {}").format(table))
    books.execute(sql.SQL("create unlogged table {} as select * from {}").format(table, built.table))
    books.commit()
    try:
        with_keys = _timed(lambda: _validate(instances, settings))
    finally:
        books.execute(sql.SQL("drop table if exists {}").format(table))
        books.commit()
    print(
        f"the same {len(instances)} checks of Observation, columns taken out beforehand: ours {ours:.2f} s, "
        f"Great Expectations fetching keys itself {with_keys:.2f} s: {with_keys / ours:.0f} times as long"
    )


def _is_expressible(instance: Instance) -> bool:
    names = (
        "isRequired",
        "measureValueCompleteness",
        "valueSetMember",
        "fkDomain",
        "fkClass",
        "plausibleValueLow",
        "plausibleValueHigh",
    )
    return instance.check.name in names and not instance.where


def _validate(instances: list[Instance], settings: Settings) -> None:
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    import great_expectations as gx

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    url = sqlalchemy_url("checker", "hot", settings)
    source = context.data_sources.add_postgres(
        "hot", connection_string=f"{url}&options=-csearch_path%3Dchecks", create_temp_table=False
    )
    whole = source.add_table_asset("t", table_name=_GX_TABLE).add_batch_definition_whole_table("whole")
    suite = gx.ExpectationSuite(name="bench", expectations=[_expectation(gx, each) for each in instances])
    form = {"result_format": "COMPLETE", "unexpected_index_column_names": ["record_id"]}
    whole.get_batch().validate(suite, result_format=form)
    logging.disable(logging.NOTSET)


def _expectation(gx, instance: Instance):
    from great_expectations.expectations.row_conditions import Column

    if "values" in instance.arguments:
        return gx.expectations.ExpectColumnValuesToBeInSet(
            column=instance.column, value_set=list(instance.arguments["values"])
        )
    if "bound" in instance.arguments:
        limit = {
            "min_value" if instance.check.name == "plausibleValueLow" else "max_value": float(
                instance.arguments["bound"]
            )
        }
        here = (Column("code_value") == instance.arguments["code"]) & (Column("unit") == instance.arguments["unit"])
        return gx.expectations.ExpectColumnValuesToBeBetween(column="value", row_condition=here, **limit)
    return gx.expectations.ExpectColumnValuesToNotBeNull(column=instance.column)


if __name__ == "__main__":
    import sys

    sys.exit(main(sys.argv[1:]))
