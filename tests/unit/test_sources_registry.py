"""sources.yml is read strictly: what is wrong with it is said, all of it, before anything is read."""

from __future__ import annotations

import sqlite3
import textwrap
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from include.sources.declared import DeclarationError, read_yaml
from include.sources.pulling import PullJob, Unbooked
from include.sources.registry import SourcesError, find_source, kinds, load_sources, reader_of


def write(folder: Path, text: str) -> Path:
    path = folder / "sources.yml"
    path.write_text(text, encoding="utf-8")
    return path


def test_an_entry_becomes_a_source_with_paths_relative_to_the_file(tmp_path):
    path = write(
        tmp_path,
        """
        owner: data engineering
        sources:
          - {name: north, kind: fhir_bulk, path: exports, required: true, max_age_days: 2, timezone: America/New_York}
        """,
    )
    (source,) = load_sources(path)
    assert (source.name, source.kind, source.required, source.max_age_days) == ("north", "fhir_bulk", True, 2)
    assert source.path == tmp_path / "exports"
    assert source.zone.key == "America/New_York"


def test_every_kind_has_the_same_face():
    assert set(kinds()) >= {"fhir_bulk", "fhir_bundles", "csv"}
    for module in kinds().values():
        assert all(hasattr(module, name) for name in ("HAS_CONTRACT", "list_files", "read", "place_word"))


def test_all_mistakes_are_said_at_once(tmp_path):
    path = write(
        tmp_path,
        """
        sources:
          - {name: North, kind: fhir_bulk, path: x}
          - {name: a, kind: hl9, path: x}
          - {name: b, kind: fhir_bulk, path: x, retention: 3}
          - {name: c, kind: csv, path: x}
          - {name: d, kind: fhir_bulk, path: x, timezone: Mars/Olympus, max_age_days: -1, required: maybe}
          - {name: e, kind: fhir_bulk}
          - {name: twice, kind: fhir_bulk, path: x}
          - {name: twice, kind: hl8, path: y}
          - {name: marts, kind: fhir_bulk, path: z}
        """,
    )
    with pytest.raises(SourcesError, match="sources.yml has 11 mistakes") as problem:
        load_sources(path)
    for part in ("source 1: its name", "'hl9'", "'retention' is not known", "'contract' is missing", "Mars/Olympus",
                 "'max_age_days' is not a whole number", "'required' is neither", "'path' is missing", "2 sources are named twice",
                 "source marts: results and scores of the marts stand under that name"):  # fmt: skip
        assert part in str(problem.value), part
    assert len(problem.value.found.splitlines()) == 12  # a line each


def test_mistakes_of_a_contract_are_said_among_the_others_with_the_file_to_correct(tmp_path):
    (tmp_path / "a.yml").write_text("owner: me\ntables: {}\n")
    entries = "sources:\n  - {name: a, kind: csv, path: x, contract: a.yml}\n  - {name: b, kind: csv, path: x, contract: b.yml}\n"
    with pytest.raises(SourcesError) as problem:
        load_sources(write(tmp_path, entries))
    assert "source a: a.yml has a mistake" in problem.value.found
    assert f"source b: there is no file {tmp_path}/b.yml" in problem.value.found
    assert problem.value.action == "correct a.yml and b.yml"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("sources: []", "not a list with at least one source"),
        ("", "holds nothing"),
        ("- a\n- b\n", "holds no mapping"),
        ("sources:\n  - name: a\n    name: b\n", "'name' is said twice"),
        ("sources: [", "is not YAML at line"),
        ("sources: !!python/object/apply:os.getcwd []", "is not YAML"),
    ],
)
def test_what_is_no_list_of_sources_is_refused(tmp_path, text, says):
    with pytest.raises(SourcesError, match=says):
        load_sources(write(tmp_path, text))


def test_a_missing_file_says_where_it_was_looked_for(tmp_path):
    with pytest.raises(SourcesError, match=r"there is no file .*nothing.yml"):
        load_sources(tmp_path / "nothing.yml")


def test_a_key_that_is_not_a_word_is_refused(tmp_path):
    with pytest.raises(DeclarationError, match="a key is not a word"):
        read_yaml(write(tmp_path, "? [a, b]\n: 1\n"))


def test_a_declared_time_is_the_sources_own_unless_it_says_otherwise(tmp_path):
    path = write(
        tmp_path,
        """
        sources:
          - {name: day, kind: fhir_bulk, path: x, delivered_at: 2026-11-22, timezone: America/New_York}
          - {name: moment, kind: fhir_bulk, path: x, delivered_at: "2026-11-22T10:00:00+02:00"}
        """,
    )
    day, moment = load_sources(path)
    assert day.delivered_at == datetime(2026, 11, 22, 5, tzinfo=UTC)
    assert moment.delivered_at == datetime(2026, 11, 22, 8, tzinfo=UTC)


def test_an_unknown_source_is_an_error_that_names_the_known_ones(tmp_path):
    sources = load_sources(write(tmp_path, "sources: [{name: north, kind: fhir_bulk, path: x}]"))
    with pytest.raises(SourcesError, match="no source is named south; expected one of north"):
        find_source(sources, "south")


@pytest.mark.parametrize(
    "words", ["", "sqlite_file: 3, ", "sqlite_file: '', ", "sqlite_file: a.sqlite, url_secret: east, "]
)
def test_a_database_says_in_one_way_where_it_is(tmp_path, words):
    path = write(tmp_path, f"sources: [{{name: east, kind: database, {words}contract: east.yml}}]")
    with pytest.raises(SourcesError, match="'sqlite_file' is no path|'url_secret' does not name a file"):
        load_sources(path)


def test_an_sqlite_file_is_read_without_a_secret(tmp_path):
    with sqlite3.connect(tmp_path / "east.sqlite") as database:
        database.execute("create table rooms (id text, beds integer)")
        database.executemany("insert into rooms values (?, ?)", [("r1", 2), ("r2", 4)])
    contract = """
        owner: x
        tables:
          rooms:
            from: {table: rooms}
            data_class: population_metrics
            key: [id]
            columns: {id: {type: text, class: reference_data}, beds: {type: integer, class: reference_data}}
            maps: []
    """
    (tmp_path / "east.yml").write_text(textwrap.dedent(contract))
    (source,) = load_sources(
        write(tmp_path, "sources: [{name: east, kind: database, sqlite_file: east.sqlite, contract: east.yml}]")
    )
    reader, folder = reader_of(source), tmp_path / "pulled"
    folder.mkdir()
    pulled = reader.pull(
        source, PullJob(folder, date(2026, 11, 22), Unbooked(), lambda name: pytest.fail(name), lambda **_: None)
    )
    assert pulled.reached and not pulled.notes
    assert (folder / "rooms.rows.ndjson").read_text().count("\n") == 3
