"""Raw tables and mapped views follow the contracts, and never in a way that loses or opens what was loaded."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql

from include.settings import Settings
from include.sources.contracts import load_contract, raw_table_name
from include.sources.entities import ENTITIES, columns_of
from include.sources.registry import Source, load_sources
from include.warehouse.connect import OWNER, connect
from include.warehouse.tables import LEADING, TablesError, ensure_tables, ensure_views

EXAMPLES = Path(__file__).parent / "real_hospitals"
AT = datetime(2026, 11, 23, tzinfo=UTC)

CONTRACT = """
owner: tests
tables:
  vitals:
    files: vitals.csv
    data_class: lab_results
    key: [row_id]
    person: patient
    columns:
      row_id: {type: text, class: source_id, of: Observation}
      patient: {type: text, class: source_id, of: Patient}
      taken_at: {type: timestamp, class: quasi_identifier}
      taken_on: {type: date, class: quasi_identifier}
      systolic: {type: integer, class: clinical}
      diastolic: {type: integer, class: clinical}
      result: {type: text, class: clinical}
      state: {type: text, class: clinical}
      nurse: {type: text, class: direct_identifier}
    maps:
      - to: observation
        fields: {observation_id: row_id, patient_id: patient, value_number: systolic, observed_at: taken_at, status: state}
        constants: {code: "8480-6", system: "http://loinc.org"}
        values: {status: {F: final, "*": unknown}}
      - to: observation
        fields: {observation_id: row_id, patient_id: patient, value_number: diastolic, observed_at: taken_on}
        constants: {code: "8462-4", system: "http://loinc.org"}
      - to: observation
        fields: {patient_id: patient, value_number: result, observed_at: taken_at}
        constants: {code: "4548-4", system: "http://loinc.org"}
        where: {state: [F]}
"""


class Clinic:
    """A source that nobody else has: calling it shapes its tables under a contract given as YAML."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings, self.folder, self.name = settings, folder, f"clinic_{uuid4().hex[:12]}"
        self.table = f"{self.name}__vitals"

    def __call__(self, contract: str = CONTRACT) -> int:
        path = self.folder / "contract.yml"
        path.write_text(contract, encoding="utf-8")
        source = Source(self.name, "csv", self.folder, contract=load_contract(path), timezone="America/New_York")
        return ensure_tables([source], self.settings)

    def raw(self, columns: str) -> list[tuple]:
        return ask(self.settings, f"select {columns} from raw.{self.table}")

    def observations(self, columns: str, role: str = OWNER) -> list[tuple]:
        question = f"select {columns} from mapped.observation where source = %s order by code desc, value_number"
        return ask(self.settings, question, self.name, role=role)

    def declared(self) -> list[tuple]:
        return ask(self.settings, "select xmin, t from lifecycle.declared_table t where source = %s", self.name)


@pytest.fixture
def clinic(settings: Settings, tmp_path: Path) -> Clinic:
    return Clinic(settings, tmp_path)


def ask(settings: Settings, question: str, *values, role: str = OWNER) -> list[tuple]:
    with connect(role, "hot", settings) as hot:
        return hot.execute(question, values).fetchall()


def insert(clinic: Clinic, **values) -> UUID:
    """One row of the clinic's vitals as the loader writes it."""
    record_id = uuid4()
    leading = {"record_id": record_id, "source": clinic.name, "batch_id": "b", "batch_seq": 1, "data_class": "lab_results",
               "resource_id": str(record_id), "received_at": AT, "content_sha256": b"x"}  # fmt: skip
    row = {**leading, **values}
    with connect("loader", "hot", clinic.settings) as hot:
        hot.execute("select raw.ensure_partitions(%s, 'lab_results', '2026-11-01')", [clinic.table])
        hot.execute(
            sql.SQL("insert into {} ({}) values ({})").format(
                sql.Identifier("raw", clinic.table),
                sql.SQL(", ").join(map(sql.Identifier, row)),
                sql.SQL(", ").join([sql.Placeholder()] * len(row)),
            ),
            list(row.values()),
        )
    return record_id


