"""Kind database, from a real source system through raw: what changes, goes and comes back at the source does so here."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import pytest

from include.errors import SettingsError
from include.landing import land, pulls
from include.local_stack.home import write_private
from include.settings import Settings
from include.sources import database_pull
from include.sources.pulling import PullJob, Unbooked
from include.sources.registry import SourcesError, load_sources
from tests.source_systems import NAME, NIGHT, Feed, PostgresSystem, SqliteSystem, everything_in_clear

CONTRACT = """
owner: tests
identifier_system: http://east.example.org/mrn
tables:
  patients:
    from: {table: patients}
    data_class: patient_data
    key: [id]
    person: id
    columns:
      id: {type: text, class: source_id, of: Patient}
      family: {type: text, class: direct_identifier}
      born: {type: date, class: quasi_identifier}
      sex: {type: text, class: clinical}
    not_loaded: {changed: "only the visits' tells more"}
    maps:
      - {to: patient, fields: {patient_id: id, birth_date: born, sex: sex}, values: {sex: {F: female, M: male}}}
  visits:
    from: {table: visits, watermark: changed}
    data_class: patient_data
    key: [id]
    person: patient
    event_at: started
    columns:
      id: {type: text, class: source_id, of: Encounter}
      patient: {type: text, class: source_id, of: Patient}
      kind: {type: text, class: clinical}
      state: {type: text, class: clinical}
      started: {type: timestamp, class: quasi_identifier}
    not_loaded: {changed: "says only when the row was written"}
    maps:
      - to: encounter
        fields: {encounter_id: id, patient_id: patient, class_code: kind, started_at: started, status: state}
        where: {state: [finished, planned]}
