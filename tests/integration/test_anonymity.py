"""k, l and t of real candidate tables: against the examples of the papers that define them, and against counting in Python."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import date
from uuid import UUID

import numpy as np
import pytest

from include.privacy.anonymity import CLASS_SIZES, broken_thresholds, measure_anonymity
from include.privacy.anonymity_policy import AnonymityPolicy, AnonymityPolicyError, Attribute, Thresholds
from include.warehouse.audit import check_anonymity
from include.warehouse.connect import connect

NIGHT = date(2026, 11, 22)
NO_THRESHOLDS = Thresholds(None, None, None, 0)
OF_DISEASE = Attribute("disease", "clinical.persons", "disease")
# Machanavajjhala et al. 2007, figure 2: a 4-anonymous table whose last class all has cancer.
INPATIENTS = [
    *(("130**", "<30", disease) for disease in ("heart", "heart", "viral", "viral")),
    *(("1485*", ">=40", disease) for disease in ("cancer", "heart", "viral", "viral")),
    *(("130**", "3*", "cancer") for _ in range(4)),
]
# Li et al. 2007, tables 3 and 4: salaries of nine people in three classes.
SALARIES = [
    *(("476**", "2*", salary) for salary in ("3k", "4k", "5k")),
    *(("4790*", ">=40", salary) for salary in ("6k", "11k", "8k")),
    *(("476**", "3*", salary) for salary in ("7k", "9k", "10k")),
]
BY_SALARY = Attribute("salary", "clinical.persons", "disease", order=tuple(f"{n}k" for n in range(3, 12)))


@pytest.fixture
def hot(settings):
    """A transaction of the owner's, undone in the end: candidates of one's own beside whatever another test has left."""
    with connect("postgres", "hot", settings) as connection:
        yield connection
        connection.rollback()


def _fill(connection, people: list[tuple], conditions: list[tuple] = ()) -> None:
    connection.execute("drop table if exists candidate_clinical.persons, candidate_clinical.conditions cascade")
    connection.execute("create table candidate_clinical.persons (person_key uuid, zip3 text, age text, disease text)")
    connection.execute("create table candidate_clinical.conditions (person_key uuid, code text, day int)")
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into candidate_clinical.persons values (%s, %s, %s, %s)",
            [(UUID(int=n), *person) for n, person in enumerate(people)],
        )
        cursor.executemany("insert into candidate_clinical.conditions values (%s, %s, %s)", list(conditions))


def _policy(*attributes: Attribute, thresholds: Thresholds = NO_THRESHOLDS) -> AnonymityPolicy:
    return AnonymityPolicy(("zip3", "age"), attributes, thresholds)


def _attribute(hot) -> dict:
    names = ("values_known", "fewest_values", "fewest_entropy", "people_with_one_value", "greatest_distance", "mean_distance",
             "people_below_l", "people_beyond_t")  # fmt: skip
    row = hot.execute(
        f"select {', '.join(names)} from quality.anonymity_attribute where night = %s", [NIGHT]
    ).fetchone()
    return dict(zip(names, row, strict=True))


def test_the_inpatients_of_machanavajjhala_are_four_anonymous_and_one_diverse(hot):
    _fill(hot, INPATIENTS)
    assert measure_anonymity(hot, NIGHT, _policy(OF_DISEASE)) == {"people": 12, "classes": 3}
    smallest, unique = hot.execute(
        "select smallest_class, unique_people from quality.anonymity where night = %s and without = ''", [NIGHT]
    ).fetchone()
    found = _attribute(hot)
    assert (smallest, unique) == (4, 0)
    assert (found["values_known"], found["fewest_values"], found["people_with_one_value"]) == (3, 1, 4)
    assert found["fewest_entropy"] == 1


def test_the_salaries_of_li_lie_as_far_apart_as_the_paper_says(hot):
    _fill(hot, SALARIES)
    measure_anonymity(hot, NIGHT, _policy(BY_SALARY))
    assert float(_attribute(hot)["greatest_distance"]) == 0.375  # D[{3k, 4k, 5k}, Q], section 5


def test_a_rank_that_nobody_has_counts_in_an_ordered_distance(hot):
    _fill(hot, [("1", "a", "3k"), ("2", "b", "11k")])
    measure_anonymity(hot, NIGHT, _policy(BY_SALARY))
    assert float(_attribute(hot)["greatest_distance"]) == 0.5  # half a person over all eight steps, of eight


def _by_counting(people: list[tuple]) -> dict[str, float]:
    classes: dict[tuple, list[str]] = defaultdict(list)
    for zip3, age, disease in people:
        classes[zip3, age].append(disease)
    everybody = Counter(person[2] for person in people)
    shares = {value: count / len(people) for value, count in everybody.items()}
    distances, distinct, entropy, one = {}, {}, {}, 0
    for key, diseases in classes.items():
        own = {value: count / len(diseases) for value, count in Counter(diseases).items()}
        distances[key] = sum(abs(own.get(value, 0) - share) for value, share in shares.items()) / 2
        distinct[key] = len(own)
        entropy[key] = math.exp(-sum(share * math.log(share) for share in own.values()))
        one += len(diseases) if len(own) == 1 else 0
    return {
        "values_known": len(shares),
        "fewest_values": min(distinct.values()),
        "fewest_entropy": round(min(entropy.values()), 4),
        "people_with_one_value": one,
        "greatest_distance": round(max(distances.values()), 4),
        "mean_distance": round(sum(distances[k] * len(v) for k, v in classes.items()) / len(people), 4),
        "people_below_l": sum(len(v) for k, v in classes.items() if distinct[k] < 3),
        "people_beyond_t": sum(len(v) for k, v in classes.items() if distances[k] > 0.4),
    }


def test_sql_finds_what_counting_in_python_finds(hot):
    rng = np.random.default_rng(7)
    people = [(f"z{z}", f"a{a}", f"d{d}") for z, a, d in zip(rng.integers(0, 9, 400), rng.integers(0, 6, 400),
              rng.choice(5, 400, p=[0.6, 0.2, 0.1, 0.06, 0.04]), strict=True)]  # fmt: skip
    _fill(hot, people)
    policy = _policy(OF_DISEASE, thresholds=Thresholds(5, 3, 0.4, 0.0))
    measure_anonymity(hot, NIGHT, policy)
    assert {name: float(value) for name, value in _attribute(hot).items()} == pytest.approx(
        _by_counting(people), abs=1e-4
    )
    sizes = Counter(Counter(person[:2] for person in people).values())
    for low, high in CLASS_SIZES:
        told = hot.execute("select classes, people from quality.anonymity_class where size_from = %s", [low]).fetchone()
        inside = {size: n for size, n in sizes.items() if low <= size <= (high or size)}
        assert told == (sum(inside.values()), sum(size * n for size, n in inside.items()))
    by_zip = Counter(person[0] for person in people)
    without_age = hot.execute("select classes, smallest_class from quality.anonymity where without = 'age'").fetchone()
    assert without_age == (len(by_zip), min(by_zip.values()))


def test_the_newest_of_several_values_counts_and_none_is_a_value(hot):
    _fill(hot, INPATIENTS, [(UUID(int=0), "old", 1), (UUID(int=0), "new", 9), (UUID(int=1), "new", 2)])
    newest = Attribute("diagnosis", "clinical.conditions", "code", newest_by="day")
    measure_anonymity(hot, NIGHT, _policy(newest))
    assert _attribute(hot)["values_known"] == 2  # 'new' and not known


def test_nothing_is_held_back_before_a_threshold_is_set(hot):
    _fill(hot, [("1", "a", "x"), ("2", "b", "y")])
    policy = _policy(OF_DISEASE)
    measure_anonymity(hot, NIGHT, policy)
    assert list(broken_thresholds(hot, NIGHT, policy)) == []


@pytest.mark.parametrize(("thresholds", "said", "people"), [
    (Thresholds(5, None, None, 0.0), "12 of 12 people share their quasi-identifiers with fewer than 5", 12),
    (Thresholds(None, 2, None, 0.1), "4 of 12 people are in a class with fewer than 2 values of 'disease'", 4),
    (Thresholds(None, None, 0.5, 0.0), "4 of 12 people are in a class whose 'disease' lies further than 0.5", 4),
])  # fmt: skip
def test_a_broken_threshold_says_what_was_found_expected_and_can_be_done(hot, thresholds, said, people):
    _fill(hot, INPATIENTS)
    policy = _policy(OF_DISEASE, thresholds=thresholds)
    measure_anonymity(hot, NIGHT, policy)
    ((text, concerned),) = broken_thresholds(hot, NIGHT, policy)
    assert said in text and concerned == people
    assert "allowed" in text and "in disclosure.yml" in text
    lenient = replace(policy, thresholds=replace(thresholds, share_allowed=1.0))
    assert list(broken_thresholds(hot, NIGHT, lenient)) == []


def test_a_name_in_the_policy_that_no_mart_has_is_refused_with_every_other(hot):
    _fill(hot, INPATIENTS)
    wrong = AnonymityPolicy(("zip3", "shoe_size"), (replace(OF_DISEASE, column="mood"),), NO_THRESHOLDS)
    with pytest.raises(AnonymityPolicyError, match=r"clinical\.persons\.mood, clinical\.persons\.shoe_size"):
        measure_anonymity(hot, NIGHT, wrong)


def test_the_audit_makes_a_finding_of_it_that_is_red(fresh_hot, monkeypatch):
    with connect("transformer", "hot", fresh_hot) as transformer:
        _fill(transformer, INPATIENTS)
    strict = _policy(OF_DISEASE, thresholds=Thresholds(5, None, None, 0.0))
    monkeypatch.setattr(
        "include.privacy.anonymity.DisclosurePolicy.load", lambda: type("P", (), {"anonymity": strict})()
    )
    with connect("leak_scanner", "hot", fresh_hot) as hot:
        (finding,) = check_anonymity(hot, NIGHT)
    assert (finding.finding, finding.failures, finding.promise) == ("anonymity", 12, "nothing leaks")