def columns(settings: Settings, schema: str, table: str) -> dict[str, str]:
    return dict(
        ask(
            settings,
            """select attname::text, format_type(atttypid, atttypmod) from pg_attribute
               where attrelid = to_regclass(format('%%I.%%I', %s::text, %s::text)) and attnum > 0 and not attisdropped order by attnum""",
            schema,
            table,
        )
    )


def test_every_entity_has_a_view_before_any_contract_is_known(fresh_hot):
    for entity in ENTITIES:
        assert list(columns(fresh_hot, "mapped", entity)) == list(columns_of(entity))
        assert ask(fresh_hot, f"select count(*) from mapped.{entity}", role="transformer") == [(0,)]
    assert not ensure_views(fresh_hot), "views that are whole were made again"


def test_a_raw_table_has_the_leading_columns_the_clear_ones_and_one_for_what_is_sealed(clinic):
    assert clinic() == 1
    found = columns(clinic.settings, "raw", clinic.table)
    own = ["row_id", "patient", "taken_at", "taken_on", "systolic", "diastolic", "result", "state"]
    assert list(found) == [*LEADING, *own, "sealed"]
    assert (found["patient"], found["taken_at"], found["systolic"], found["sealed"]) == (
        "uuid",
        "timestamp with time zone",
        "bigint",
        "bytea",
    )


def test_nothing_happens_where_nothing_changed(clinic):
    clinic()
    before = clinic.declared()
    assert clinic() == 0
    assert clinic.declared() == before


def test_one_row_of_vitals_becomes_an_observation_a_sign_with_ids_of_their_own(clinic):
    clinic()
    row_id, patient = uuid4(), uuid4()
    insert(
        clinic,
        row_id=row_id,
        patient=patient,
        systolic=120,
        diastolic=80,
        state="F",
        taken_at=AT,
        taken_on=AT.date(),
    )
    rows = clinic.observations(
        "code, value_number, status, observation_id, patient_id, observed_at", role="transformer"
    )
    assert [row[:3] for row in rows] == [("8480-6", 120, "final"), ("8462-4", 80, None)]
    assert len({row[3] for row in rows} | {str(row_id)}) == 3
    assert {row[4] for row in rows} == {str(patient)}
    assert {row[5] for row in rows} == {AT}


def test_rows_without_the_value_are_no_observation_of_it(clinic):
    clinic()
    insert(clinic, systolic=120)
    assert clinic.observations("code") == [("8480-6",)]


def test_a_text_that_is_no_number_is_an_observation_without_a_number(clinic):
    clinic()
    for text in ("7.5", " 8e0 ", "positive", "NaN", "Infinity", "1.2.3"):
        insert(clinic, result=text, state="F")
    insert(clinic, result="9.9", state="draft")
    numbers = [row[0] for row in clinic.observations("value_number")]
    assert sorted(float(number) for number in numbers if number is not None) == [7.5, 8.0]
    assert numbers.count(None) == 4


def test_unlisted_values_become_what_the_star_says_and_null_stays_null(clinic):
    clinic()
    insert(clinic, systolic=1, state="F")
    insert(clinic, systolic=2, state="?")
    insert(clinic, systolic=3)
    assert clinic.observations("status") == [
        ("final",),
        ("unknown",),
        (None,),
    ]


def test_a_deleted_row_still_shows_so_that_its_deletion_is_applied(clinic):
    clinic()
    insert(clinic, is_deleted=True, state="F")
    assert {row[0] for row in clinic.observations("is_deleted")} == {True}


# -- contracts change


def test_a_new_column_comes_in_and_old_rows_have_it_empty(clinic):
    clinic()
    insert(clinic, systolic=120)
    assert (
        clinic(CONTRACT.replace("      state: {", "      pulse: {type: integer, class: clinical}\n      state: {")) == 1
    )
    assert clinic.raw("systolic, pulse") == [(120, None)]
    insert(clinic, systolic=1, pulse=60)