"""
TABLES = (
    "create table patients (id varchar(9) primary key, family text, born date, sex char(1), changed timestamp)",
    "create table visits (id varchar(9) primary key, patient text, kind text, state text, started timestamp, changed timestamp)",
    f"insert into patients values ('p1', '{NAME}', '1980-02-29', 'F', null), ('p2', 'Doe', '1950-01-01', 'M', null)",
    """insert into visits values ('v1', 'p1', 'AMB', 'finished', '2026-10-01 10:00:00', '2026-11-20 10:00:00'),
       ('v2', 'p1', 'EMER', 'finished', '2026-10-02 10:00:00', '2026-11-20 11:00:00'),
       ('v3', 'p2', 'AMB', 'planned', '2026-10-03 10:00:00', '2026-11-20 12:00:00'),
       ('v4', 'p2', 'AMB', 'draft', '2026-10-04 10:00:00', null)""",
)
VISITS = "class_code, status, to_char(started_at, 'DD HH24:MI')"


def night_after(days: int) -> date:
    return NIGHT + timedelta(days=days)


@pytest.fixture(params=["sqlite", "postgres"])
def system(request, settings: Settings, tmp_path) -> Iterator[SqliteSystem | PostgresSystem]:
    made = SqliteSystem(tmp_path) if request.param == "sqlite" else PostgresSystem(settings)
    made(*TABLES)
    yield made
    made.close()


def feed_of(settings: Settings, system, tmp_path, contract: str = CONTRACT, **words) -> Feed:
    (tmp_path / "east.yml").write_text(contract)
    feed = Feed.of(settings, tmp_path, "database", url_secret="east_url", contract="east.yml", tries=1, **words)
    write_private(settings.secrets_dir / "east_url", system.url + "\n")
    return feed


@pytest.fixture
def feed(settings: Settings, system, tmp_path) -> Feed:
    return feed_of(settings, system, tmp_path)


def test_a_first_night_brings_every_row_and_a_quiet_one_none(feed, system):
    assert feed.night().objects_new == 2
    assert feed.counts("patients") == (2, 2, 0, 0)
    assert feed.counts("visits") == (4, 4, 0, 0)
    assert feed.current("encounter", VISITS) == [
        ("AMB", "finished", "01 10:00"), ("AMB", "planned", "03 10:00"), ("EMER", "finished", "02 10:00"),
    ]  # fmt: skip
    quiet = feed.night(night_after(1))
    assert (quiet.objects_new, quiet.missing) == (0, False)
    assert feed.state(night_after(1)) == (False, [])
    assert feed.counts("visits") == (4, 4, 0, 0)


def test_changes_and_deletions_reach_what_dbt_reads(feed, system):
    feed.night()
    system(
        "update visits set started = '2026-10-01 11:30:00', changed = '2026-11-22 09:00:00' where id = 'v1'",
        "delete from visits where id = 'v2'",
        "update visits set state = 'cancelled', changed = '2026-11-22 09:00:00' where id = 'v3'",
        "update patients set born = '1981-01-01' where id = 'p1'",
        "insert into visits values ('v5', 'p2', 'IMP', 'finished', '2026-11-21 10:00:00', '2026-11-22 10:00:00')",
    )
    feed.night(night_after(1))
    assert feed.current("encounter", VISITS) == [("AMB", "finished", "01 11:30"), ("IMP", "finished", "21 10:00")]
    assert feed.current("patient", "birth_date::text, sex") == [("1950-01-01", "male"), ("1981-01-01", "female")]
    assert feed.counts("visits") == (8, 8, 0, 0)
    tombstones = feed.ask(
        f"select count(*), count(person_token), count(event_at) from raw.{feed.name}__visits where is_deleted"
    )
    assert tombstones == [(1, 1, 1)], "a deletion does not know whose it is, or when"


def test_a_value_that_goes_back_and_a_row_that_comes_back_count(feed, system):
    feed.night()
    began = feed.current("encounter", VISITS)
    system(
        "update visits set kind = 'IMP', changed = '2026-11-22 09:00:00' where id = 'v1'",
        "delete from visits where id = 'v2'",
    )
    feed.night(night_after(1))
    assert feed.current("encounter", "class_code") == [("AMB",), ("IMP",)]
    system(
        "update visits set kind = 'AMB', changed = '2026-11-20 10:00:00' where id = 'v1'",
        "insert into visits values ('v2', 'p1', 'EMER', 'finished', '2026-10-02 10:00:00', '2026-11-23 11:00:00')",
    )
    feed.night(night_after(2))
    assert feed.current("encounter", VISITS) != began, "v1 was set back under an old watermark: no pull can see that"
    system("update visits set changed = '2026-11-24 10:00:00' where id = 'v1'")
    feed.night(night_after(3))
    assert feed.current("encounter", VISITS) == began


def test_rows_that_the_watermark_hides_are_found_by_their_keys(feed, system):
    feed.night()
    system("insert into visits values ('v9', 'p1', 'HH', 'finished', '2026-10-09 10:00:00', '2020-01-01 00:00:00')")
    feed.night(night_after(1))
    assert ("HH", "finished", "09 10:00") in feed.current("encounter", VISITS)
    missing, notes = feed.state(night_after(1))
    assert not missing
    assert "1 rows are there that column changed did not bring" in notes[0]


def test_later_forms_win_whenever_they_are_loaded(feed, system):
    feed.night()
    system(
        "update visits set kind = 'IMP', changed = '2026-11-22 09:00:00' where id = 'v1'",
        "delete from visits where id = 'v2'",
    )
    feed.land(night_after(1))
    waiting = feed.load(night_after(1))  # the gate's people are slow: these wait
    system("update visits set kind = 'EMER', changed = '2026-11-23 09:00:00' where id = 'v1'",
           "insert into visits values ('v2', 'p1', 'HH', 'finished', '2026-10-02 10:00:00', '2026-11-23 09:00:00')")  # fmt: skip
    feed.land(night_after(2))
    later = [batch for batch in feed.load(night_after(2)) if batch not in waiting]
    feed.enter(later)
    in_between = feed.current("encounter", VISITS)
    feed.enter(waiting)
    assert feed.current("encounter", VISITS) == in_between == [
        ("AMB", "planned", "03 10:00"), ("EMER", "finished", "01 10:00"), ("HH", "finished", "02 10:00"),
    ]  # fmt: skip


def test_forms_of_several_nights_in_one_batch_are_a_history(feed, system):
    feed.night()
    system("update visits set kind = 'IMP', changed = '2026-11-22 09:00:00' where id = 'v1'")
    feed.land(night_after(1))
    system("update visits set kind = 'EMER', changed = '2026-11-23 09:00:00' where id = 'v1'")
    feed.night(night_after(2))
    assert feed.counts("visits") == (6, 6, 0, 0)
    assert ("EMER", "finished", "01 10:00") in feed.current("encounter", VISITS)


def test_a_night_that_runs_again_orders_its_second_pull_after_its_first(feed, system):
    feed.night()
    system("update visits set kind = 'IMP', changed = '2026-11-22 09:00:00' where id = 'v1'")
    feed.night()
    assert ("IMP", "finished", "01 10:00") in feed.current("encounter", VISITS)


@pytest.mark.parametrize("place", ["write_down", "add_objects", "tidy"])
def test_a_pull_killed_before_or_after_it_is_written_down_loses_and_doubles_nothing(feed, system, monkeypatch, place):
    feed.night()
    system(
        "update visits set kind = 'IMP', changed = '2026-11-22 09:00:00' where id = 'v1'",
        "delete from visits where id = 'v2'",
    )
    where = {
        "write_down": (pulls.Fetched, "write_down"),
        "tidy": (pulls.Fetched, "tidy"),
        "add_objects": (land.catalogue, "add_objects"),
    }

    def kill(*words, **more):
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr(*where[place], kill)
        with pytest.raises(KeyboardInterrupt):
            feed.land(night_after(1))
    feed.night(night_after(1))
    assert feed.current("encounter", "class_code") == [("AMB",), ("IMP",)]
    assert feed.counts("visits") == (6, 6, 0, 0)
    assert not (feed.settings.home / "pulls" / feed.name).exists()


def test_more_rows_gone_than_allowed_are_not_taken_for_deleted(settings, system, tmp_path):
    feed = feed_of(settings, system, tmp_path)
    values = ", ".join(f"('m{n}', 'p1', 'AMB', 'finished', '2026-10-01 10:00:00', null)" for n in range(60))
    system(f"insert into visits values {values}")
    feed.night()
    system("create table away as select * from visits where id like 'm%'", "delete from visits where id like 'm%'")
    feed.night(night_after(1))
    missing, notes = feed.state(night_after(1))
    assert "60 of 64 known rows are gone, more than most_gone (0.2) allows" in notes[0]
    assert len(feed.current("encounter", "1")) == 63
    feed = Feed(feed.settings, feed.name)
    (tmp_path / "east.yml").write_text(CONTRACT.replace("watermark: changed}", "watermark: changed, most_gone: 1}"))
    feed.night(night_after(2))
    assert len(feed.current("encounter", "1")) == 3


def test_a_contract_that_grows_reads_the_table_whole_again(feed, system, tmp_path):
    feed.night()
    system("alter table visits add column ward text", "update visits set ward = 'W3' where id = 'v1'")
    wider = CONTRACT.replace("      started: {", "      ward: {type: text, class: clinical}\n      started: {")
    (tmp_path / "east.yml").write_text(wider)
    feed.night(night_after(1))
    assert feed.ask(f"select ward from raw.{feed.name}__visits where ward is not null") == [("W3",)]


def test_columns_that_the_contract_does_not_name_are_told_and_not_loaded(settings, system, tmp_path):
    feed = feed_of(
        settings, system, tmp_path, CONTRACT.replace('    not_loaded: {changed: "only the visits\' tells more"}\n', "")
    )
    feed.night()
    assert feed.ask("select drift from lifecycle.source_state where source = %s", feed.name) == [
        ([{"table": "patients", "kind": "undeclared_column", "columns": ["changed"], "count": 1}],)
    ]


def test_rows_that_cannot_be_loaded_are_quarantined_with_their_reason(feed, system):
    system(
        "alter table patients rename to people",
        "create table patients (id text, family text, born text, sex text)",
        "insert into patients values ('p1', 'a', '1980-02-30', 'F'), (null, 'b', '1980-01-01', 'F'), ('p3', 'c', '1980-01-01', 'F'), ('p3', 'd', '1980-01-01', 'M')",
    )
    feed.night()
    feed.night(night_after(1))
    found = feed.ask(
        "select reason_code, count(*)::int from quality.quarantine where source = %s and stage = 'load' group by 1 order by 1",
        feed.name,
    )
    assert found == [("bad_value_type", 1), ("duplicate_key", 1), ("missing_key", 1)]
    assert feed.counts("patients") == (4, 1, 0, 3)


def test_a_table_that_is_not_there_leaves_the_others_be(feed, system):
    system("drop table patients")
    landed = feed.night()
    assert not landed.missing
    missing, notes = feed.state()
    assert "table patients: no such table" in notes[0]
    assert feed.counts("visits")[0] == 4


def test_a_day_that_python_has_no_value_for_costs_its_table_and_not_the_night(settings, tmp_path):
    system = PostgresSystem(settings)
    system.url = system.url.replace("+psycopg:", "+psycopg2:")  # whose ValueError is none of the database's own errors
    try:
        system(*TABLES, "update visits set started = '20000-01-01' where id = 'v2'")
        feed = feed_of(settings, system, tmp_path)
        feed.night()
        _, notes = feed.state()
        assert notes[0].startswith("table visits: the database refused to read it or broke off (ValueError)")
        assert "20000" not in notes[0]
        assert feed.counts("patients") == (2, 2, 0, 0)
    finally:
        system.close()


def test_a_table_that_lost_a_declared_column_is_not_read(feed, system):
    feed.night()
    system("alter table visits rename column kind to sort")
    feed.night(night_after(1))
    _, notes = feed.state(night_after(1))
    assert "table visits: declared columns that are not there: kind" in notes[0]
    assert len(feed.current("encounter", "1")) == 3, "rows of a table that was not read were taken for deleted"


def test_a_query_is_read_like_a_table(settings, system, tmp_path):
    query = "select v.id, v.patient, v.kind, v.state, v.started from visits v where v.kind <> ':nobody' ;"
    contract = CONTRACT.replace("from: {table: visits, watermark: changed}", f'from: {{query: "{query}"}}')
    feed = feed_of(
        settings,
        system,
        tmp_path,
        contract.replace('    not_loaded: {changed: "says only when the row was written"}\n', ""),
    )
    feed.night()
    system("delete from visits where id = 'v2'")
    feed.night(night_after(1))
    assert feed.current("encounter", "class_code") == [("AMB",), ("AMB",)]


def test_all_tables_are_of_one_moment(feed, system):
    (source,) = load_sources(feed.settings.sources_file)
    books, folder = Unbooked(), feed.settings.home / "moment"
    folder.mkdir(exist_ok=True)

    def write_in_between(**numbers) -> None:
        if numbers["tables"] == 1:
            system("insert into visits values ('v7', 'p1', 'X', 'finished', null, '2026-11-23 00:00:00')")

    job = PullJob(folder, NIGHT, books, feed.settings.secret, write_in_between)
    pulled = database_pull.pull_database(source, job)
    assert pulled.notes == ()
    text = (folder / "visits.rows.ndjson").read_text()
    assert '"v4"' in text
    assert '"v7"' not in text


def test_nothing_can_be_written_to_the_source(settings, tmp_path):
    system = PostgresSystem(settings)
    query = "select 1 as id, current_setting('transaction_read_only') || ' ' || current_setting('transaction_isolation') as mode"
    contract = f"""
