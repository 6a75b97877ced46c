"""The catalogue on marts and on persons of several sources: counted exactly, kept beside the rest, an error is no pass."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid5

import psycopg
import pytest
import yaml
from psycopg import sql

from include.quality.catalogue import after_build, assess
from include.quality.catalogue.custom import read_custom
from include.quality.catalogue.marts import read_marts
from include.quality.gate import check_batch
from include.settings import Settings
from include.verdict import close_night, read_facts
from include.warehouse.connect import connect
from tests.quality_inputs import NIGHT, Documents

MODELS = Path(__file__).resolve().parents[2] / "dbt_project" / "models"
LOINC, ICD10, ACT = (
    "http://loinc.org",
    "http://hl7.org/fhir/sid/icd-10-cm",
    "http://terminology.hl7.org/CodeSystem/v3-ActCode",
)
SPACE = UUID("5c0ffee0-0000-4000-8000-000000000001")


def key(name: str) -> UUID:
    return uuid5(SPACE, name)


@pytest.fixture
def marts(fresh_hot: Settings) -> Settings:
    """The candidate tables as the transformer makes them, by the contracts, with two people in good order."""
    with connect("transformer", "hot", fresh_hot) as hot:
        for schema in ("clinical", "measures"):
            for file in (MODELS / schema).glob("*.yml"):
                for model in yaml.safe_load(file.read_text()).get("models") or []:
                    columns = sql.SQL(", ").join(
                        sql.SQL("{} {}").format(sql.Identifier(each["name"]), sql.SQL(each["data_type"]))
                        for each in model["columns"]
                    )
                    place = sql.Identifier(f"candidate_{schema}", model["name"])
                    hot.execute(sql.SQL("create table {} ({})").format(place, columns))
        hot.execute(
            "create table intermediate.int_sources__agreement (source text, trait text, tested bigint, failed bigint)"
        )
    for person, sex in (("ann", "female"), ("bob", "male")):
        add(fresh_hot, "clinical.persons", person_key=key(person), has_patient_record=True, source_count=1, birth_year=1960,
            birth_year_basis="day", age_status="known", sex=sex, is_deceased=False, first_event_year=2020, observed_days=900)  # fmt: skip
        visit(fresh_hot, f"{person} sees", person, day=10)
        for code, value, unit in (("8302-2", 170, "cm"), ("29463-7", 68, "kg"), ("39156-5", 23.5, "kg/m2")):
            observe(fresh_hot, f"{person} {code}", person, code, value, unit)
    with connect("loader", "hot", fresh_hot) as books:
        books.execute("insert into lifecycle.night (night) values (%s)", [NIGHT])
    return fresh_hot


def add(settings: Settings, relation: str, **values) -> None:
    schema, table = relation.split(".")
    with connect("transformer", "hot", settings) as hot:
        hot.execute(
            sql.SQL("insert into {} ({}) values ({})").format(
                sql.Identifier(f"candidate_{schema}", table), sql.SQL(", ").join(map(sql.Identifier, values)),
                sql.SQL(", ").join(sql.Placeholder() * len(values)),
            ),
            list(values.values()),
        )  # fmt: skip


def visit(settings: Settings, name: str, person: str, *, day: int, stay: float = 0.1, year: int = 2020) -> None:
    add(settings, "clinical.encounters", encounter_key=key(name), person_key=key(person), class_code="AMB", status="finished",
        length_of_stay_days=stay, event_year=year, days_from_first_event=day, age_status="known")  # fmt: skip


def observe(
    settings: Settings, name: str, person: str, code: str, value: float, unit: str, *, day: int = 10, year: int = 2020
) -> None:
    add(settings, "clinical.observations", observation_key=key(name), person_key=key(person), encounter_key=key(f"{person} sees"),
        system=LOINC, code=code, category="vital-signs", status="final", value_number=value, unit=unit, event_year=year,
        days_from_first_event=day, age_status="known")  # fmt: skip


def results(settings: Settings, source: str = "marts", stage: str = "mart") -> dict[str, tuple]:
    with connect("checker", "hot", settings) as books:
        rows = books.execute(
            "select instance, status, tested, failed from quality.check_result where (night, source, stage) = (%s, %s, %s)",
            [NIGHT, source, stage],
        )
        return {instance: tuple(rest) for instance, *rest in rows.fetchall()}


def test_sound_marts_fail_no_check_of_what_is_there(marts: Settings, tmp_path: Path, monkeypatch):
    after_build.assess_marts(NIGHT, marts)
    found = results(marts)
    assert {status for status, *_ in found.values()} <= {"passed", "failed", "not_applicable"}
    bad = [
        name
        for name, each in found.items()
        if each[0] == "failed" and ".cdm" not in name and "Completeness" not in name
    ]
    assert bad == []
    assert found["mart.observations.computedBodyMassIndex.value_number"] == ("passed", 2, 0)
    assert found["mart.observations.withinVisitDates.happened_at"] == ("passed", 6, 0)
    _the_checker_may_read_marts_that_dbt_makes_and_write_none(marts)
    _a_check_of_one_s_own_may_look_at_marts(marts, tmp_path, monkeypatch)


def test_every_mart_is_scored_with_its_formula_and_a_repeat_changes_nothing(marts: Settings):
    for code, value, unit in (("8302-2", 170, "cm"), ("29463-7", 68, "kg"), ("39156-5", 90, "kg/m2")):
        observe(marts, f"ann again {code}", "ann", code, value, unit, day=11)
    visit(marts, "backwards", "ann", day=11)
    first = scores_after_the_build(marts)
    assert set(first) == {mart.relation for mart in read_marts() if mart.relation in first} >= {
        "clinical.persons", "clinical.observations", "clinical.encounters"}  # fmt: skip
    completeness, accuracy, consistency, timeliness, validity, overall, formula = first["clinical.observations"]
    tested, failed = 3, 1 - int(0.01 * 3)
    found = results(marts)["mart.observations.computedBodyMassIndex.value_number"]
    assert found == ("failed", tested, failed)
    assert float(accuracy) == pytest.approx(1 - failed / tested) and timeliness is None
    assert "accuracy against arithmetic (3 tested)" in formula and "not assessed: timeliness" in formula
    assert 0 < overall < 1
    assert first["clinical.persons"][1] is None, "nothing to compare persons with is no accuracy"
    assert scores_after_the_build(marts) == first


def scores_after_the_build(settings: Settings) -> dict[str, tuple]:
    """Mart -> its five dimensions, the overall score and the formula."""
    after_build.assess_marts(NIGHT, settings)
    with connect("checker", "hot", settings) as books:
        rows = books.execute(
            """select data_class, completeness, accuracy, consistency, timeliness, validity, overall, formula
               from quality.score where night = %s and source = 'marts'""",
            [NIGHT],
        )
        return {mart: tuple(rest) for mart, *rest in rows.fetchall()}


def test_what_makes_no_sense_in_a_history_is_counted_by_its_check(marts: Settings, tmp_path: Path, monkeypatch):
    observe(marts, "typo", "ann", "4548-4", 61, "%")
    observe(marts, "late", "ann", "8310-5", 36.8, "Cel", day=40)
    observe(marts, "stone", "bob", "29463-7", 11, "[stone_av]", day=11)
    observe(marts, "unborn", "bob", "8310-5", 36.8, "Cel", day=10, year=1958)
    for name in ("twice", "twice again"):
        visit(marts, name, "bob", day=50, stay=2.25)
    observe(marts, "prostate", "ann", "2857-1", 4.1, "ng/mL")
    add(marts, "clinical.persons", person_key=key("cyd"), has_patient_record=True, source_count=2, birth_year=1950, birth_year_basis="day",
        age_status="known", sex="female", is_deceased=True, death_year=2018, first_event_year=2017, observed_days=900)  # fmt: skip
    visit(marts, "after death", "cyd", day=900, year=2021)
    visit(marts, "forgotten", "bob", day=30, stay=4000)
    for name, person in (("bob's pregnancy", "bob"), ("ann's pregnancy", "ann")):
        add(marts, "clinical.conditions", condition_key=key(name), person_key=key(person), system=ICD10, code="O80", code_origin="source",
            category="encounter-diagnosis", has_abated=True, event_year=2020, days_from_first_event=10, age_status="known")  # fmt: skip
    after_build.assess_marts(NIGHT, marts)
    found = results(marts)
    expected = {
        "mart.observations.plausibleValueHigh.4548-4[%]": (1, 1),
        "mart.observations.withinVisitDates.happened_at": (11, 1),
        "mart.observations.plausibleUnitConceptIds.29463-7": (3, 1),
        "mart.observations.plausibleAfterBirth.year_last": (11, 1),
        "mart.observations.plausibleGender.2857-1[male]": (1, 1),
        "mart.encounters.duplicateRecord": (6, 1),
        "mart.encounters.plausibleDuringLife.year_first": (1, 1),
        "mart.encounters.plausibleBeforeDeath.year_first": (1, 1),
        "mart.encounters.plausibleAmount.length_of_stay_days": (6, 1),
        "mart.conditions.plausibleGenderUseDescendants.O[female]": (2, 1),
        "mart.conditions.measureValueCompleteness.days_until_abated[has_abated=true]": (2, 2),
    }
    assert {name: found[name] for name in expected} == {name: ("failed", *counts) for name, counts in expected.items()}
    bad = {
        name
        for name, each in found.items()
        if each[0] == "failed" and ".cdm" not in name and "Completeness" not in name
    }
    assert bad == {name for name in expected if "Completeness" not in name}
    _running_it_again_leaves_the_same_results_and_thresholds_count(marts, tmp_path, monkeypatch)
    _a_mart_that_cannot_be_read_is_an_error_of_each_check_and_makes_the_night_amber(marts)


def _running_it_again_leaves_the_same_results_and_thresholds_count(
    marts: Settings, tmp_path: Path, monkeypatch
) -> None:
    first = results(marts)
    name = "mart.encounters.plausibleAmount.length_of_stay_days"
    after_build.assess_marts(NIGHT, marts)
    assert results(marts) == first
    from include.quality.catalogue import thresholds

    policy = tmp_path / "check_thresholds.yml"
    policy.write_text(yaml.safe_dump({"owner": "o", "thresholds": [{
        "check": "plausibleAmount", "source": "marts", "threshold": 0.5, "owner": "o", "reason": "known", "expires": NIGHT}]}))  # fmt: skip
    lenient = thresholds.load_thresholds(policy)
    monkeypatch.setattr(assess, "load_thresholds", lambda: lenient)
    assert ("marts", name, "failed", "passed") in assess.rejudge(NIGHT, marts)


def _a_mart_that_cannot_be_read_is_an_error_of_each_check_and_makes_the_night_amber(marts: Settings) -> None:
    with connect("transformer", "hot", marts) as hot:
        hot.execute("drop table candidate_clinical.immunizations")
        hot.execute("alter table candidate_clinical.reports drop column category")
    after_build.assess_marts(NIGHT, marts)
    found = results(marts)
    for mart in ("immunizations", "reports"):
        of_it = [each for name, each in found.items() if name.startswith(f"mart.{mart}.")]
        assert len(of_it) > 10 and {status for status, *_ in of_it} == {"error"}
    assert found["mart.observations.computedBodyMassIndex.value_number"][0] in ("passed", "failed")
    with connect("publisher", "hot", marts) as books:
        (said,) = read_facts(books, NIGHT).alarms
    assert "checks of the marts and of persons of several sources could not be counted" in said
    with connect("transformer", "hot", marts) as hot:
        hot.execute("drop table candidate_clinical.persons")
    after_build.assess_marts(NIGHT, marts)
    assert {status for status, *_ in results(marts).values()} == {"error"}


def _the_checker_may_read_marts_that_dbt_makes_and_write_none(marts: Settings) -> None:
    with connect("checker", "hot", marts) as books:
        assert books.execute("select count(*) from candidate_clinical.persons").fetchone() == (2,)
        for statement in (
            "delete from candidate_clinical.persons",
            "select * from intermediate.int_sources__agreement",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), books.transaction():
                books.execute(statement)


def _a_check_of_one_s_own_may_look_at_marts(marts: Settings, tmp_path: Path, monkeypatch) -> None:
    words = "owner: x\nasks: x\nkahn: [validation, plausibility, null]\ndimension: validity\nthreshold: 0\naction: x\n"
    (tmp_path / "tall.yml").write_text(
        words
        + "check: tall\nsubject: mart_observations\napplies: code = '8302-2'\nfails: value_number > 160 and sex = 'male'\n"
    )
    head = "".join(f"-- {line}\n" for line in words.splitlines())
    (tmp_path / "seen.sql").write_text(
        f"-- check: seen\n-- subject: mart_persons\n{head}select count(*), count(*) filter (where not exists ("
        "select from mart_encounters e where e.person_token = p.person_token)) from mart_persons p"
    )
    monkeypatch.setenv("PLUMBLINE_CHECKS_DIR", str(tmp_path))
    after_build.assess_marts(NIGHT, marts)
    found = results(marts)
    assert found["mart.observations.tall"] == ("failed", 2, 1)
    assert found["mart.persons.seen"] == ("passed", 2, 0)
    read_custom.cache_clear()


@pytest.fixture
def compared(marts: Settings) -> Iterator[tuple[Settings, Documents]]:
    """A delivery that was judged, of a source that dbt has compared with another."""
    made = Documents(marts, source="north")
    made.patient("ann")
    made.clean(20)
    with connect("loader", "hot", marts) as books:
        books.execute(
            "insert into lifecycle.source_state (night, source, kind, required, age_days, max_age_days) values (%s, 'north', 'fhir_bulk', true, 1, 2)",
            [NIGHT],
        )
    batch = made.load()
    assess.assess_batches([batch], marts)
    check_batch(batch, marts)
    with connect("transformer", "hot", marts) as hot:
        for source in ("north", "south"):
            for trait, tested, failed in (("birth_date", 100, 0), ("sex", 100, 4), ("value", 0, 0)):
                hot.execute(
                    "insert into intermediate.int_sources__agreement values (%s, %s, %s, %s)",
                    [source, trait, tested, failed],
                )
    return marts, made


def test_agreement_with_other_sources_is_the_source_s_accuracy(compared):
    settings, _ = compared
    before = score_of(settings)
    assert before.accuracy is None and "accuracy" in before.formula.partition("not assessed:")[2]
    after_build.assess_marts(NIGHT, settings)
    found = results(settings, "north", "resolved")
    assert found["Patient.agreesWithOtherSources.sex"] == ("failed", 100, 4)
    assert found["Patient.agreesWithOtherSources.birth_date"] == ("passed", 100, 0)
    assert found["Observation.agreesWithOtherSources.value"] == ("not_applicable", 0, 0)
    after = score_of(settings)
    # of four that differ one may: three of two hundred
    assert float(after.accuracy) == pytest.approx(1 - 3 / 200)
    assert "accuracy against other sources (200 tested)" in after.formula
    after_build.assess_marts(NIGHT, settings)
    assert score_of(settings) == after
    # a source that brought nothing tonight is compared and not scored
    assert results(settings, "south", "resolved")["Patient.agreesWithOtherSources.sex"] == ("failed", 100, 4)
    assert score_of(settings, "south") is None
    _results_of_all_stages_reach_governance(settings)
    _without_the_comparison_nothing_is_made_up(settings)


def score_of(settings: Settings, source: str = "north"):
    from psycopg.rows import namedtuple_row

    with connect("checker", "hot", settings) as books:
        books.row_factory = namedtuple_row
        return books.execute(
            "select accuracy, overall, formula from quality.score where night = %s and source = %s and data_class = 'patient_data'",
            [NIGHT, source],
        ).fetchone()


def _results_of_all_stages_reach_governance(settings: Settings) -> None:
    close_night(NIGHT, settings)
    with connect("reader", "warm", settings) as warm:
        stages = dict(warm.execute(
            "select stage, count(*) from governance.check_results where night = %s group by 1", [NIGHT]
        ).fetchall())  # fmt: skip
    assert set(stages) == {"delivery", "resolved", "mart"}
    assert stages["mart"] == sum(len(mart.subject.instances) for mart in read_marts())


def _without_the_comparison_nothing_is_made_up(settings: Settings) -> None:
    with connect("transformer", "hot", settings) as hot:
        hot.execute("drop table intermediate.int_sources__agreement")
    after_build.assess_marts(NIGHT, settings)
    assert {each[0] for each in results(settings, "north", "resolved").values()} == {"error"}
    assert score_of(settings).accuracy is None