def test_a_column_may_get_a_wider_type_under_the_views_that_read_it(clinic):
    clinic()
    insert(clinic, systolic=120, diastolic=80)
    assert clinic(CONTRACT.replace("systolic: {type: integer", "systolic: {type: decimal")) == 1
    assert columns(clinic.settings, "raw", clinic.table)["systolic"] == "numeric"
    assert len(clinic.observations("*")) == 2


def test_a_narrower_type_is_refused_and_nothing_changes(clinic):
    clinic()
    before = clinic.declared()
    with pytest.raises(TablesError, match="retypes columns of clinic_.*__vitals: result from text to bigint"):
        clinic(CONTRACT.replace("result: {type: text", "result: {type: integer"))
    assert clinic.declared() == before


def test_a_column_that_stands_in_clear_cannot_quietly_become_sealed(clinic):
    clinic()
    with pytest.raises(TablesError, match="holds result in clear, and the contract now seals it"):
        clinic(CONTRACT.replace("result: {type: text, class: clinical}", "result: {type: text, class: free_text}").replace(
            "value_number: result", "value_number: systolic"))  # fmt: skip


def test_a_column_the_contract_drops_keeps_its_values(clinic):
    clinic()
    insert(clinic, taken_on=AT.date(), diastolic=80)
    assert (
        clinic(
            CONTRACT.replace("      taken_on: {type: date, class: quasi_identifier}\n", "").replace(
                "taken_on", "taken_at"
            )
        )
        == 1
    )
    assert clinic.raw("taken_on") == [(AT.date(),)]


def test_rows_of_a_source_that_is_gone_still_show(clinic):
    clinic()
    insert(clinic, systolic=120)
    assert ensure_tables([], clinic.settings) == 0
    other = Source(f"other_{uuid4().hex[:12]}", "csv", EXAMPLES, contract=load_contract(EXAMPLES / "geo.yml"))
    assert ensure_tables([other], clinic.settings) == 3
    assert clinic.observations("source") == [(clinic.name,)]


# -- who may read what


def test_the_transformer_reads_all_but_what_is_sealed(clinic):
    clinic()
    clear = [*LEADING, "row_id", "patient", "systolic", "result"]
    ask(clinic.settings, f"select {', '.join(clear)} from raw.{clinic.table}", role="transformer")
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied"):
        ask(clinic.settings, f"select sealed from raw.{clinic.table}", role="transformer")


@pytest.mark.parametrize("role", ["loader", "checker", "publisher", "api"])
def test_other_roles_do_not_read_what_rows_say(clinic, role):
    clinic()
    for question in (f"select result from raw.{clinic.table}", "select * from mapped.observation"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied"):
            ask(clinic.settings, question, role=role)


def test_the_loader_adds_rows_and_changes_none(clinic):
    clinic()
    insert(clinic, systolic=120)
    for statement in (
        f"update raw.{clinic.table} set systolic = 1",
        f"delete from raw.{clinic.table}",
        f"drop table raw.{clinic.table}",
    ):
        with (
            pytest.raises(psycopg.Error, match="permission denied|must be owner"),
            connect("loader", "hot", clinic.settings) as hot,
        ):
            hot.execute(statement)


# -- the examples


def test_the_example_contracts_give_tables_whose_views_run(fresh_hot):
    sources = load_sources(EXAMPLES / "sources.yml")
    tables = [(source, table) for source in sources if source.contract for table in source.contract.tables]
    assert ensure_tables(sources, fresh_hot) == len(tables) > 30
    with connect(OWNER, settings=fresh_hot) as hot:
        assert hot.execute("select audit.tell_reads()").fetchone() == (0,), (
            "reads of a new table are told from its first row on"
        )
    for source, table in tables:
        assert columns(fresh_hot, "raw", raw_table_name(source.name, table.name)), table.name
    for entity in ENTITIES:
        assert list(columns(fresh_hot, "mapped", entity)) == list(columns_of(entity))
        ask(fresh_hot, f"select * from mapped.{entity}", role="transformer")
    assert ensure_tables(sources, fresh_hot) == 0