owner: tests
tables:
  modes:
    from: {{query: "{query}"}}
    data_class: patient_data
    key: [id]
    columns: {{id: {{type: integer, class: clinical}}, mode: {{type: text, class: clinical}}}}
"""
    feed = feed_of(settings, system, tmp_path, contract)
    feed.night()
    assert feed.ask(f"select mode from raw.{feed.name}__modes") == [("on repeatable read",)]
    system.close()


def test_a_database_that_is_not_there_is_a_missing_source(settings, tmp_path):
    system = SqliteSystem(tmp_path)
    system.url = f"sqlite:///{tmp_path}/nowhere.db"
    feed = feed_of(settings, system, tmp_path)
    assert feed.land().missing
    missing, notes = feed.state()
    assert missing
    assert "cannot be reached (OperationalError)" in notes[0]
    assert not (tmp_path / "nowhere.db").exists()
    assert feed.load() == []


def test_a_secret_that_is_missing_or_no_url_stops_the_night(settings, tmp_path):
    system = SqliteSystem(tmp_path)
    feed = feed_of(settings, system, tmp_path)
    write_private(settings.secrets_dir / "east_url", "hospital:Zebedee@nowhere")
    with pytest.raises(SettingsError, match="the secret east_url is no SQLAlchemy URL") as problem:
        feed.land()
    assert "Zebedee" not in str(problem.value)
    (settings.secrets_dir / "east_url").unlink()
    with pytest.raises(SettingsError, match="the secret east_url cannot be read"):
        feed.land()


def test_nothing_is_kept_in_clear(fresh_hot, tmp_path):
    system = SqliteSystem(tmp_path)
    system(*TABLES)
    feed = feed_of(fresh_hot, system, tmp_path)
    feed.night()
    system("delete from patients where id = 'p2'", f"update patients set family = '{NAME} jr' where id = 'p1'")
    feed.night(night_after(1))
    shown = everything_in_clear(fresh_hot)
    assert feed.name in shown
    for planted in (NAME, ",Doe,", "'p1'", ",p1,", "(p1", system.url):
        assert planted not in shown, planted
    for planted in (NAME, system.url):  # shorter ones stand in any long text of hex digits
        assert planted.encode().hex() not in shown, f"{planted}, as bytes"


def test_mistakes_in_the_contract_are_said_at_once(settings, tmp_path):
    contract = """
owner: tests
tables:
  a: {files: a.csv, data_class: x, columns: {b: {type: text, class: clinical}}}
  c: {from: {table: t, query: q}, data_class: x, key: [seen_at], columns: {seen_at: {type: timestamp, class: clinical}}, updated_at: seen_at}
"""
    (tmp_path / "east.yml").write_text(contract)
    feed = Feed.of(settings, tmp_path, "database", url_secret="x", contract="east.yml")
    with pytest.raises(Exception, match="neither or both of 'table' and 'query'"):
        load_sources(feed.settings.sources_file)
    (tmp_path / "east.yml").write_text(contract.replace("table: t, query: q", "table: t"))
    with pytest.raises(SourcesError) as problem:
        load_sources(feed.settings.sources_file)
    for part in (
        "table a: 'from' is missing",
        "'files' is for kinds",
        "table a: 'key' is missing",
        "'updated_at' is for kinds",
        "column 'seen_at' is added",
    ):
        assert part in str(problem.value), part
