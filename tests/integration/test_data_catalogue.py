"""The catalogue of data says of each dataset whose it is, where it lies, until when, what it comes from, how good it is."""

from __future__ import annotations

from datetime import date

from include.lifecycle.move import apply_plan
from include.lifecycle.plan import plan_night
from include.lifecycle.policy import load_retention
from include.reports.night import write_report
from include.verdict import close_night
from include.warehouse.connect import connect
from include.warehouse.data_catalogue import publish_catalogue
from tests.months import store_month

LABS, COUNTS = load_retention().rule("lab_results"), load_retention().rule("population_metrics")
RECEIVED = date(2018, 1, 10)
LEAVES = LABS.leaves_hot_on(date(2018, 1, 1))


def catalogue(settings, night):
    with connect("publisher", settings=settings) as hot, connect("publisher", "warm", settings) as warm:
        publish_catalogue(hot, warm, night, settings)
    with connect("reader", "warm", settings) as warm:
        query = """select dataset, tier, owner, data_class, records, first_year, last_year, kept_to, quality
                   from governance.datasets order by place = 'warm', dataset, tier"""
        return warm.execute(query).fetchall()


def test_a_dataset_is_listed_by_tier_with_its_owner_and_the_end_of_its_newest_record_that_is_believed(fresh_hot):
    store_month(fresh_hot, RECEIVED, records=4, event_years=(2016, 2017))
    plan_night(LEAVES)
    apply_plan(LEAVES)
    now = LEAVES.replace(day=1)
    store_month(fresh_hot, now, records=3, event_years=(2017, now.year, 2919), label="odd")
    owner = ("laboratory director", "lab_results")
    assert catalogue(fresh_hot, LEAVES) == [
        ("clinic.Observation", "cold", *owner, 4, 2016, 2017, LABS.ends_after(2017), None),
        ("clinic.Observation", "hot", *owner, 3, 2017, now.year, LABS.ends_after(now.year), None),
    ]
    close_night(LEAVES, fresh_hot)
    page = write_report(LEAVES, fresh_hot).read_text()
    row = "<code>clinic.Observation</code></th><td>laboratory director</td><td>lab results</td><td>cold</td>"
    assert row in page.partition("until when it is kept")[2]


def test_a_mart_has_its_score_and_an_end_where_it_is_about_nobody(fresh_hot):
    with connect("publisher", "warm", fresh_hot) as warm:
        for relation in ("clinical.persons", "equity.disparities"):
            name = relation.replace(".", "__") + "__1"
            warm.execute(
                """insert into governance.version (relation, version, table_name, night, rows, content_hash, made_at)
                   values (%s, 1, %s, %s, 5, 'x', '2026-03-01')""",
                [relation, name, LEAVES],
            )
            warm.execute(
                "insert into governance.published_version (relation, version, night, rows, content_hash) values (%s, 1, %s, 5, 'x')",
                [relation, LEAVES],
            )
    with connect("checker", settings=fresh_hot) as hot:
        hot.execute(
            "insert into quality.score (night, source, data_class, overall, formula) values (%s, 'marts', 'clinical.persons', 0.75, 'x')",
            [LEAVES],
        )
    persons, disparities = catalogue(fresh_hot, LEAVES)
    assert (persons[0], *persons[-2:]) == ("clinical.persons", None, 0.75)
    assert (disparities[0], *disparities[-2:]) == ("equity.disparities", COUNTS.ends_after(2026), None)
