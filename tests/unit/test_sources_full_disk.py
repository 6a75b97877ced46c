"""A disk that takes no more of a database's rows: the table is left to the next night and said, and the other tables are read."""

from __future__ import annotations

import resource
from datetime import date

from include.sources import database
from include.sources.pulling import PullJob, Unbooked
from include.sources.registry import load_sources
from tests.source_systems import SqliteSystem

CONTRACT = """
owner: tests
tables:
  notes:
    from: {table: notes}
    data_class: patient_data
    key: [id]
    columns: {id: {type: text, class: source_id, of: Basic}, said: {type: text, class: free_text}}
  wards:
    from: {table: wards}
    data_class: patient_data
    key: [id]
    columns: {id: {type: text, class: source_id, of: Location}}
"""


def test_a_table_that_fills_the_disk_costs_no_other_table(tmp_path):
    system = SqliteSystem(tmp_path)
    system(
        "create table notes (id text, said text)",
        "create table wards (id text)",
        "insert into wards values ('w1'), ('w2')",
        "with recursive n(i) as (select 1 union all select i + 1 from n where i < 3000)"
        " insert into notes select 'n' || i, hex(zeroblob(200)) from n",
    )
    (tmp_path / "east.yml").write_text(CONTRACT)
    (tmp_path / "sources.yml").write_text(
        "sources: [{name: east, kind: database, url_secret: east_url, contract: east.yml, tries: 1}]"
    )
    (source,) = load_sources(tmp_path / "sources.yml")
    folder = tmp_path / "pulled"
    folder.mkdir()
    job = PullJob(folder, date(2026, 11, 22), Unbooked(), lambda name: system.url, lambda **numbers: None)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, before[1]))
    try:
        pulled = database.pull(source, job)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert pulled.reached
    assert pulled.absent == ("notes",)
    assert "table notes: no room on the disk for the table's rows" in pulled.notes[0]
    assert [path.name.split(".")[0] for path in folder.iterdir()] == ["wards"]
